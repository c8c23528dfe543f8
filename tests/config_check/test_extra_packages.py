"""Packages of extras are asked for before a training begins."""
from typing import List, Tuple

import pytest
from absent import make_absent
from mmengine.config import Config

from mmvideomamba.command_line import find_config
from mmvideomamba.config_check.extra_packages import extra_faults
from mmvideomamba.extras import install_command

PACKAGES = ('tensorboard', 'tokenizers', 'torchcodec', 'decord')
CUSTOM = 'videomamba-micro_1xb8-u8-25e_custom-rgb'
QUICK = 'videomamba-micro_1xb8-u8-25e_quickstart-rgb'
TEXTS = 'retrieval-videomamba-micro_scratch_1xb32-u4-8e_quickstart-captions'


def load(name: str) -> Config:
    """Load a config of the repository."""
    return Config.fromfile(find_config(f'{name}.py'))


@pytest.mark.parametrize('name, needed', [
    (CUSTOM, []),
    (QUICK, [('visualizer.vis_backends.1', 'tensorboard', 'quickstart')]),
    (TEXTS, [('model.tokenizer', 'tokenizers', 'multimodal')]),
])
def test_recipes(name: str, needed: List[Tuple[str, str, str]],
                 monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe for one's own videos needs the plain package alone."""
    make_absent(monkeypatch, *PACKAGES)
    faults = extra_faults(load(name))
    assert len(faults) == len(needed)
    for fault, (place, package, extra) in zip(faults, needed):
        assert fault.startswith(f'{place} needs {package}, not installed: '
                                f'{install_command(extra)}')
        assert '\n' not in fault


def test_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A named reader is needed; the choice of 'auto' is not."""
    cfg = load(CUSTOM)
    step = cfg.train_dataloader.dataset.pipeline[0]
    assert step.type == 'mmvideomamba.OpenVideo'
    for reader in ('torchcodec', 'decord', 'auto'):
        step.reader = reader
        make_absent(monkeypatch, *PACKAGES)
        faults = extra_faults(cfg)
        if reader == 'auto':
            assert not faults
            continue
        fault, = faults
        assert install_command(reader) in fault and "reader='auto'" in fault


def test_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package gives no fault."""
    make_absent(monkeypatch, 'tokenizers')
    pytest.importorskip('tensorboard', reason='the extra quickstart')
    assert not extra_faults(load(QUICK))
