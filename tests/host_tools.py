"""The hosts' own scripts, and the test configs."""
import os
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import preloaded_python
import pytest
from preloaded_python import Python

from mmvideomamba.compat import multimodal_trouble

HERE = Path(__file__).parent / 'integration'
ROOT = Path(__file__).parents[1]
# Import path of subprocesses: the package, and the parts of test configs.
PATH = os.pathsep.join([str(ROOT), str(HERE)])
CONFIG = HERE / 'tiny_recognizer.py'
KILLED_CONFIG = HERE / 'killed_recognizer.py'


def needs_host_texts() -> None:
    """Skip a test where mmaction2's text models cannot be imported."""
    pytest.importorskip(
        'transformers', reason="mmaction2's text models need transformers")
    trouble = multimodal_trouble('mmaction')
    if trouble:
        pytest.skip(trouble)


def tools_of(host: str) -> Path:
    """Return the folder of a host's scripts."""
    return Path(find_spec(host).origin).parent / '.mim' / 'tools'


TOOLS = tools_of('mmaction')


def run_tool(tool: str,
             *arguments,
             cwd: Path,
             host: str = 'mmaction') -> 'subprocess.CompletedProcess[str]':
    """Run a script in a separate process, on the CPU."""
    return run_python(tools_of(host) / tool, *arguments, cwd=cwd)


def run_python(*arguments, cwd: Path) -> 'subprocess.CompletedProcess[str]':
    """Run Python in a separate process, on the CPU."""
    return Python(arguments, cwd, PYTHONPATH=PATH).wait()


def run_ranks(processes: int,
              *arguments,
              cwd: Path,
              gpus: str = '') -> 'subprocess.CompletedProcess[str]':
    """Run a tool in several ranks of one process group.

    Args:
        processes (int): Number of ranks.
        *arguments: Path of the tool and its options.
        cwd (Path): Working folder.
        gpus (str): GPU numbers, split by commas. Defaults to '', the CPU.

    Returns:
        subprocess.CompletedProcess: With the output of all ranks.
    """
    # TF32 keeps 10 bits of a product: too few to see a difference.
    return preloaded_python.run_ranks([*arguments, '--launcher', 'pytorch'],
                                      processes,
                                      cwd,
                                      PYTHONPATH=PATH,
                                      CUDA_VISIBLE_DEVICES=gpus,
                                      NVIDIA_TF32_OVERRIDE='0')


def run_tool_here(tool: str, *arguments) -> None:
    """Run a script in this process, for a look at raised errors."""
    with mock.patch.object(sys, 'argv', [tool, *map(str, arguments)]):
        runpy.run_path(str(TOOLS / tool), run_name='__main__')
