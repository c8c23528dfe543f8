"""Errors of a user: a message instead of a traceback."""
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Tuple, Type


@contextmanager
def user_errors(*more: Type[Exception]) -> Iterator[None]:
    """End the process with the message of an error that a user can mend.

    For OSError (a missing file) and ValueError (a bad value) inside the
    ``with`` block, ``error: MESSAGE`` goes to stderr and the exit status is 1.
    Any other error keeps the traceback.

    Args:
        *more (type): Further classes of errors to report by message.

    Raises:
        SystemExit: For an error of the named classes.
    """
    kinds: Tuple[Type[Exception], ...] = (OSError, ValueError, *more)
    try:
        yield
    except kinds as error:
        raise SystemExit(f'error: {error}') from error


def require_files(**paths: str) -> None:
    """Check that files exist, before work begins.

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
                                    'does not exist or is no file')
