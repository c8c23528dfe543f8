"""The time of a device without work, with stand-ins for clock and events."""
from pathlib import Path
from typing import Any, List, Optional, Tuple

import pytest
import torch
from preloaded_python import spawn

from mmvideomamba.engine.wait_meter import (DataWaits, WaitMeter, event_marker,
                                            gather)


class Device:
    """Host and device on one clock; work is queued, marks wait in line."""

    def __init__(self) -> None:
        self.now = 0.  # host
        self.busy_until = 0.

    def clock(self) -> float:
        return self.now

    def launch(self, work: float, host: float) -> None:
        """Queue seconds of work, in seconds of the host."""
        self.busy_until = max(self.busy_until, self.now) + work
        self.now += host

    def mark(self) -> 'Mark':
        return Mark(self, max(self.busy_until, self.now))


class Mark:

    def __init__(self, device: Device, passed: float) -> None:
        self.device, self.passed = device, passed

    def query(self) -> bool:
        return self.passed <= self.device.now

    def elapsed_time(self, later: 'Mark') -> float:
        assert self.query() and later.query(), 'a look would wait'
        return 1e3 * (later.passed - self.passed)


def train(batches: List[Tuple[float, float]],
          host: float = 0.,
          device: Optional[Device] = None,
          on_cpu: bool = False,
          workers: bool = False) -> DataWaits:
    """Train on batches: seconds in the loader, seconds of work."""
    device = device or Device()
    meter = WaitMeter(None if on_cpu else device.mark, device.clock)
    meter.begin(workers)
    for load, work in batches:
        device.now += load
        meter.arrive()
        device.launch(work, work if on_cpu else host)
        meter.ask()
    return meter.take()


def test_batches_late() -> None:
    """Work of 1 s, batches after 3 s: 2 s without work."""
    found = train([(3., 1.)] * 5)
    # The loader's first batch finds an idle device.
    assert found == pytest.approx(DataWaits(15., 3. + 4 * 2., 0., 5))
    assert found.share == pytest.approx(11 / 15)


def test_batches_in_time() -> None:
    """The host runs ahead, the device is busy all the time."""
    found = train([(0.01, 1.)] * 8, host=0.02, workers=True)
    assert found.waited == 0 and found.batches == 8
    assert found.first == pytest.approx(0.01)
    assert found.total == pytest.approx(7 * 0.01 + 8 * 0.02)


def test_slow_launches_are_no_wait_for_data() -> None:
    """The device idles while the host launches, not in the loader."""
    found = train([(0.1, 0.5)] * 5, host=2., workers=True)
    assert found.waited == pytest.approx(4 * 0.1)


def test_at_most_the_time_in_the_loader() -> None:
    """The host was held up between the arrival and the second mark."""
    device = Device()
    passed = iter([0., 0., 5.])
    meter = WaitMeter(lambda: Mark(device, next(passed)), device.clock)
    meter.begin(True)
    meter.arrive()
    meter.ask()
    device.now = 1
    meter.arrive()
    device.now = 9
    assert meter.take().waited == 1


def test_first_batch_of_workers_counts_apart() -> None:
    found = train([(9., 1.), (3., 1.), (3., 1.)], workers=True)
    assert found == pytest.approx(DataWaits(6., 4., 9., 3))


def test_host_as_the_device() -> None:
    found = train([(3., 1.)] * 5, on_cpu=True)
    assert found == pytest.approx(DataWaits(20., 15., 0., 5))


def test_pause_and_next_part() -> None:
    device = Device()
    meter = WaitMeter(device.mark, device.clock)
    meter.begin(False)
    for _ in range(2):
        device.now += 1
        meter.arrive()
        meter.ask()
        meter.pause()
        device.now += 100  # a validation
        meter.ask()
        device.now += 2
        meter.arrive()
        meter.ask()
        assert meter.take() == DataWaits(3., 3., 0., 2)
    assert meter.take() == DataWaits(0., 0., 0., 0)
    assert meter.take().share == 0


def test_late_marks_of_an_epoch_are_left_out_of_the_next() -> None:
    device = Device()
    meter = WaitMeter(device.mark, device.clock)
    meter.begin(False)
    device.now += 1
    device.launch(50., 0.)
    meter.arrive()  # the device gets there in 50 s
    meter.ask()
    assert meter.take().waited == 0
    meter.begin(False)
    device.now = 100
    assert meter.take().waited == 0


def test_marks_of_a_cpu() -> None:
    assert event_marker(torch.device('cpu')) is None
    marker: Any = event_marker(torch.device('cuda'))
    assert callable(marker)


def work(rank: int, folder: str) -> None:
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2)
    everyone = gather(DataWaits(10. + rank, 1., 5., 8))
    Path(folder, str(rank)).write_text(str(everyone))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    spawn(work, (str(tmp_path), ), 2)
    wanted = [DataWaits(10., 1., 5., 8), DataWaits(11., 1., 5., 8)]
    for rank in range(2):
        assert (tmp_path / str(rank)).read_text() == str(wanted)
    assert gather(wanted[0]) == wanted[:1]
