"""The port, the address and the end of the server."""
import logging
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, List

import pytest
from serve.conftest import Served

from mmvideomamba import extras
from mmvideomamba.serve import server
from mmvideomamba.serve.server import (address_of, check_packages,
                                       end_unfinished, listen)


def test_listen() -> None:
    with listen('127.0.0.1', 0) as held:
        port = held.getsockname()[1]
        assert address_of(held, '127.0.0.1') == f'http://127.0.0.1:{port}/'
        assert address_of(held, '0.0.0.0') == f'http://127.0.0.1:{port}/'
        assert address_of(held, '::1') == f'http://[::1]:{port}/'
        with pytest.raises(
                ValueError,
                match=f'port {port} of 127.0.0.1 is in use; .*--port 0'):
            listen('127.0.0.1', port)
    for port in (-1, 65536):
        with pytest.raises(ValueError, match='from 0 to 65535'):
            listen('127.0.0.1', port)
    with pytest.raises(ValueError, match='--host 192.0.2.1 is not a name'):
        listen('192.0.2.1', 0)


def test_names() -> None:
    assert server._names('127.0.0.1') == (['127.0.0.1'], False)
    names, addresses = server._names('0.0.0.0')
    assert socket.gethostname() in names and addresses


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'uvicorn', None)
    with pytest.raises(
            extras.MissingExtraError,
            match='the page of the search needs uvicorn.*pip install '
            '"starlette.*uvicorn'):
        check_packages()


def test_upload_limit(served: Served) -> None:
    with listen('127.0.0.1', 0) as held:
        with pytest.raises(ValueError, match='--upload-mb must be at least 1'):
            server.run_server(served.service, held, upload_mb=0)


@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM', 'SIGHUP'])
def test_end(name: str, served: Served) -> None:
    """Ctrl-C and the signals of a scheduler leave no file behind."""
    held, folders = listen('127.0.0.1', 0), []
    before = signal.getsignal(signal.SIGTERM)

    def started(running: Any, folder: Path) -> None:
        (folder / 'clip-1.mp4').touch()
        folders.append(folder)

        def send() -> None:
            while not running.started:
                time.sleep(.01)
            os.kill(os.getpid(), getattr(signal, name))

        threading.Thread(target=send).start()

    with pytest.raises(KeyboardInterrupt):
        server.run_server(served.service, held, started=started)
    assert folders and not folders[0].exists()
    assert held.fileno() == -1
    assert signal.getsignal(signal.SIGTERM) == before


def test_log_files_of_others_stay_open(served: Served, tmp_path: Path) -> None:
    """mmengine writes to the stream of each file handler of a log."""
    handler = logging.FileHandler(tmp_path / 'a.log')

    def started(running: Any, folder: Path) -> None:
        running.should_exit = True

    try:
        server.run_server(
            served.service, listen('127.0.0.1', 0), started=started)
        assert handler.stream is not None
    finally:
        handler.close()


def test_ends_in_the_middle_of_a_call(served: Served,
                                      monkeypatch: pytest.MonkeyPatch) -> None:
    """A long call of a model does not hold the command."""
    go, inside = threading.Event(), threading.Event()
    codes: List[int] = []
    monkeypatch.setattr(os, '_exit', codes.append)
    # Closed log files would fail later tests of the process.
    monkeypatch.setattr(logging, 'shutdown', lambda: None)

    def slow(*args: Any) -> Any:
        inside.set()
        assert go.wait(60)
        raise ValueError('late')

    monkeypatch.setattr(served.service.index, 'query', slow)
    end_unfinished(served.service)
    assert codes == []
    thread = threading.Thread(
        target=lambda: served.post('/api/search', sentence='a disc'))
    thread.start()
    try:
        assert inside.wait(60)
        end_unfinished(served.service, .01)
        assert codes == [0]
    finally:
        go.set()
        thread.join(60)
    end_unfinished(served.service)
    assert codes == [0]
