"""Configs are found by name and completed for the run."""
import argparse
import os
from pathlib import Path

import pytest
from mmengine.config import Config

from mmvideomamba.command_line import (CONFIGS, config, default_scope,
                                       find_config, load_config)

TINY = """
default_scope = 'mmaction'
env_cfg = dict(dist_cfg=dict(backend='nccl'))
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Write a config of few keys."""
    file = tmp_path / 'tiny.py'
    file.write_text(TINY)
    return str(file)


def test_path_and_plain_name(path: str, tmp_path: Path, monkeypatch) -> None:
    assert find_config(path) == path
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / 'video_tiny.py').touch()
    monkeypatch.setattr(config, 'CONFIGS', tmp_path)
    found = str(tmp_path / 'a' / 'video_tiny.py')
    assert find_config('video_tiny.py') == found
    assert find_config('video_tiny') == found
    with pytest.raises(FileNotFoundError, match='mean video_tiny'):
        find_config('video_tini.py')
    (tmp_path / 'video_tiny.py').touch()
    with pytest.raises(ValueError, match='several configs'):
        find_config('video_tiny')


def test_our_names_are_unique() -> None:
    recipes = [
        path.name for path in CONFIGS.rglob('*.py')
        if '_base_' not in path.parts
    ]
    assert sorted(recipes) == sorted(set(recipes))


def test_scope_is_a_host() -> None:
    with pytest.raises(ValueError, match='default_scope .* None'):
        default_scope(Config(dict(model=dict())))


def test_cpu_ranks_are_configured(path: str, monkeypatch) -> None:
    """dist_train.sh needs no change of the config on a CPU machine."""
    args = argparse.Namespace(
        config=path, launcher='pytorch', work_dir=None, local_rank=0)
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.setattr(config, 'get_device', lambda: 'cpu')
    cfg = load_config(args)
    assert cfg.env_cfg.dist_cfg.backend == 'gloo'
    assert cfg.model_wrapper_cfg.device_ids is None
    assert cfg.model_wrapper_cfg.find_unused_parameters is False
    with open(path, 'a') as file:
        file.write('\nfind_unused_parameters = True\n')
    found = load_config(args).model_wrapper_cfg
    assert found.find_unused_parameters is True
    assert cfg.work_dir == str(Path('work_dirs', 'tiny'))
    monkeypatch.setattr(config, 'get_device', lambda: 'cuda')
    cfg = load_config(args)
    assert cfg.env_cfg.dist_cfg.backend == 'nccl'
    assert 'model_wrapper_cfg' not in cfg


def test_tasks_of_slurm_on_a_cpu(path: str, monkeypatch) -> None:
    """mmengine's way would divide by the number of GPUs."""
    args = argparse.Namespace(
        config=path, launcher='slurm', work_dir=None, local_rank=0)
    for name, value in dict(
            SLURM_PROCID='3',
            SLURM_LOCALID='1',
            SLURM_NTASKS='4',
            SLURM_NODELIST='node7',
            MASTER_PORT='12345',
            LOCAL_RANK='0').items():
        monkeypatch.setenv(name, value)
    for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR'):
        monkeypatch.setenv(name, '')  # restored after the test
    monkeypatch.setattr(config, 'get_device', lambda: 'cpu')
    cfg = load_config(args)
    assert cfg.launcher == 'pytorch'
    assert cfg.env_cfg.dist_cfg.backend == 'gloo'
    assert os.environ['RANK'] == '3' and os.environ['LOCAL_RANK'] == '1'
    assert os.environ['MASTER_ADDR'] == 'node7'
    monkeypatch.setattr(config, 'get_device', lambda: 'cuda')
    assert load_config(args).launcher == 'slurm'
