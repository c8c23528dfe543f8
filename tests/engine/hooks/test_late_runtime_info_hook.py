import json
from pathlib import Path
from typing import Any, List

import pytest
import torch
from late_device import LateDevice
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from tiny_training import build_runner

HOOKS = dict(host='RuntimeInfoHook', late='mmvideomamba.LateRuntimeInfoHook')
CHECKPOINT = dict(
    type='mmvideomamba.SafeCheckpointHook', interval=1, save_best='toy/acc')


def run(folder: Path, kind: str, hooks: tuple = (), **kwargs: Any) -> Runner:
    logger = dict(
        type='LoggerHook',
        interval=kwargs.pop('interval', 3),
        ignore_last=kwargs.pop('ignore_last', True))
    checkpoint = dict(CHECKPOINT, **kwargs.pop('checkpoint', {}))
    runner = build_runner(
        folder,
        checkpoint,
        hooks=hooks,
        default_hooks=dict(
            checkpoint=checkpoint,
            logger=logger,
            runtime_info=dict(type=HOOKS[kind]),
            resume=dict(type='mmvideomamba.ResumeHook')),
        **kwargs)
    runner.train()
    return runner


def losses(folder: Path) -> List[float]:
    """Return the losses in the log of the values."""
    (log, ) = folder.glob('*/vis_data/scalars.json')
    lines = map(json.loads, log.read_text().splitlines())
    return [(line['step'], line['loss']) for line in lines if 'loss' in line]


def histories(state: dict) -> dict:
    return {
        key: value.data[0].tolist()
        for key, value in state['log_scalars'].items() if 'time' not in key
    }


ITERATIONS = dict(train_cfg=dict(by_epoch=False, max_iters=7, val_interval=3))


@pytest.mark.parametrize(
    'settings', [
        dict(),
        dict(ignore_last=False, interval=1),
        dict(
            ITERATIONS,
            log_processor=dict(by_epoch=False),
            checkpoint=dict(by_epoch=False, interval=2)),
    ],
    ids=['epochs', 'each iteration', 'iterations'])
@pytest.mark.parametrize('on_device', [False, True], ids=['cpu', 'late'])
def test_same_logs_and_checkpoints(tmp_path: Path, monkeypatch: Any,
                                   settings: dict, on_device: bool) -> None:
    host = run(tmp_path / 'host', 'host', **settings)
    device = LateDevice(monkeypatch) if on_device else None
    late = run(tmp_path / 'late', 'late', **settings)
    found, wanted = losses(tmp_path / 'late'), losses(tmp_path / 'host')
    assert found == wanted and len(found) > 1
    assert type(late.message_hub) is MessageHub
    assert histories(late.message_hub.state_dict()) == histories(
        host.message_hub.state_dict())
    assert list(late.message_hub.log_scalars) == list(
        host.message_hub.log_scalars)
    names = sorted(x.name for x in (tmp_path / 'host').glob('*.pth'))
    for name in names:
        one, other = (
            torch.load(tmp_path / kind / name, weights_only=False)
            for kind in HOOKS)
        assert histories(one['message_hub']) == histories(other['message_hub'])
    assert len(names) > 1
    if device is not None:
        assert len(device.events) == late.iter


def test_no_wait_between_readers(tmp_path: Path, monkeypatch: Any) -> None:
    device = LateDevice(monkeypatch)
    waits = []

    class Watch(Hook):
        priority = 'LOWEST'

        def after_train_iter(self, *args: Any, **kwargs: Any) -> None:
            waits.append(device.waits)
            device.arrive(1)

    run(tmp_path,
        'late', (Watch(), ),
        interval=100,
        checkpoint=dict(interval=-1, save_best=None, save_last=False),
        train_cfg=dict(by_epoch=False, max_iters=6),
        val_dataloader=None,
        val_cfg=None,
        val_evaluator=None)
    # The first iteration begins the histories; the logger reads after the
    # fourth, the last of the data.
    assert waits == [1, 1, 1, 2, 2, 2]


def test_resumed_history(tmp_path: Path, monkeypatch: Any) -> None:
    LateDevice(monkeypatch)
    whole = run(tmp_path / 'whole', 'late')

    class Fault(Hook):

        def before_train_iter(self, runner: Runner, *args: Any,
                              **kwargs: Any) -> None:
            if runner.iter == 6:
                raise RuntimeError('a fault')

    with pytest.raises(RuntimeError, match='a fault'):
        run(tmp_path / 'cut', 'late', (Fault(), ))
    more = run(tmp_path / 'cut', 'late', resume=True)
    assert histories(more.message_hub.state_dict()) == histories(
        whole.message_hub.state_dict())


def test_values_before_an_error_are_there(tmp_path: Path,
                                          monkeypatch: Any) -> None:
    LateDevice(monkeypatch)
    seen = []

    class Fault(Hook):

        def after_train_iter(self, runner: Runner, *args: Any,
                             **kwargs: Any) -> None:
            seen.append(runner)
            if runner.iter == 2:
                raise RuntimeError('a fault')

    with pytest.raises(RuntimeError, match='a fault'):
        run(tmp_path, 'late', (Fault(), ), interval=100)
    hub = seen[-1].message_hub
    assert len(hub.get_scalar('train/loss').data[0]) == 3
