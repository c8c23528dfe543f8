"""Free memory is the smaller of the machine's and the job's."""
from pathlib import Path

import pytest

from mmvideomamba import free_memory

GIB = 2**30


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def root(tmp_path: Path, monkeypatch) -> Path:
    """Return a folder in place of the root, of a machine with 8 GiB free."""
    monkeypatch.setattr(free_memory, 'ROOT', tmp_path)
    write(tmp_path / 'proc/meminfo',
          f'MemTotal: 9 kB\nMemAvailable: {8 * 2**20} kB\n')
    return tmp_path


def test_machine(root: Path) -> None:
    assert free_memory.free_bytes('cpu') == 8 * GIB


def test_tightest_limit_of_a_job(root: Path) -> None:
    """The job's limit counts, the step has none; cached files are free."""
    write(root / 'proc/self/cgroup', '0::/job/step\n')
    for group, limit in (('job', 5 * GIB), ('job/step', 'max')):
        folder = root / 'sys/fs/cgroup' / group
        write(folder / 'memory.max', f'{limit}\n')
        write(folder / 'memory.current', f'{4 * GIB}\n')
        write(folder / 'memory.stat', f'anon 9\nfile {2 * GIB}\nshmem 0\n')
    assert free_memory.free_bytes('cpu') == 3 * GIB


def test_nobody_tells(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(free_memory, 'ROOT', tmp_path)
    assert free_memory.free_bytes('cpu') is None
    assert free_memory.free_bytes('meta') is None
    assert (free_memory.free_bytes('disk') or 0) > 0


@pytest.mark.parametrize('told, gpus, world, local', [
    ('4', 8, 16, 4),
    ('', 8, 16, 8),
    ('', 8, 2, 2),
    ('', 0, 3, 1),
])
def test_processes_per_node(monkeypatch, told: str, gpus: int, world: int,
                            local: int) -> None:
    monkeypatch.setenv('LOCAL_WORLD_SIZE', told)
    monkeypatch.setattr('torch.cuda.device_count', lambda: gpus)
    assert free_memory.processes_per_node(world) == local
