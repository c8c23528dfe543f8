"""A task of SLURM finds its rank and the first node."""
import os
from pathlib import Path

import pytest

from mmvideomamba.command_line.slurm import slurm_ranks


@pytest.fixture(autouse=True)
def task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables of a task."""
    for name in ('MASTER_ADDR', 'MASTER_PORT', 'SLURM_STEP_NODELIST'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('SLURM_PROCID', '5')
    monkeypatch.setenv('SLURM_LOCALID', '1')
    monkeypatch.setenv('SLURM_NTASKS', '8')
    monkeypatch.setenv('SLURM_NODELIST', 'node[3-4]')


def write_scontrol(folder: Path, script: str,
                   monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a command first on the search path."""
    path = folder / 'scontrol'
    path.write_text(f'#!/bin/sh\n{script}\n')
    path.chmod(0o755)
    monkeypatch.setenv('PATH', f'{folder}:{os.environ["PATH"]}')


def test_first_of_several_nodes(tmp_path: Path,
                                monkeypatch: pytest.MonkeyPatch) -> None:
    write_scontrol(
        tmp_path, '[ "$*" = "show hostnames node[3-4]" ] && '
        'printf "node3\\nnode4\\n"', monkeypatch)
    assert slurm_ranks() == dict(
        RANK='5',
        LOCAL_RANK='1',
        WORLD_SIZE='8',
        MASTER_ADDR='node3',
        MASTER_PORT='29500')


def test_given_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MASTER_ADDR', '10.0.0.1')
    monkeypatch.setenv('MASTER_PORT', '7')
    found = slurm_ranks()
    assert (found['MASTER_ADDR'], found['MASTER_PORT']) == ('10.0.0.1', '7')


def test_nodes_of_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step may run on a part of the job's nodes."""
    monkeypatch.setenv('SLURM_STEP_NODELIST', 'node4')
    assert slurm_ranks()['MASTER_ADDR'] == 'node4'


def test_scontrol_fails(tmp_path: Path,
                        monkeypatch: pytest.MonkeyPatch) -> None:
    write_scontrol(tmp_path, 'echo down >&2; exit 1', monkeypatch)
    with pytest.raises(
            ValueError, match=r'no node of .node\[3-4\].*down.*MASTER_ADDR'):
        slurm_ranks()


def test_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('SLURM_LOCALID')
    with pytest.raises(ValueError, match='SLURM_LOCALID is not set.*srun'):
        slurm_ranks()
