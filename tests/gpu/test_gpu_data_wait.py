"""The share of waiting by ``DataWaitHook``, against the truth."""
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from gpu_marks import DEVICE, GPU_ONLY
from tiny_training import Line, Numbers, build_runner

from mmvideomamba.engine.hooks import data_wait_hook
from mmvideomamba.engine.wait_meter import WaitMeter, event_marker

pytestmark = GPU_ONLY
CYCLES = 20_000_000
STEPS = 4


class Busy(Line):
    """A step of about 10 ms on the GPU, launched in far less."""

    def forward(self, inputs: torch.Tensor, mode: str = 'tensor') -> Any:
        torch.cuda._sleep(CYCLES)
        return super().forward(inputs.to(DEVICE, non_blocking=True), mode)


def seconds_of_a_step() -> float:
    """Time the work of a step."""
    torch.cuda._sleep(CYCLES)
    torch.cuda.synchronize()
    start = time.perf_counter()
    torch.cuda._sleep(5 * CYCLES)
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / 5


def share(folder: Path, monkeypatch: Any, sleep: float) -> float:
    """Train with a loader that sleeps; return the share of the last epoch."""
    found = []
    monkeypatch.setattr(data_wait_hook, 'gather',
                        lambda own: found.append(own) or [own])

    def collate(samples: Any) -> torch.Tensor:
        time.sleep(sleep)
        return torch.stack(samples)

    runner = build_runner(
        folder, {},
        epochs=3,
        model=Busy(),
        default_hooks=dict(
            checkpoint=None,
            logger=None,
            resume=dict(type='mmvideomamba.ResumeHook'),
            runtime_info=dict(type='mmvideomamba.LateRuntimeInfoHook'),
            data_wait=dict(type='mmvideomamba.DataWaitHook')),
        train_dataloader=dict(
            batch_size=1,
            num_workers=0,
            dataset=Numbers(),
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='default_collate')))
    runner.train_loop.dataloader.collate_fn = collate
    runner.train()
    return found[-1].share


def test_slow_loader(tmp_path: Path, monkeypatch: Any) -> None:
    """The host sleeps three times as long as the GPU works."""
    work = seconds_of_a_step()
    found = share(tmp_path, monkeypatch, 3 * work)
    assert found == pytest.approx(2 / 3, abs=0.1)


def test_fast_loader(tmp_path: Path, monkeypatch: Any) -> None:
    assert share(tmp_path, monkeypatch, 0.) < 0.05


def test_meter_waits_for_nothing() -> None:
    """With work on the GPU for all marks, and replayed graphs."""
    x = torch.ones(1000, device=DEVICE)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        x.mul_(1.)
    torch.cuda.synchronize()
    meter = WaitMeter(event_marker(DEVICE))
    torch.cuda.set_sync_debug_mode('error')
    try:
        meter.begin(False)
        start = time.perf_counter()
        for _ in range(STEPS):
            meter.arrive()
            torch.cuda._sleep(CYCLES)
            graph.replay()
            meter.ask()
        found = meter.take()
        host = time.perf_counter() - start
    finally:
        torch.cuda.set_sync_debug_mode('default')
    torch.cuda.synchronize()
    device = time.perf_counter() - start
    assert found.batches == STEPS and host < device / 2
    assert found.waited < 0.1 * device
