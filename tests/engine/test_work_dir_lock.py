"""A working folder is held by a single living training."""
import fcntl
import json
import multiprocessing
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from mmvideomamba import folder_lock
from mmvideomamba.engine.work_dir_lock import NAME, WorkDirLock
from mmvideomamba.folder_lock import SILENCE
from mmvideomamba.user_error import UserError

FORK = multiprocessing.get_context('fork')


def hold(folder: str, pipe: Any) -> None:
    """Hold the folder until told otherwise."""
    lock = WorkDirLock(folder)
    lock.take()
    pipe.send(os.getpid())
    pipe.recv()
    lock.release()


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Any]:
    """Another process holding the folder."""
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=hold, args=(str(tmp_path), theirs))
    process.start()
    assert ours.recv() == process.pid
    yield process
    process.kill()
    process.join()


@pytest.fixture(params=['flock', 'none'])
def locks(request: Any, monkeypatch: Any) -> str:
    """A file system with and without locks."""
    if request.param == 'none':
        monkeypatch.setattr(
            folder_lock, '_lock', lambda number, shared=False: None)
    return request.param


@pytest.fixture
def elsewhere(monkeypatch: Any) -> None:
    """Let this process be on another host."""
    monkeypatch.setattr(socket, 'gethostname', lambda: 'node7')


def write_record(folder: Path, **changes: Any) -> None:
    record = dict(host='node6', pid=1, started='', since='then', job='')
    (folder / NAME).write_text(json.dumps(dict(record, **changes)))


def test_taken_and_released(tmp_path: Path, locks: str) -> None:
    lock = WorkDirLock(tmp_path / 'new')
    lock.check()
    assert lock.take() == ''
    record = json.loads(lock.path.read_text())
    assert (record['host'], record['pid']) == (socket.gethostname(),
                                               os.getpid())
    assert os.listdir(tmp_path / 'new') == [NAME]
    lock.release()
    lock.release()
    assert os.listdir(tmp_path / 'new') == []


def test_held_by_another_process(tmp_path: Path, locks: str,
                                 holder: Any) -> None:
    before = (tmp_path / NAME).read_text()
    for action in (WorkDirLock(tmp_path).take, WorkDirLock(tmp_path).check):
        with pytest.raises(UserError) as error:
            action()
        text = str(error.value)
        assert f'process {holder.pid} on host {socket.gethostname()}' in text
        assert str(tmp_path) in text and '--force' in text
        assert json.loads(before)['since'] in text
    assert (tmp_path / NAME).read_text() == before
    assert os.listdir(tmp_path) == [NAME]


def test_killed_holder(tmp_path: Path, locks: str, holder: Any) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    lock = WorkDirLock(tmp_path)
    lock.check()
    assert lock.take().startswith(f'process {holder.pid} on host')
    assert json.loads(lock.path.read_text())['pid'] == os.getpid()
    lock.release()


def test_number_of_a_process_is_used_again(tmp_path: Path, locks: str) -> None:
    """The process with the number has started at another time."""
    pid = os.getppid()
    write_record(tmp_path, host=socket.gethostname(), pid=pid, started='never')
    lock = WorkDirLock(tmp_path)
    assert f'process {pid} ' in lock.take()
    lock.release()


def test_workers_do_not_keep_the_lock(tmp_path: Path) -> None:
    """A fork of the holder may live on, as a worker does."""
    lock, started = WorkDirLock(tmp_path), FORK.Event()
    lock.take()
    worker = FORK.Process(target=lambda:
                          (started.set(), time.sleep(60)))  # type: ignore
    worker.start()
    try:
        assert started.wait(30)
        lock.close()  # as the kernel does at the death of the holder
        with lock.path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        worker.kill()
        worker.join()


def test_force(tmp_path: Path, locks: str, holder: Any) -> None:
    lock = WorkDirLock(tmp_path)
    lock.check(force=True)
    assert f'process {holder.pid}' in lock.take(force=True)
    assert lock.taken() == ''
    with FORK.Pool(1) as pool, pytest.raises(UserError, match='is held'):
        pool.apply(WorkDirLock(tmp_path).check)
    lock.release()
    assert not (tmp_path / NAME).exists()


def test_taken_by_force(tmp_path: Path) -> None:
    lock = WorkDirLock(tmp_path)
    lock.take()
    assert lock.taken() == ''
    child = FORK.Process(target=WorkDirLock(tmp_path).take, args=(True, ))
    child.start()
    child.join()
    assert f'process {child.pid}' in lock.taken()
    lock.beat()
    lock.release()
    assert (tmp_path / NAME).exists()  # the other's


def test_holder_on_another_host(tmp_path: Path, elsewhere: None) -> None:
    write_record(tmp_path)
    with pytest.raises(UserError, match='process 1 on host node6 since then'):
        WorkDirLock(tmp_path).take()
    old = time.time() - SILENCE - 5
    os.utime(tmp_path / NAME, (old, old))
    lock = WorkDirLock(tmp_path)
    assert 'node6' in lock.take()
    lock.release()


def test_sign_of_life(tmp_path: Path) -> None:
    lock = WorkDirLock(tmp_path)
    lock.take()
    os.utime(lock.path, (1, 1))
    lock.beat()
    assert lock.path.stat().st_mtime > time.time() - 60
    lock.release()


@pytest.mark.parametrize('job, free', [('17', True), ('18', False)])
def test_job_that_was_queued_again(tmp_path: Path, monkeypatch: Any,
                                   elsewhere: None, job: str,
                                   free: bool) -> None:
    monkeypatch.setenv('SLURM_JOB_ID', '17')
    write_record(tmp_path, job=job)
    lock = WorkDirLock(tmp_path)
    if free:
        assert lock.take()
        lock.release()
    else:
        with pytest.raises(UserError, match='is held'):
            lock.take()


def test_second_runner_in_this_process(tmp_path: Path) -> None:
    first, second = WorkDirLock(tmp_path), WorkDirLock(tmp_path)
    first.take()
    assert second.take() == ''
    first.release()
    assert second.path.exists()
    second.release()


@pytest.mark.parametrize('content',
                         ['', '{', '[1]', '{"pid": "x"}', '[' * 100000])
def test_file_without_a_record(tmp_path: Path, locks: str,
                               content: str) -> None:
    (tmp_path / NAME).write_text(content)
    lock = WorkDirLock(tmp_path)
    assert lock.take() == ''
    lock.release()


@pytest.mark.parametrize('pid', ['12', -1, 1.5, 10**30, True])
def test_number_that_is_no_process(tmp_path: Path, locks: str,
                                   pid: Any) -> None:
    write_record(tmp_path, pid=pid, host=socket.gethostname())
    lock = WorkDirLock(tmp_path)
    lock.check()
    assert lock.take() == ''
    lock.release()


def test_folder_that_cannot_be_written(tmp_path: Path,
                                       monkeypatch: Any) -> None:

    def refuse(*args: Any) -> None:
        raise OSError(30, 'Read-only file system')

    monkeypatch.setattr(os, 'open', refuse)
    with pytest.raises(UserError, match='Read-only.*--work-dir'):
        WorkDirLock(tmp_path).take()
    assert os.listdir(tmp_path) == []
