"""A user's error is one line, and can be caught as a ValueError."""
import subprocess
import sys

import pytest

from mmvideomamba.user_error import UserError


def test_caught_as_a_value_error() -> None:
    with pytest.raises(ValueError, match='^no data$'):
        raise UserError('no data')


@pytest.mark.parametrize('message, printed', [('no data', 'error: no data\n'),
                                              ('', '')])
def test_one_line_and_exit_code(message: str, printed: str) -> None:
    # The class alone, since the package takes seconds to import.
    from mmvideomamba import user_error
    code = f'import runpy; found = runpy.run_path({user_error.__file__!r}); ' \
        f'raise found["UserError"]({message!r})'
    done = subprocess.run([sys.executable, '-c', code],
                          capture_output=True,
                          text=True)
    assert (done.returncode, done.stderr) == (1, printed)
