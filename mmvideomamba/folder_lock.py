"""A lock on a folder, held by a single writer at a time."""
import errno
import importlib
import json
import os
import socket
import time
import weakref
from pathlib import Path
from typing import Any, ClassVar, Dict, Optional, Union

from mmvideomamba.atomic_file import DRAFT
from mmvideomamba.user_error import UserError

fcntl: Any
try:
    fcntl = importlib.import_module('fcntl')
except ImportError:  # Windows
    fcntl = None

# A holder on another host has ended after so many seconds without a sign of
# life.
SILENCE = 600.
# A holder about to end is waited for, so many times 50 ms.
_TRIES = 5

_held: 'weakref.WeakSet[FolderLock]' = weakref.WeakSet()


def _close_in_child() -> None:
    """Close the files in a forked process, else the locks would stay."""
    for lock in list(_held):
        lock.close()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_close_in_child)


def _start_time(pid: int) -> str:
    """Return the start time of a process, '' if unknown."""
    try:
        # The name of the program, in brackets, may hold spaces.
        text = Path(f'/proc/{pid}/stat').read_text()
        return text.rpartition(')')[2].split()[19]
    except (OSError, IndexError):
        return ''


def _own_record() -> Dict[str, Any]:
    """Describe this process."""
    return dict(
        host=socket.gethostname(),
        pid=os.getpid(),
        started=_start_time(os.getpid()),
        since=time.strftime('%Y-%m-%d %H:%M:%S'),
        job=os.environ.get('SLURM_JOB_ID', ''))


def _runs_here(record: Dict[str, Any]) -> bool:
    """Tell whether the recorded process of this host still runs."""
    pid = record['pid']
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # a process of another user
        pass
    return record.get('started', '') in ('', _start_time(pid))


def _lock(number: int, shared: bool = False) -> Optional[bool]:
    """Lock an open file.

    Args:
        number (int): File descriptor.
        shared (bool): Lock for reading, as several processes may.
            Defaults to False.

    Returns:
        bool, optional: Whether the file is locked; None if the file system
        has no locks.
    """
    if fcntl is None:
        return None
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    for _ in range(_TRIES):
        try:
            fcntl.flock(number, kind | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                return None
        time.sleep(0.05)
    return False


class FolderLock:
    """Lock on a folder: a file in the folder.

    The kernel keeps the lock where the file system has locks (``flock``), and
    frees the lock however the process ends. Elsewhere, and for a holder on
    another host, the record in the file counts: the process must run, or the
    last sign of life be younger than ten minutes. The same job of SLURM on
    another host is a job queued again.

    A child names the file, and completes the messages.

    Args:
        folder (str | Path): The folder.
    """

    name: ClassVar[str]
    # 'FOLDER is held by HOLDER, PROCESS, see FILE: REMEDY'
    holder: ClassVar[str]
    remedy: ClassVar[str]
    # 'FILE cannot be written (REASON): WRITE_REMEDY'
    write_remedy: ClassVar[str]
    # Whether a new holder in the same process ends the old one.
    replaces_own: ClassVar[bool] = False

    def __init__(self, folder: Union[str, Path]) -> None:
        self.path = Path(folder) / self.name
        self._number: Optional[int] = None

    def check(self, force: bool = False) -> None:
        """Refuse a folder that is held; change nothing.

        Args:
            force (bool): Accept any holder. Defaults to False.

        Raises:
            UserError: If the folder is held.
        """
        try:
            number = os.open(self.path, os.O_RDONLY)
        except OSError:  # no file; or the writing itself will tell
            return
        try:
            if not force:
                # Shared: two checks at the same time must not take each other
                # for holders.
                self._refuse_holder(_lock(number, shared=True))
        finally:
            os.close(number)

    def take(self, force: bool = False) -> str:
        """Take the lock.

        Args:
            force (bool): Take the lock from any holder. Defaults to False.

        Returns:
            str: Holder whose lock was taken over, for the log; '' for none.

        Raises:
            UserError: If the folder is held, or read-only.
        """
        for lock in list(_held):
            if lock.path.resolve() == self.path.resolve():
                if not (force or self.replaces_own):
                    self._refuse_holder(False)
                lock.release()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while True:
                number = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
                try:
                    locked = _lock(number)
                    # A holder at its end has removed the file meanwhile.
                    if not self._is(number):
                        continue
                    if not force:
                        self._refuse_holder(locked)
                    before = self._record()
                    self._put(locked is None)
                finally:
                    os.close(number)
                return self._describe(before) if before else ''
        except OSError as error:
            raise UserError(f'{self.path} cannot be written ({error}): '
                            f'{self.write_remedy}') from error

    def beat(self) -> None:
        """Give a sign of life to processes on other hosts."""
        if self._number is not None:
            try:
                os.utime(self._number)
            except OSError:  # no reason to end the work
                pass

    def taken(self) -> str:
        """Describe the taker of the lock by force, '' for none."""
        if self._number is None or self._is(self._number):
            return ''
        record = self._record()
        return self._describe(record) if record else ''

    def release(self) -> None:
        """Free the lock and remove the file, if this process holds it."""
        if self._number is not None:
            try:
                if self._is(self._number):
                    self.path.unlink()
            except OSError:  # a dead process is no holder either
                pass
            self.close()

    def close(self) -> None:
        """Close the file, and leave it."""
        if self._number is not None:
            os.close(self._number)
            self._number = None
            _held.discard(self)

    def _is(self, number: int) -> bool:
        """Tell whether an open file is the lock file."""
        try:
            return os.path.samestat(os.fstat(number), self.path.stat())
        except OSError:
            return False

    def _put(self, alone: bool) -> None:
        """Rename a file of this process into place, locked if possible.

        Args:
            alone (bool): The file system has no locks: of two processes, the
                last one wins.

        Raises:
            OSError: If the file cannot be written.
        """
        record = _own_record()
        name = f'{self.name}.{record["host"]}.{record["pid"]}{DRAFT}'
        draft = self.path.with_name(name)
        number = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        self._number = number
        _held.add(self)
        try:
            _lock(number)
            os.write(number, json.dumps(record).encode())
            os.replace(draft, self.path)
        except BaseException:
            self.close()
            draft.unlink(missing_ok=True)
            raise
        if alone:
            # Without locks, two processes may rename at the same time: the
            # last file counts.
            time.sleep(0.1)
            if not self._is(number):
                self.close()
                self._refuse_holder(None)

    def _record(self) -> Dict[str, Any]:
        """Return the record in the file, {} if there is none."""
        try:
            record = json.loads(self.path.read_text())
            pid, host = record['pid'], record['host']
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return {}
        # Zero and negative numbers stand for groups of processes.
        sound = type(pid) is int and 0 < pid < 2**31 and type(host) is str
        return record if sound else {}

    def _refuse_holder(self, locked: Optional[bool]) -> None:
        """Raise an error if the holder lives; see ``_lock`` for the value."""
        record = self._record()
        if locked is False or (record and self._lives(record)):
            raise UserError(
                f'{self.path.parent} is held by {self.holder}, '
                f'{self._describe(record)}, see {self.path}: {self.remedy}')

    def _lives(self, record: Dict[str, Any]) -> bool:
        """Tell whether the recorded holder lives."""
        if record['host'] == socket.gethostname():
            return _runs_here(record)
        job = os.environ.get('SLURM_JOB_ID')
        if job and record.get('job') == job:
            return False
        try:
            return time.time() - self.path.stat().st_mtime < SILENCE
        except OSError:
            return False

    @staticmethod
    def _describe(record: Dict[str, Any]) -> str:
        """Name host, process and start of a holder."""
        if not record:
            return 'of an unknown process'
        return (f'process {record["pid"]} on host {record["host"]} since '
                f'{record.get("since", "an unknown time")}')
