"""The server of the page."""
import errno
import importlib
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

from mmvideomamba.extras import require
from .guard import is_loopback
from .uploads import MEGABYTE

HOST, PORT = '127.0.0.1', 8000
UPLOAD_MB = 512
_USER = 'the page of the search'
_GOODBYE_SECONDS = 2  # for answers under way


def check_packages() -> None:
    """Refuse an environment without the packages of the page.

    Raises:
        MissingExtraError: With the command that installs the packages.
    """
    for name in ('starlette', 'uvicorn'):
        require(name, 'serve', _USER)


def listen(host: str, port: int) -> socket.socket:
    """Take a port, before a model is loaded.

    Args:
        host (str): Name or address of this machine.
        port (int): 0 for any free port.

    Returns:
        socket.socket: Bound.

    Raises:
        ValueError: If the port is in use or not allowed, or the host is not
            of this machine.
    """
    if not 0 <= port < 1 << 16:
        raise ValueError(f'--port must be from 0 to 65535, but is {port}')
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ValueError(f'port {port} of {host} is in use; give another '
                             'one by --port, or --port 0') from error
        if error.errno == errno.EACCES:
            raise ValueError(f'port {port} may not be used ({error}); give '
                             'one above 1023 by --port') from error
        raise ValueError(f'--host {host} is not a name or address of this '
                         f'machine ({error})') from error


def address_of(held: socket.socket, host: str) -> str:
    """Return the address to open in a browser.

    Args:
        held (socket.socket): From ``listen``.
        host (str): As given.

    Returns:
        str: For example 'http://127.0.0.1:8000/'.
    """
    name = {
        '0.0.0.0': '127.0.0.1',
        '::': '::1',
        '': '127.0.0.1'
    }.get(host, host)
    name = f'[{name}]' if ':' in name else name
    return f'http://{name}:{held.getsockname()[1]}/'


def _names(host: str) -> Tuple[List[str], bool]:
    """Return the names of this machine, and whether addresses are allowed."""
    if is_loopback(host):
        return [host], False
    return [host, socket.gethostname(), socket.getfqdn()], True


def _interrupt(number: int, frame: Any) -> None:
    """Handle a signal as Ctrl-C."""
    raise KeyboardInterrupt


@contextmanager
def _ends_as_interrupt() -> Iterator[None]:
    """Let other signals end the process like Ctrl-C: with files removed.

    The server of uvicorn raises a signal again after the last answer.
    """
    before: Dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in ('SIGTERM', 'SIGHUP'):
            number = getattr(signal, name, None)
            # nohup ignores a signal, and it stays ignored.
            if number and signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_unfinished(service: Any, seconds: float = _GOODBYE_SECONDS) -> None:
    """End the process if a call of a model still runs, say for minutes.

    Python joins threads before the process ends, and a thread inside of
    torch cannot be stopped. ``run_server`` has removed all files before.

    Args:
        service (Service): Of the page, closed.
        seconds (float): To wait for the call. Defaults to 2.
    """
    if service.finished(seconds):
        return
    # os._exit leaves buffers unwritten.
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def run_server(service: Any,
               held: socket.socket,
               host: str = HOST,
               upload_mb: int = UPLOAD_MB,
               started: Callable[[Any, Path], None] = lambda *_: None) -> None:
    """Serve the page until Ctrl-C.

    Args:
        service (Service): Searches and answers.
        held (socket.socket): From ``listen``.
        host (str): As given to ``listen``. Defaults to '127.0.0.1'.
        upload_mb (int): Megabytes of a dropped video, at most. Defaults to
            512.
        started (Callable): Takes the server of uvicorn, and the folder of
            uploads and clips, before the first request. Defaults to nothing.

    Raises:
        KeyboardInterrupt: At Ctrl-C, with files of a moment removed.
        ValueError: If ``upload_mb`` is below 1.
    """
    if upload_mb < 1:
        raise ValueError(f'--upload-mb must be at least 1, but is {upload_mb}')
    uvicorn: Any = require('uvicorn', 'serve', _USER)
    require('starlette', 'serve', _USER)
    # After the check above, as the file imports starlette.
    pages: Any = importlib.import_module(f'{__package__}.app')
    with ExitStack() as stack:
        stack.enter_context(held)
        # Before the folder is made, so that a signal leaves no files behind.
        stack.enter_context(_ends_as_interrupt())
        # A thread may still write there.
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(
                prefix='mmvideomamba-', ignore_cleanup_errors=True))
        app = pages.App(service, Path(folder), upload_mb * MEGABYTE)
        names, addresses = _names(host)
        server = uvicorn.Server(
            uvicorn.Config(
                pages.build_app(app, names, addresses),
                # uvicorn's own set-up of logging closes the handlers of
                # others, and mmengine writes to the file of its log.
                log_config=None,
                log_level='warning',
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan='off',
                timeout_graceful_shutdown=_GOODBYE_SECONDS))
        started(server, Path(folder))
        try:
            server.run(sockets=[held])
        finally:
            app.close()
