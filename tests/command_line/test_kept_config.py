"""The config of a training in its working folder."""
import os
from pathlib import Path

import pytest
from mmengine.config import Config

from mmvideomamba.command_line import kept_config, leave_kept_config


@pytest.fixture
def cfg(tmp_path: Path) -> Config:
    """Return the config of a test, changed by options."""
    (tmp_path / 'work').mkdir()
    path = tmp_path / 'tiny.py'
    path.write_text("model = 1\nwork_dir = 'work'\n")
    found = Config.fromfile(path)
    found.merge_from_dict(dict(model=2, work_dir=str(tmp_path / 'work')))
    return found


def dump(cfg: Config) -> None:
    """Write a config as a runner does."""
    cfg.dump(Path(cfg.work_dir, 'tiny.py'))


@pytest.mark.parametrize('fails', [False, True])
def test_a_test_leaves_the_config(cfg: Config, fails: bool) -> None:
    kept = Path(cfg.work_dir, 'tiny.py')
    kept.write_text('model = 1')
    before = kept.stat().st_mtime_ns
    try:
        with leave_kept_config(cfg):
            dump(cfg)
            assert kept.read_text() != 'model = 1'
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    assert kept.read_text() == 'model = 1'
    assert kept.stat().st_mtime_ns == before
    assert list(kept.parent.iterdir()) == [kept]


def test_without_a_training(cfg: Config) -> None:
    with leave_kept_config(cfg):
        dump(cfg)
    assert Path(cfg.work_dir, 'tiny.py').is_file()
    with leave_kept_config(Config(dict(work_dir=cfg.work_dir))):
        pass


def test_other_processes_write_nothing(cfg: Config, monkeypatch) -> None:
    kept = Path(cfg.work_dir, 'tiny.py')
    kept.write_text('model = 1')
    monkeypatch.setattr(kept_config, 'is_main_process', lambda: False)
    with leave_kept_config(cfg):
        kept.write_text('model = 3')  # by the main process
    assert kept.read_text() == 'model = 3'


def test_only_files_are_configs(cfg: Config) -> None:
    folder = Path(cfg.work_dir)
    (folder / 'folder.py').mkdir()
    assert kept_config.kept_configs(folder) == []
    dump(cfg)
    # As written with Config(format_python_code=False).
    (folder / 'tiny.py').write_text("work_dir='a'\n")
    assert kept_config.kept_config(folder) == str(folder / 'tiny.py')


def test_configs_of_host_tools(cfg: Config) -> None:
    """confusion_matrix of mmaction2 writes a later file, named by a time."""
    folder = Path(cfg.work_dir)
    tool = folder / '20260101_000000.py'
    tool.write_text("work_dir = 'a'")
    # A training from Python has such a name, too.
    assert kept_config.kept_config(folder) == str(tool)
    dump(cfg)
    os.utime(folder / 'tiny.py', (1, 1))
    assert kept_config.kept_config(folder) == str(folder / 'tiny.py')
