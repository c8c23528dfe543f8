"""The hook for a vector library in place of exact search."""
import importlib
import os
import shutil
import sys
import tempfile
import weakref
from pathlib import Path
from typing import Any, Optional, Protocol, Tuple

import numpy as np

from mmvideomamba.atomic_file import DRAFT
from .exact_search import ExactSearcher

FOLDER = 'searchers'
EXACT = 'exact'


class Searcher(Protocol):
    """Finds the nearest vectors; made without arguments."""

    def build(self, vectors: np.ndarray, folder: Optional[Path]) -> None:
        """Get ready.

        Args:
            vectors (np.ndarray): Unit vectors, (n, c), n > 0, float32 or
                float16, read-only, mapped from the disk.
            folder (Path, optional): Place for files made from exactly these
                vectors; holds the files of an earlier build, or is empty.
                ``ExactSearcher`` gets None.
        """

    def search(self, queries: np.ndarray,
               topk: int) -> Tuple[np.ndarray, np.ndarray]:
        """Find the best rows.

        Args:
            queries (np.ndarray): Unit vectors, (q, c), float32.
            topk (int): Rows for each query, at most n.

        Returns:
            tuple[np.ndarray, np.ndarray]: Cosines and numbers of the rows,
            both (q, topk), the best first; number -1 for none.
        """


def load_searcher(name: str) -> Searcher:
    """Make a searcher.

    Args:
        name (str): 'exact', or 'package.module:Class'.

    Returns:
        Searcher: Not built yet.

    Raises:
        ValueError: If the name leads to no class with both methods.
    """
    if name == EXACT:
        return ExactSearcher()
    module_name, _, class_name = name.partition(':')
    if not module_name or not class_name:
        raise ValueError(f'searcher must be {EXACT!r} or '
                         f"'package.module:Class', but is {name!r}")
    sys.path.insert(0, os.getcwd())  # as python -m does
    try:
        found: Any = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f'searcher {name!r} cannot be loaded: '
                         f'{error}') from error
    finally:
        sys.path.remove(os.getcwd())
    if not all(callable(getattr(found, m, None)) for m in ('build', 'search')):
        raise ValueError(f'searcher {name!r} lacks the method build or '
                         'search; see docs/search.md')
    return found()


def _kept_folder(index: Path, name: str, state: str) -> Path:
    """Return the folder of a searcher for a state of the index."""
    return index / FOLDER / name.replace(':', '.') / state


def build_searcher(name: str, vectors: np.ndarray, index: Path,
                   state: str) -> Searcher:
    """Make a searcher and let the searcher build.

    Files of a searcher are kept in the index. A killed build leaves a draft,
    and the next build begins anew.

    Args:
        name (str): See ``load_searcher``.
        vectors (np.ndarray): See ``Searcher.build``.
        index (Path): Folder of the index.
        state (str): Name of the state of the vectors.

    Returns:
        Searcher: Built.

    Raises:
        ValueError: See ``load_searcher``.
    """
    searcher = load_searcher(name)
    if name == EXACT or not len(vectors):
        searcher = ExactSearcher() if not len(vectors) else searcher
        searcher.build(vectors, None)
        return searcher
    folder = _kept_folder(index, name, state)
    if folder.is_dir():
        searcher.build(vectors, folder)
        return searcher
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = tempfile.mkdtemp(DRAFT, state, folder.parent)
    except OSError:  # a read-only index
        draft = tempfile.mkdtemp()
        # A library may map the files for as long as the searcher lives.
        weakref.finalize(searcher, shutil.rmtree, draft, True)
        searcher.build(vectors, Path(draft))
        return searcher
    try:
        searcher.build(vectors, Path(draft))
        _put(Path(draft), folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return searcher


def _put(draft: Path, folder: Path) -> None:
    """Rename the folder of a build into place; remove older ones."""
    try:
        os.rename(draft, folder)
    except OSError:  # another process was faster
        shutil.rmtree(draft, ignore_errors=True)
        return
    # Drafts stay: another process may be building now.
    for other in folder.parent.iterdir():
        if other != folder and not other.name.endswith(DRAFT):
            shutil.rmtree(other, ignore_errors=True)


def remove_drafts(index: Path) -> None:
    """Remove leftovers of killed builds of searchers.

    Args:
        index (Path): Folder of the index, locked.
    """
    for draft in (index / FOLDER).glob(f'*/*{DRAFT}'):
        shutil.rmtree(draft, ignore_errors=True)
