from pathlib import Path
from typing import Any

import pytest
from mmengine.model import BaseDataPreprocessor
from mmengine.runner import Runner
from tiny_training import build_runner
from torch import nn

from mmvideomamba.engine.hooks.async_upload_hook import uploads

UPLOADS = 'mmvideomamba.engine.hooks.async_upload_hook.uploads'
ITERATIONS = dict(by_epoch=False, max_iters=4, val_interval=9)


def run(folder: Path, by_epoch: bool = True, **kwargs: Any) -> Runner:
    hooks = dict(
        checkpoint=dict(type='CheckpointHook', interval=-1),
        resume=dict(type='mmvideomamba.ResumeHook'),
        async_upload=dict(type='mmvideomamba.AsyncUploadHook', **kwargs))
    changes = {} if by_epoch else dict(train_cfg=ITERATIONS)
    runner = build_runner(folder, {}, epochs=1, default_hooks=hooks, **changes)
    runner.train()
    return runner


@pytest.mark.filterwarnings('ignore:.*no accelerator is found')
@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize('pin_memory', [True, False])
def test_loader_and_preprocessor(tmp_path: Path, monkeypatch: Any,
                                 by_epoch: bool, pin_memory: bool) -> None:
    """The loader made by ResumeHook gets the setting."""
    monkeypatch.setattr(UPLOADS, lambda _: True)
    runner = run(tmp_path, by_epoch, pin_memory=pin_memory)
    assert runner.model.data_preprocessor._non_blocking
    assert type(runner.train_dataloader).__name__ == 'ResumableLoader'
    assert runner.train_dataloader.pin_memory == pin_memory
    assert runner.iter == 4


def test_nothing_on_a_cpu(tmp_path: Path) -> None:
    runner = run(tmp_path)
    assert not runner.model.data_preprocessor._non_blocking
    assert not runner.train_dataloader.pin_memory


def test_uploads() -> None:
    preprocessor = BaseDataPreprocessor()
    assert not uploads(preprocessor)
    preprocessor.to('cuda')  # holds no tensor
    assert uploads(preprocessor)
    assert not uploads(nn.Identity()) and not uploads(None)
