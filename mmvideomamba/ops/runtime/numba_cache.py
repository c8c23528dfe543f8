"""Compiled kernels on the disk: where, and safe for several processes.

numba keeps kernels next to the source, else in the user's cache folder, and
gives up if neither can be written. Kernels then go to a private folder below
the temporary one, or each process compiles anew. numba's index is not made
for two writers at once; a lock keeps processes apart.
"""
import importlib
import logging
import os
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any, Callable, Iterator

from numba import config, njit
from numba.core.caching import FunctionCache, NullCache

from .cache_folder import private_folder

fcntl: Any
try:
    fcntl = importlib.import_module('fcntl')
except ImportError:  # Windows
    fcntl = None

LOCK = 'mmvideomamba.lock'
logger = logging.getLogger(__name__)
_told: set = set()
# A folder without space or permission, a damaged index.
_UNUSABLE = (OSError, EOFError, UnpicklingError, ValueError, IndexError,
             KeyError, AttributeError, ImportError)


def _tell(text: str) -> None:
    """Log a text once."""
    if text not in _told:
        _told.add(text)
        logger.warning(text)


class LockedCache(FunctionCache):
    """numba's cache of a function, under a lock; faults cost a compilation."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load a compiled kernel; see numba's ``Cache``."""
        try:
            with self._lock():
                return super().load_overload(sig, target_context)
        except _UNUSABLE as error:
            _tell(f'the compiled kernels in {self.cache_path} cannot be read '
                  f'({error}); compiling anew')
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save a compiled kernel; see numba's ``Cache``."""
        try:
            self._impl.locator.ensure_cache_path()
            with self._lock():
                super().save_overload(sig, data)
        except _UNUSABLE as error:
            _tell(f'compiled kernels cannot be kept in {self.cache_path} '
                  f'({error}); each process compiles anew')

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep other processes out; without locks, or a folder, go on."""
        try:
            file = os.open(
                os.path.join(self.cache_path, LOCK), os.O_RDWR | os.O_CREAT,
                0o600)
        except OSError:
            yield
            return
        try:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX)
                except OSError:  # a file system without locks
                    pass
            yield
        finally:
            os.close(file)


def _cache_of(function: Callable) -> Any:
    """Return a cache in the first folder with permission to write."""
    try:
        return LockedCache(function)
    except (OSError, RuntimeError):
        folder = private_folder('numba')
    if folder is not None:
        setattr(config, 'CACHE_DIR', str(folder))
        try:
            cache = LockedCache(function)
            _tell(f'compiled kernels are kept in {folder}: neither the '
                  "package nor the user's cache folder can be written")
            return cache
        except (OSError, RuntimeError):
            pass
    _tell('compiled kernels cannot be kept: no folder can be written; each '
          'process compiles anew (NUMBA_CACHE_DIR names a folder)')
    return NullCache()


def compiled(**options: Any) -> Callable[[Callable], Any]:
    """Compile a function with numba at the first call, and keep the result.

    Args:
        **options (Any): Options of ``numba.njit``, without ``cache``.

    Returns:
        Callable: A decorator.
    """

    def decorate(function: Callable) -> Any:
        dispatcher = njit(**options)(function)
        # As by numba's own option ``cache``.
        dispatcher._cache = _cache_of(function)
        return dispatcher

    return decorate
