"""Signals for the end of a process, noted instead of obeyed at once."""
import os
import signal
import socket
import threading
import time
from typing import Any, Callable, Dict, List, Optional

# A scheduler sends these signals before a process has to go. Windows has
# SIGTERM alone.
PREEMPTIONS = tuple(
    getattr(signal, name) for name in ('SIGTERM', 'SIGUSR1', 'SIGHUP')
    if hasattr(signal, name))
ENDINGS = (*PREEMPTIONS, signal.SIGINT)
# SLURM signals all processes of a step, launchers pass a signal on, and so
# the same signal can arrive twice.
SAME_SIGNAL_SECONDS = 1.0

_watching: List['SignalWatch'] = []


def end_at_once(number: int) -> None:
    """End this process without any cleaning up.

    Args:
        number (int): Of the signal, for the exit status of a shell.
    """
    os._exit(128 + number)


class SignalWatch:
    """Note the first signal, act at once on the second.

    A signal ignored from the start, as SIGHUP under ``nohup``, stays ignored.
    Further signals within a second after the first count as the first again,
    except Ctrl-C.

    The second signal acts in a thread, also while the main thread waits in a
    library, as for another process or an accelerator.

    Args:
        again (Callable): Called in the thread with the number of the second
            signal. Defaults to ``end_at_once``.
        alive (Callable, optional): Takes the interrupted frame, and tells
            whether the signals still belong to the watch; else the watch
            stops, and the signal acts as before. Defaults to None, always.
    """

    def __init__(self,
                 again: Callable[[int], None] = end_at_once,
                 alive: Optional[Callable[[Any], bool]] = None) -> None:
        self.received: Optional[int] = None
        self._again, self._alive = again, alive
        self._before: Dict[int, Any] = {}
        self._sockets: tuple = ()
        self._fd_before = -1

    @property
    def preempted(self) -> bool:
        """Whether a scheduler's signal came first."""
        return self.received in PREEMPTIONS

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C came first."""
        return self.received == signal.SIGINT

    def start(self) -> bool:
        """Take the signals over, in the main thread.

        Returns:
            bool: False in another thread, where Python allows no handlers.
        """
        if threading.current_thread() is not threading.main_thread():
            return False
        for watch in list(_watching):  # of a training that an error ended
            watch.stop()
        self.received = None
        reader, writer = self._sockets = socket.socketpair()
        # signal.set_wakeup_fd refuses a blocking socket.
        writer.setblocking(False)
        threading.Thread(
            target=self._count, args=(reader, ), daemon=True).start()
        self._fd_before = signal.set_wakeup_fd(
            writer.fileno(), warn_on_full_buffer=False)
        for number in ENDINGS:
            # None is a handler set outside of Python, impossible to put back.
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._note)
        _watching.append(self)
        return True

    def stop(self) -> None:
        """Give the signals back to the handlers from before."""
        if self not in _watching:
            return
        _watching.remove(self)
        signal.set_wakeup_fd(self._fd_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
        for one in self._sockets:
            # Wakes the thread, unlike close.
            one.shutdown(socket.SHUT_RDWR)
            one.close()

    def ignore(self) -> None:
        """Ignore the signals from now on, for a process about to end."""
        numbers = list(self._before)
        self.stop()
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)

    def _note(self, number: int, frame: Any) -> None:
        """Handle a signal in the main thread."""
        if self._alive is not None and not self._alive(frame):
            self.stop()
            signal.raise_signal(number)
        elif self.received is None:
            self.received = number

    def _count(self, reader: socket.socket) -> None:
        """Wait for the second signal, in the thread."""
        first = None
        while True:
            try:
                data = reader.recv(1)
            except OSError:
                return
            if not data:
                return
            number = data[0]
            # The socket gets the numbers of all signals with a handler in
            # Python.
            if number not in self._before:
                continue
            if first is None:
                first = time.monotonic()
            elif (number == signal.SIGINT
                  or time.monotonic() - first > SAME_SIGNAL_SECONDS):
                self._again(number)


def _in_child() -> None:
    """Let the signals of a forked process act as before.

    The watch of the parent must not count the child's signals.
    """
    for watch in list(_watching):
        _watching.remove(watch)
        signal.set_wakeup_fd(-1)
        for number, handler in watch._before.items():
            signal.signal(number, handler)


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_in_child)
