"""Environment variables of the ops, all read by one function.

Each variable is an off switch or a choice for debugging; the defaults suit
every machine. docs/ops.md lists them.
"""
import os
from typing import Dict, Tuple

BACKEND = 'MMVIDEOMAMBA_BACKEND'
LAUNCHER = 'MMVIDEOMAMBA_LAUNCHER'
THREADS = 'MMVIDEOMAMBA_THREADS'
SCAN_KERNELS = 'MMVIDEOMAMBA_SCAN_KERNELS'
VERDICTS = 'MMVIDEOMAMBA_VERDICTS'

# Allowed values of each switch; the first is the default. The names of
# backends are checked by dispatch.py.
SWITCHES: Dict[str, Tuple[str, ...]] = {
    LAUNCHER: ('cached', 'triton'),
    THREADS: ('openmp', 'pool'),
    SCAN_KERNELS: ('auto', 'general'),
    VERDICTS: ('heed', 'ignore'),
}


def setting(name: str) -> str:
    """Read an environment variable of the ops.

    Args:
        name (str): ``BACKEND`` or a name in ``SWITCHES``.

    Returns:
        str: The value, or the default if the variable is unset or empty.

    Raises:
        ValueError: If a switch holds an unknown value.
    """
    allowed = SWITCHES.get(name)
    value = os.environ.get(name) or (allowed[0] if allowed else 'auto')
    if allowed and value not in allowed:
        raise ValueError(f'the environment variable {name} is {value!r}; '
                         f'choose one of {list(allowed)}')
    return value
