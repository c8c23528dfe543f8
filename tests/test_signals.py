"""The first signal is noted, the second acts; other handlers are kept."""
import os
import signal
import threading
import time
from typing import Callable, Iterator, List

import pytest

from mmvideomamba import signals
from mmvideomamba.signals import ENDINGS, SignalWatch


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for a thread, or fail."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[List[int]]:
    """Note signals to the handlers from before."""
    seen: List[int] = []
    before = {
        number: signal.signal(number, lambda one, _: seen.append(one))
        for number in ENDINGS
    }
    yield seen
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize('number', ENDINGS)
def test_first_signal_is_noted(number: int, handlers: List[int]) -> None:
    watch = SignalWatch()
    assert watch.start()
    os.kill(os.getpid(), number)
    assert watch.received == number
    assert watch.interrupted == (number == signal.SIGINT)
    assert watch.preempted != watch.interrupted
    watch.stop()
    assert handlers == []
    signal.raise_signal(number)
    assert handlers == [number]


def test_second_signal_acts_while_the_main_thread_is_busy(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, 'SAME_SIGNAL_SECONDS', 0)
    seen: List[int] = []
    done = threading.Event()
    watch = SignalWatch(again=lambda one: (seen.append(one), done.set()))
    watch.start()
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGUSR1)
    assert done.wait(60)
    assert seen == [signal.SIGUSR1] and watch.received == signal.SIGTERM
    watch.stop()


def test_the_same_signal_arrives_twice(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, 'SAME_SIGNAL_SECONDS', 1e9)
    seen: List[int] = []
    watch = SignalWatch(again=seen.append)
    watch.start()
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)  # a user in haste
    wait_for(lambda: bool(seen))
    assert seen == [signal.SIGINT]
    watch.stop()


def test_ignored_signals_stay_ignored() -> None:
    """As SIGHUP of a process under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    watch = SignalWatch()
    watch.start()
    signal.raise_signal(signal.SIGHUP)
    assert watch.received is None
    watch.stop()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_ignore(handlers: List[int]) -> None:
    watch = SignalWatch()
    watch.start()
    watch.ignore()
    for number in ENDINGS:
        signal.raise_signal(number)
    assert watch.received is None and handlers == []


def test_signal_after_an_error_acts_as_before(handlers: List[int]) -> None:
    watch = SignalWatch(alive=lambda frame: frame is None)
    watch.start()
    signal.raise_signal(signal.SIGTERM)
    assert handlers == [signal.SIGTERM] and watch.received is None


def test_new_watch_takes_the_place_of_one_left(handlers: List[int]) -> None:
    left, watch = SignalWatch(), SignalWatch()
    left.start()
    watch.start()
    signal.raise_signal(signal.SIGTERM)
    assert (left.received, watch.received) == (None, signal.SIGTERM)
    watch.stop()
    signal.raise_signal(signal.SIGTERM)
    assert handlers == [signal.SIGTERM]


def test_forked_process_has_the_handlers_from_before(
        handlers: List[int]) -> None:
    seen: List[int] = []
    watch = SignalWatch(again=seen.append)
    watch.start()
    child = os.fork()
    if child == 0:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        os._exit(len(handlers))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    assert watch.received is None and seen == []
    watch.stop()


def test_no_signals_in_a_thread() -> None:
    found: List[bool] = []
    thread = threading.Thread(
        target=lambda: found.append(SignalWatch().start()))
    thread.start()
    thread.join()
    assert found == [False]
