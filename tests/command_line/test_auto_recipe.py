import argparse
import os
from pathlib import Path
from typing import Any, List

import pytest
from mmengine.config import Config

from mmvideomamba.analysis.training_memory import (STEPS,
                                                   estimate_training_memory,
                                                   step_memory, training_sizes)
from mmvideomamba.command_line import (auto_recipe, config, find_config,
                                       load_config)
from mmvideomamba.command_line.auto_recipe import (CLIPS, CPU_NEED, GIB,
                                                   GPU_NEEDS, MICRO, TINY,
                                                   pick_recipe)


@pytest.mark.parametrize('free, clips', [(139, 8), (3, 8), (2.9, 4), (2, 4),
                                         (1.5, 2), (1.3, 1), (None, 8)])
def test_gpu(free: Any, clips: int) -> None:
    bytes_free = None if free is None else int(free * GIB)
    pick = pick_recipe('cuda', bytes_free, 16)
    assert pick.recipe == TINY
    options = {
        'train_dataloader.batch_size': clips,
        'optim_wrapper.accumulative_counts': CLIPS // clips
    }
    assert pick.options == (options if clips < CLIPS else {})
    assert 'there is a GPU' in pick.reason
    assert ('fit at once' in pick.reason) == (clips < CLIPS)


def test_full_gpu() -> None:
    pick = pick_recipe('cuda', GIB, 4)
    assert (pick.recipe, pick.options) == (MICRO, {})
    assert '1.0 GiB are free' in pick.reason


@pytest.mark.parametrize('device', ['cpu', 'mps'])
@pytest.mark.parametrize('cores, words', [(1, '15 s a step on 1 core;'),
                                          (2, '8 s a step on 2 cores;'),
                                          (64, '8 s a step on 2 cores;')])
def test_no_gpu(device: str, cores: int, words: str) -> None:
    pick = pick_recipe(device, 64 * GIB, cores)
    assert (pick.recipe, pick.options) == (MICRO, {})
    assert words in pick.reason and TINY in pick.reason
    assert ('no GPU' in pick.reason) == (device == 'cpu')


@pytest.mark.parametrize('clips', GPU_NEEDS)
def test_needs_are_those_of_the_recipe(clips: int) -> None:
    cfg = Config.fromfile(find_config(TINY))
    assert cfg.train_dataloader.batch_size == CLIPS
    cfg.train_dataloader.batch_size = clips
    sizes = training_sizes(cfg)
    assert sizes is not None
    need = (step_memory(sizes, STEPS['cuda', 'float32']) or 0) / GIB
    assert need <= GPU_NEEDS[clips] <= 1.6 * need + 0.7
    if clips == CLIPS:
        cpu = (estimate_training_memory(cfg, 'cpu') or 0) / GIB
        assert cpu == pytest.approx(CPU_NEED, abs=0.3)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> List[str]:
    """Return the kind of the device, to be changed, in an empty folder."""
    kind = ['cpu']
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(auto_recipe, 'get_device', lambda: kind[0])
    monkeypatch.setattr(auto_recipe, 'free_bytes', lambda storage: 2 * GIB)
    monkeypatch.setattr(os, 'environ', dict(os.environ))
    return kind


def arguments(**changes: Any) -> argparse.Namespace:
    """Return the parsed arguments of a training."""
    values: dict = dict(
        config='auto', work_dir=None, launcher='none', local_rank=0)
    return argparse.Namespace(**dict(values, **changes))


def test_training(machine: List[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told: List[str] = []
    monkeypatch.setattr(auto_recipe, 'print_log',
                        lambda line, logger: told.append(line))
    cfg = load_config(arguments())
    assert cfg.work_dir == f'work_dirs/{MICRO}'
    assert told[0].startswith(f'config auto: {MICRO}, because')
    machine[0] = 'cuda'
    cfg = load_config(arguments())
    assert cfg.work_dir == f'work_dirs/{TINY}'
    assert cfg.train_dataloader.batch_size == 4
    assert cfg.optim_wrapper.accumulative_counts == 2


def keep_config(folder: Path, recipe: str) -> None:
    """Write a config as kept by the runner of a training."""
    text = "default_scope = 'mmaction'\nwork_dir = 'where/it/was'\n"
    (folder / f'{recipe}.py').write_text(text)


def test_test_follows_the_training(machine: List[str]) -> None:
    args = arguments(checkpoint='best')
    assert load_config(args).work_dir == f'work_dirs/{MICRO}'
    for recipe in (MICRO, TINY):
        folder = Path('work_dirs', recipe)
        folder.mkdir(parents=True)
        keep_config(folder, recipe)
    os.utime(Path('work_dirs', MICRO, f'{MICRO}.py'), (1, 1))
    assert load_config(args).work_dir == f'work_dirs/{TINY}'
    # A training takes no notice.
    assert load_config(arguments()).work_dir == f'work_dirs/{MICRO}'
    folder = Path('elsewhere')
    folder.mkdir()
    keep_config(folder, MICRO)
    args.work_dir = 'elsewhere'
    cfg = load_config(args)
    assert (Path(cfg.filename).stem, cfg.work_dir) == (MICRO, 'elsewhere')
    cfg = load_config(arguments(checkpoint='elsewhere'))
    assert (Path(cfg.filename).stem, cfg.work_dir) == (MICRO, 'elsewhere')


def test_working_folder_in_the_place_of_a_config(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='no config or working fol'):
        load_config(arguments(config=str(tmp_path / 'none')))
    with pytest.raises(FileNotFoundError, match='holds no config of a tr'):
        load_config(arguments(config=str(tmp_path)))
    (tmp_path / 'z.py').write_text('import os, sys')
    for recipe in (TINY, MICRO):
        keep_config(tmp_path, recipe)
    os.utime(tmp_path / f'{TINY}.py', (1, 1))
    cfg = load_config(arguments(config=str(tmp_path)))
    # The folder was moved after the training.
    assert (Path(cfg.filename).stem, cfg.work_dir) == (MICRO, str(tmp_path))
    cfg = load_config(arguments(config=str(tmp_path), work_dir='other'))
    assert cfg.work_dir == 'other'


def test_training_without_videos(machine: List[str]) -> None:
    with pytest.raises(ValueError, match='pass --data-root FOLDER'):
        load_config(arguments(data_root=None))
    load_config(arguments(data_root='videos'))
    Path('data/custom').mkdir(parents=True)
    load_config(arguments(data_root=None))


def test_several_processes(machine: List[str]) -> None:
    with pytest.raises(ValueError, match=f'--launcher is pytorch.*{TINY}'):
        load_config(arguments(launcher='pytorch'))


def test_a_config_of_the_name_wins(machine: List[str], tmp_path: Path,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'auto.py').write_text("default_scope = 'mmpretrain'")
    monkeypatch.setattr(config, 'CONFIGS', tmp_path)
    cfg = load_config(arguments())
    assert cfg.default_scope == 'mmpretrain'
    assert cfg.work_dir == 'work_dirs/auto'
