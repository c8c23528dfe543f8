"""Errors of inputs that cannot be read."""
import sys
from typing import Sequence

from mmvideomamba.exit_codes import BAD_INPUT


def report_bad_inputs(errors: Sequence[str], total: int, done: str) -> int:
    """Print the errors of bad inputs to the standard error.

    Args:
        errors (Sequence[str]): An error of each bad input.
        total (int): Number of inputs.
        done (str): Participle for the others, such as 'predicted'.

    Returns:
        int: Exit code: 0 without errors, else ``BAD_INPUT``.
    """
    if not errors:
        return 0
    lines = ''.join(f'  {error}\n' for error in errors)
    sys.stderr.write(f'error: {len(errors)} of {total} inputs cannot be read; '
                     f'all others are {done}:\n{lines}')
    return BAD_INPUT
