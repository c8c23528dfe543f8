"""How idle threads of OpenMP wait for work."""
import os
import sys
from pathlib import Path

DEVICES = Path('/dev')  # tests set a folder of files
POLICY = 'OMP_WAIT_POLICY'


def let_threads_sleep() -> None:
    """Let idle threads of OpenMP sleep, on a machine without an NVIDIA GPU.

    By default idle threads spin, and take the cores from each other and from
    any other busy process: a step of the micro recipe on two busy cores takes
    more than ten times as long. A policy of the user stays. OpenMP reads the
    policy when torch is imported; after the import nothing is set.
    """
    hidden = os.environ.get('CUDA_VISIBLE_DEVICES') in ('', '-1')
    gpu = not hidden and any(DEVICES.glob('nvidia[0-9]*'))
    if not gpu and 'torch' not in sys.modules:
        os.environ.setdefault(POLICY, 'PASSIVE')
