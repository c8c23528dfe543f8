"""A complete checkpoint exists at any moment, and is found."""
import os
from pathlib import Path
from typing import Any, List, Optional

import pytest
import torch
from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner import runner as runner_module
from tiny_training import build_runner

from mmvideomamba import atomic_file
from mmvideomamba.checkpoints.newest import newest_checkpoint
from mmvideomamba.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from mmvideomamba.engine.user_error import UserError

TYPE = 'mmvideomamba.SafeCheckpointHook'


@pytest.fixture(autouse=True)
def quick_start(monkeypatch: Any) -> None:
    """Leave out the compilers in the list of the environment."""
    monkeypatch.setattr(runner_module, 'collect_env', dict)


def build(folder: Path, resume: bool = False, **kwargs: Any) -> Runner:
    """Build a runner; the hook keeps one checkpoint and the best one."""
    rest = {
        k: kwargs.pop(k)
        for k in ('epochs', 'hooks', 'names', 'train_cfg', 'load_from')
        if k in kwargs
    }
    settings = dict(interval=1, max_keep_ckpts=1, save_best='auto')
    settings.update(type=TYPE, **kwargs)
    return build_runner(folder, settings, resume, **rest)


def train(folder: Path, resume: bool = False, **kwargs: Any) -> Runner:
    runner = build(folder, resume, **kwargs)
    runner.train()
    return runner


def hook_of(runner: Runner) -> SafeCheckpointHook:
    return next(x for x in runner.hooks if isinstance(x, SafeCheckpointHook))


def files(folder: Path) -> List[str]:
    """Return the files about checkpoints."""
    return sorted(p.name for p in folder.iterdir()
                  if '.pth' in p.name or p.name == 'last_checkpoint')


def last(folder: Path) -> str:
    return Path((folder / 'last_checkpoint').read_text()).name


def load(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def same_weights(one: Path, other: Path) -> bool:
    first, second = load(one)['state_dict'], load(other)['state_dict']
    return all(torch.equal(first[k], second[k]) for k in second)


def test_files_of_a_training(tmp_path: Path) -> None:
    train(tmp_path)
    assert files(tmp_path) == [
        'best_toy_acc_epoch_3.pth', 'epoch_3.pth', 'last_checkpoint'
    ]
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path /
                                                             'epoch_3.pth')
    hub = load(tmp_path / 'epoch_3.pth')['message_hub']['runtime_info']
    assert hub['keep_ckpt_ids'] == [3]
    assert hub['best_ckpt'] == str(tmp_path / 'best_toy_acc_epoch_3.pth')
    assert hub['training_progress']['validated']


@pytest.mark.parametrize('resume', [False, True])
def test_save_now(tmp_path: Path, resume: bool) -> None:
    """The file goes once the next regular checkpoint is complete."""
    runner = train(tmp_path, epochs=1)
    hook = hook_of(runner)
    # The state at the end of the epoch is saved already.
    assert hook.save_now(runner, 1, 4) == str(tmp_path / 'epoch_1.pth')
    assert hook.save_now(runner, 1, 5) == str(tmp_path / 'iter_5.pth')
    assert hook.save_now(runner, 1, 5) == str(tmp_path / 'iter_5.pth')
    hook.save_now(runner, 1, 6)
    assert last(tmp_path) == 'iter_6.pth'
    assert 'iter_5.pth' not in files(tmp_path)
    saved = load(tmp_path / 'iter_6.pth')
    assert {'optimizer', 'param_schedulers', 'message_hub'} <= saved.keys()
    assert (saved['meta']['epoch'], saved['meta']['iter']) == (1, 6)
    if resume:
        runner = build(tmp_path, resume=True, epochs=2)
        runner.train()
        assert runner.iter == 10  # 6 and 4 more
    else:
        hook._save_checkpoint_with_step(runner, 2, dict(epoch=2, iter=8))
    assert last(tmp_path) == 'epoch_2.pth'
    assert not list(tmp_path.glob('iter_*')) + list(
        tmp_path.glob('epoch_1.pth'))
