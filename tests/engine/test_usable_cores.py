import os
from pathlib import Path
from typing import Any

import pytest

from mmvideomamba.engine.usable_cores import usable_cores


@pytest.fixture(autouse=True)
def sixteen(monkeypatch: Any) -> None:
    monkeypatch.setattr(
        os, 'sched_getaffinity', lambda _: set(range(16)), raising=False)
    monkeypatch.delenv('LOCAL_WORLD_SIZE', raising=False)


def test_affinity(tmp_path: Path, monkeypatch: Any) -> None:
    assert usable_cores(str(tmp_path)) == 16
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '4')
    assert usable_cores(str(tmp_path)) == 4
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '64')
    assert usable_cores(str(tmp_path)) == 1
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '')
    monkeypatch.delattr(os, 'sched_getaffinity')
    monkeypatch.setattr(os, 'cpu_count', lambda: None)
    assert usable_cores(str(tmp_path)) == 1


@pytest.mark.parametrize('own, parent, root, cores', [
    ('max 100000', 'max 100000', 'max 100000', 16),
    ('350000 100000', 'max 100000', 'max 100000', 3),
    ('max 100000', '200000 100000', 'max 100000', 2),
    ('max 100000', 'max 100000', '50000 100000', 1),
])
def test_limits_of_version_2(tmp_path: Path, own: str, parent: str, root: str,
                             cores: int) -> None:
    for folder, text in (('job/step', own), ('job', parent), ('', root)):
        place = tmp_path / 'sys/fs/cgroup' / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / 'cpu.max').write_text(text + '\n')
    (tmp_path / 'proc/self').mkdir(parents=True)
    (tmp_path / 'proc/self/cgroup').write_text('0::/job/step\n')
    assert usable_cores(str(tmp_path)) == cores


@pytest.mark.parametrize('quota, cores', [('-1', 16), ('600000', 6)])
def test_limits_of_version_1(tmp_path: Path, quota: str, cores: int) -> None:
    place = tmp_path / 'sys/fs/cgroup/cpu'
    place.mkdir(parents=True)
    (place / 'cpu.cfs_quota_us').write_text(quota)
    (place / 'cpu.cfs_period_us').write_text('100000')
    assert usable_cores(str(tmp_path)) == cores
