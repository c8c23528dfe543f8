"""Batches in the names, for --auto-scale-lr; figures for the classes."""
import re
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmvideomamba.command_line import CONFIGS, limit_topk

NAMES = sorted(
    str(path.relative_to(CONFIGS)) for path in CONFIGS.rglob('*.py')
    if '_base_' not in path.parts and not path.name.startswith('mine'))


@pytest.mark.parametrize('name', NAMES)
def test_base_batch_size(name: str) -> None:
    """GPUs times batch of the name; off unless asked for."""
    cfg = Config.fromfile(CONFIGS / name)
    if cfg.get('train_dataloader') is None:
        assert 'prompts' in name  # tests alone
        return
    found = re.search(r'_(\d+)xb(\d+)[-_]', Path(name).name)
    assert found, name
    gpus, batch = map(int, found.groups())
    assert cfg.train_dataloader.batch_size == batch
    assert cfg.auto_scale_lr.base_batch_size == gpus * batch
    assert not cfg.auto_scale_lr.get('enable', False)


@pytest.mark.parametrize('name', NAMES)
def test_figures_say_something(name: str) -> None:
    """No recipe lists the best k of k classes or fewer."""
    cfg = Config.fromfile(CONFIGS / name)
    before: Any = cfg.to_dict()
    limit_topk(cfg)
    assert cfg.to_dict() == before
