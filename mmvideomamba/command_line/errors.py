"""Errors of a user: a message instead of a traceback."""
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Tuple, Type


@contextmanager
def user_errors(*more: Type[Exception], status: int = 1) -> Iterator[None]:
    """End the process with a one-line message for errors of the user.

    For OSError (a missing file) and ValueError (a bad value) inside the
    ``with`` block, ``error: MESSAGE`` goes to stderr. Any other error keeps
    the traceback.

    Args:
        *more (type): Further classes of errors to report by message.
        status (int): Exit status after an error. Defaults to 1.

    Raises:
        SystemExit: For an error of the named classes.
    """
    kinds: Tuple[Type[Exception], ...] = (OSError, ValueError, *more)
    try:
        yield
    except kinds as error:
        # Python writes the text of a SystemExit to stderr and ends with 1.
        if status == 1:
            raise SystemExit(f'error: {error}') from error
        sys.stderr.write(f'error: {error}\n')
        raise SystemExit(status) from error


def require_files(**paths: str) -> None:
    """Check the existence of files, before work begins.

    Args:
        **paths (str): Role of a file and path; underscores of the role read
            as spaces in the message.

    Raises:
        FileNotFoundError: If a file is missing; the message names the role
            and the path.
    """
    for role, path in paths.items():
        if not Path(path).is_file():
            raise FileNotFoundError(f'the {role.replace("_", " ")} {path!r} '
                                    'does not exist or is not a file')
