"""The hosts' own scripts, and the config that they are run with."""
import os
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import pytest

from mmvideomamba.compat import multimodal_trouble

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONFIG = HERE / 'tiny_recognizer.py'
KILLED_CONFIG = HERE / 'killed_recognizer.py'


def needs_multimodal() -> list:
    """Leave a module out where text models cannot be had; return its marks."""
    pytest.importorskip(
        'transformers', reason='the text tower needs transformers')
    trouble = multimodal_trouble('mmaction')
    return [
        pytest.mark.slow,
        pytest.mark.skipif(bool(trouble), reason=trouble or 'none')
    ]


def tools_of(host: str) -> Path:
    """Return the folder of a host's scripts."""
    return Path(find_spec(host).origin).parent / '.mim' / 'tools'


TOOLS = tools_of('mmaction')


def run_tool(tool: str,
             *arguments,
             cwd: Path,
             host: str = 'mmaction') -> 'subprocess.CompletedProcess[str]':
    """Run a script in a process of its own, on the CPU."""
    return run_python(tools_of(host) / tool, *arguments, cwd=cwd)


def run_python(*arguments, cwd: Path) -> 'subprocess.CompletedProcess[str]':
    """Run Python in a process of its own, on the CPU."""
    environment = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join([str(ROOT), str(HERE)]),
        CUDA_VISIBLE_DEVICES='',
        OMP_NUM_THREADS='1')
    return subprocess.run([sys.executable, *map(str, arguments)],
                          env=environment,
                          cwd=cwd,
                          capture_output=True,
                          text=True,
                          timeout=300)


def run_tool_here(tool: str, *arguments) -> None:
    """Run a script in this process, where its errors can be looked at."""
    with mock.patch.object(sys, 'argv', [tool, *map(str, arguments)]):
        runpy.run_path(str(TOOLS / tool), run_name='__main__')
