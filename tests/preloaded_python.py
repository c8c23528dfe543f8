"""Python processes with the large libraries in memory from the start.

A fresh process spends 7 s of a core on imports before a training begins, of
them less than 1 s on the hosts and this package. Here a server imports the
libraries below the hosts once, and each process is a fork of the server. The
process itself imports the hosts and this package, in the order of a fresh
interpreter.
"""
import atexit
import gc
import multiprocessing
import os
import random
import runpy
import socket
import subprocess
import sys
import tempfile
import traceback
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple
from unittest import mock

# Hosts and this package are left out. An uninstalled library is skipped.
LIBRARIES = ('torch', 'torch._dynamo', 'torch.distributed.tensor',
             'torch.utils.tensorboard', 'torchvision', 'av', 'cv2',
             'matplotlib.pyplot', 'numba', 'pandas', 'scipy.ndimage',
             'scipy.stats', 'sklearn.metrics', 'tokenizers', 'triton', 'yapf')
# Libraries with thread pools get one thread each.
ONE_THREAD = dict.fromkeys(('MKL_NUM_THREADS', 'OMP_NUM_THREADS',
                            'OPENBLAS_NUM_THREADS', 'OPENCV_FOR_THREADS_NUM'),
                           '1')
# The cores are shared with other processes, and no GPU is used.
ALONE = dict(ONE_THREAD, CUDA_VISIBLE_DEVICES='')


def _server() -> multiprocessing.context.ForkServerContext:
    """Start the server unless already running; return its context."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(list(LIBRARIES))
    # The server loads OpenMP, and OpenMP reads the number of threads then.
    with mock.patch.dict(os.environ, ONE_THREAD):
        forkserver.ensure_running()
    return context


def leave_configs_unformatted() -> None:
    """Keep mmengine from laying configs out by yapf.

    A runner writes the config four times, and yapf takes 0.1 s each time.
    Call the function before the first import of mmengine.
    """
    from yapf.yapflib import yapf_api
    yapf_api.FormatCode = lambda text, **_: (text, True)


def _search_path(first: str, environment: Dict[str, str]) -> List[str]:
    """Return the module search path of a fresh interpreter."""
    own = environment.get('PYTHONPATH', '').split(os.pathsep)
    installed = tuple({sys.prefix, sys.base_prefix, sys.exec_prefix})
    return [
        first, *filter(None, own),
        *(path for path in sys.path if path.startswith(installed))
    ]


def _main(arguments: List[str], cwd: str, environment: Dict[str, str],
          outputs: Sequence[str]) -> None:
    """Run a command line in the fork.

    Args:
        arguments (list[str]): Command line without the interpreter.
        cwd (str): Working folder.
        environment (dict[str, str]): Environment variables, all of them.
        outputs (Sequence[str]): Files for standard output and error.
    """
    for number, output in enumerate(outputs, 1):
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    random.seed()
    sys.modules['numpy'].random.seed()
    leave_configs_unformatted()
    gc.freeze()
    code = 0
    try:
        if arguments[0] == '-m':
            sys.argv = arguments[1:]
            sys.path = _search_path(cwd, environment)
            runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
        else:
            sys.argv = arguments
            folder = str(Path(arguments[0]).resolve().parent)
            sys.path = _search_path(folder, environment)
            runpy.run_path(arguments[0], run_name='__main__')
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
        code = 1
    # A process of multiprocessing skips the functions of atexit.
    atexit._run_exitfuncs()
    sys.exit(code)


class Python:
    """A running process.

    Args:
        arguments (Sequence): Path of a script, or ``-m`` and a module; then
            the script's arguments.
        cwd (Path): Working folder.
        **environment (str): Changed environment variables. Each process
            computes with one thread, and without a GPU by default.
    """

    def __init__(self, arguments: Sequence[Any], cwd: Path,
                 **environment: str) -> None:
        self.arguments = list(map(str, arguments))
        self.outputs = tempfile.TemporaryDirectory()
        names = [f'{self.outputs.name}/{i}' for i in (1, 2)]
        environment = {**os.environ, **ALONE, **environment}
        self.process = _server().Process(
            target=_main, args=(self.arguments, str(cwd), environment, names))
        self.process.start()

    @property
    def pid(self) -> int:
        """Number of the process, for signals."""
        return self.process.pid

    def running(self) -> bool:
        """Tell whether the process has not yet ended."""
        return self.process.is_alive()

    def printed(self) -> str:
        """Return standard output and error so far."""
        found = (Path(self.outputs.name, name) for name in '12')
        return ''.join(x.read_text() for x in found if x.is_file())

    def wait(self, timeout: float = 900) -> 'subprocess.CompletedProcess[str]':
        """Return exit status and output; end the process after a timeout.

        Args:
            timeout (float): Seconds. Defaults to 900, for busy machines.

        Returns:
            subprocess.CompletedProcess: As of ``subprocess.run``.

        Raises:
            subprocess.TimeoutExpired: If the process took longer.
        """
        self.process.join(timeout)
        status = self.process.exitcode
        if status is None:
            self.process.kill()
            self.process.join()
        with self.outputs:
            stdout, stderr = (
                Path(self.outputs.name, name).read_text() for name in '12')
        if status is None:
            raise subprocess.TimeoutExpired(self.arguments, timeout, stdout,
                                            stderr)
        return subprocess.CompletedProcess(self.arguments, status, stdout,
                                           stderr)


def run_ranks(arguments: Sequence[Any], processes: int, cwd: Path,
              **environment: str) -> 'subprocess.CompletedProcess[str]':
    """Run a script as ``torchrun`` does on one machine.

    Args:
        arguments (Sequence): As of :class:`Python`.
        processes (int): Number of ranks.
        cwd (Path): Working folder.
        **environment (str): Changed environment variables.

    Returns:
        subprocess.CompletedProcess: Output of all ranks, and the status of
        the first failed rank, else 0.
    """
    meeting = dict(
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(free_port()),
        WORLD_SIZE=str(processes),
        LOCAL_WORLD_SIZE=str(processes))
    ranks = [
        Python(
            arguments, cwd, **{
                **environment,
                **meeting, 'RANK': str(rank),
                'LOCAL_RANK': str(rank)
            }) for rank in range(processes)
    ]
    done = [rank.wait() for rank in ranks]
    found = next((one for one in done if one.returncode), done[0])
    found.stdout, found.stderr = ('\n'.join(
        getattr(one, name) for one in done) for name in ('stdout', 'stderr'))
    return found


def spawn(work: Callable[..., None], args: Tuple, processes: int) -> None:
    """Run a function in several processes, as ``torch.multiprocessing.spawn``.

    Args:
        work (Callable): Takes the rank and ``args``.
        args (tuple): Further arguments.
        processes (int): Number of ranks.
    """
    from torch.multiprocessing import start_processes
    _server()
    start_processes(work, args, processes, start_method='forkserver')


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]
