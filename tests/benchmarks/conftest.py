"""Modules of the benchmarks, for tests."""
import sys
from pathlib import Path
from types import ModuleType
from typing import Callable, Iterator

import pytest
from mmengine.logging import MMLogger

BENCHMARKS = Path(__file__).parents[2] / 'benchmarks'


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Take the benchmarks' quiet logger away after a test."""
    before = dict(MMLogger._instance_dict)
    yield
    MMLogger._instance_dict.clear()
    MMLogger._instance_dict.update(before)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return a function to import a module of the benchmarks."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name: str) -> ModuleType:
        __import__(name)
        return sys.modules[name]

    return load
