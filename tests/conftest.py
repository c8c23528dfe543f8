"""Settings of a test run; the fixtures are in tests/shared_fixtures.py."""
import gc
import os
from pathlib import Path
from typing import Dict, List

import pytest
from preloaded_python import ONE_THREAD, leave_configs_unformatted


def pytest_configure(config: pytest.Config) -> None:
    """Load the fixtures, or share the cores between workers.

    The process in charge of workers runs no test. Workers inherit the numbers
    of threads from the environment. No test asks the Hugging Face Hub.
    """
    os.environ.setdefault('HF_HUB_OFFLINE', '1')
    if getattr(config.option, 'numprocesses', None):
        for name, value in ONE_THREAD.items():
            os.environ.setdefault(name, value)
        return
    leave_configs_unformatted()
    config.pluginmanager.import_plugin('shared_fixtures')


def pytest_collection_modifyitems(config: pytest.Config,
                                  items: List[pytest.Item]) -> None:
    """Let workers begin with the files of slow tests.

    Workers take whole files in the order of the tests; short files at the end
    even out the loads.
    """
    if not hasattr(config, 'workerinput'):
        return
    minutes: Dict[Path, int] = {}
    for item in items:
        slow = item.get_closest_marker('slow')
        if slow is not None:
            minutes[item.path] = max(
                minutes.get(item.path, 0), slow.kwargs.get('minutes', 1))
    items.sort(key=lambda item: -minutes.get(item.path, 0))


def pytest_collection_finish() -> None:
    """Spare the modules in memory from each ``gc.collect`` of mmengine."""
    gc.collect()
    gc.freeze()
