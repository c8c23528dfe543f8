"""Time limit for decoders that hang."""
import threading
from typing import Any, Callable, Iterable, Optional, Set, TypeVar

from .errors import HungMediaError

T = TypeVar('T')
_hung: Set[str] = set()


def hung_files() -> Set[str]:
    """Return the files that have hung in this process.

    Returns:
        set[str]: Paths.
    """
    return set(_hung)


def add_hung(paths: Iterable[str]) -> None:
    """Remember files that have hung elsewhere.

    Args:
        paths (Iterable[str]): Paths; ``run_limited`` refuses them at once.
    """
    _hung.update(paths)


def run_limited(function: Callable[[], T], seconds: Optional[float],
                path: str) -> T:
    """Call a function, for a limited time.

    A hanging thread cannot be ended; the thread is left behind as a daemon,
    and the file is not tried again in this process.

    Args:
        function (Callable): Without arguments.
        seconds (float, optional): The limit; None for none.
        path (str): The file that the function reads.

    Returns:
        Any: The result of the function.

    Raises:
        HungMediaError: If the time is over, now or in an earlier call.
    """
    if path in _hung:
        raise HungMediaError(path, 'has let a decoder hang before')
    if seconds is None:
        return function()
    result: Any = []
    errors: Any = []

    def work() -> None:
        try:
            result.append(function())
        # Carried to the caller: an error left in a thread is printed, and the
        # caller would miss the result.
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        _hung.add(path)
        raise HungMediaError(
            path, f'lets a decoder hang: no answer within '
            f'{seconds:g} s')
    if errors:
        raise errors[0]
    return result[0]
