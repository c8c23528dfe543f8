"""Compiled kernels are kept on disk where possible, by several processes."""
import importlib
import os
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Callable

import pytest

numba = pytest.importorskip('numba')

from numba.core import caching  # noqa: E402

from mmvideomamba.ops.runtime import numba_cache  # noqa: E402

SOURCE = """
from mmvideomamba.ops.runtime.numba_cache import compiled

@compiled(nogil=True)
def add(x, y):
    return x + y
"""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list:
    """Return the logged texts."""
    texts: list = []
    monkeypatch.setattr(numba_cache, '_told', set())
    monkeypatch.setattr(numba_cache.logger, 'warning', texts.append)
    return texts


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Return a function to import the source anew."""
    (tmp_path / 'kernels_of_a_test.py').write_text(SOURCE)
    monkeypatch.setattr(numba.config, 'CACHE_DIR', '')
    (tmp_path / 'temporary').mkdir()
    monkeypatch.setattr(tempfile, 'gettempdir',
                        lambda: str(tmp_path / 'temporary'))

    monkeypatch.syspath_prepend(tmp_path)

    def load() -> Any:
        sys.modules.pop('kernels_of_a_test', None)
        return importlib.import_module('kernels_of_a_test').add

    return load


def read_only_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let neither source folder nor home folder be written."""
    for name in ('InTreeCacheLocator', 'UserWideCacheLocator'):
        locator = getattr(caching, name)
        monkeypatch.setattr(locator, 'from_function',
                            classmethod(lambda *_: None))


def hits(function: Any) -> int:
    return sum(function.stats.cache_hits.values())


def test_kept_beside_the_source(module: Callable, tmp_path: Path,
                                told: list) -> None:
    first = module()
    assert first(1, 2) == 3 and hits(first) == 0
    second = module()
    assert second(1, 2) == 3 and hits(second) == 1
    assert (tmp_path / '__pycache__' / numba_cache.LOCK).exists()
    assert told == []


def test_own_folder(module: Callable, tmp_path: Path, told: list,
                    monkeypatch: pytest.MonkeyPatch) -> None:
    read_only_package(monkeypatch)
    for expected in range(2):
        numba.config.CACHE_DIR = ''
        add = module()
        assert add(1, 2) == 3 and hits(add) == expected
    own = tmp_path / 'temporary' / f'mmvideomamba-numba-{os.getuid()}'
    assert list(own.rglob('*.nbi'))
    assert len(told) == 1 and str(own) in told[0]


def test_nowhere(module: Callable, tmp_path: Path, told: list,
                 monkeypatch: pytest.MonkeyPatch) -> None:
    read_only_package(monkeypatch)
    (tmp_path / 'temporary').rmdir()
    for _ in range(2):
        add = module()
        assert add(1, 2) == 3 and hits(add) == 0
    assert len(told) == 1 and 'each process compiles anew' in told[0]


def test_faulty_files(module: Callable, tmp_path: Path, told: list,
                      monkeypatch: pytest.MonkeyPatch) -> None:
    assert module()(1, 2) == 3
    for file in (tmp_path / '__pycache__').glob('*.nb[ic]'):
        file.write_bytes(file.read_bytes()[:5])
    assert module()(1, 2) == 3
    assert len(told) == 2 and 'cannot be read' in told[0]

    def full(*_: Any) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(caching.IndexDataCacheFile, 'save', full)
    assert module()(1., 2) == 3.
    assert 'No space left' in told[-1]


def call(load: Callable, barrier: Any, kind: type) -> None:
    add = load()
    barrier.wait()
    assert add(kind(1), kind(2)) == 3


def test_writers_at_once(module: Callable, told: list,
                         monkeypatch: pytest.MonkeyPatch) -> None:
    """Each signature is kept, and stands for itself."""
    read = caching.IndexDataCacheFile._load_index

    def read_slowly(self: Any) -> Any:
        """Leave the other process time to write in between."""
        index = read(self)
        time.sleep(0.1)
        return index

    monkeypatch.setattr(caching.IndexDataCacheFile, '_load_index', read_slowly)
    context = get_context('fork')
    barrier = context.Barrier(2)
    kinds = [int, float]
    processes = [
        context.Process(target=call, args=(module, barrier, kind))
        for kind in kinds
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    add = module()
    for kind in kinds:
        assert type(add(kind(1), kind(2))) is kind
    assert hits(add) == 2 and told == []
