from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmvideomamba.command_line import kept_checkpoint


def config(folder: Path, best: Any = 'mean_recall', **hook: Any) -> Config:
    hook.update(save_best=best)
    return Config(
        dict(work_dir=str(folder), default_hooks=dict(checkpoint=hook)))


def test_best(tmp_path: Path) -> None:
    for name in ('best_mean_recall_epoch_3.pth', 'best_t2v_mR_epoch_2.pth',
                 'epoch_4.pth'):
        (tmp_path / name).touch()
    best = str(tmp_path / 'best_mean_recall_epoch_3.pth')
    assert kept_checkpoint('best', config(tmp_path)) == best
    assert kept_checkpoint('best', config(tmp_path, 't2v/mR')) == str(
        tmp_path / 'best_t2v_mR_epoch_2.pth')
    with pytest.raises(ValueError, match='several best .*recall.*, .*t2v'):
        kept_checkpoint('best', config(tmp_path, 'auto'))
    # The folder of the hook holds a folder for each training.
    run = config(Path('work', tmp_path.name), out_dir=str(tmp_path.parent))
    assert kept_checkpoint('best', run) == best


def test_last(tmp_path: Path) -> None:
    (tmp_path / 'last_checkpoint').write_text('x/epoch_5.pth')
    assert kept_checkpoint('last', config(tmp_path)) == 'x/epoch_5.pth'


@pytest.mark.parametrize('word, match', [
    ('best', "no best_\\*.pth.*save_best=None.*'last'"),
    ('last', 'no last checkpoint'),
])
def test_nothing_kept(tmp_path: Path, word: str, match: str) -> None:
    with pytest.raises(FileNotFoundError, match=match):
        kept_checkpoint(word, config(tmp_path, None))


def test_paths_stay(tmp_path: Path, monkeypatch) -> None:
    assert kept_checkpoint('a/best.pth', config(tmp_path)) == 'a/best.pth'
    monkeypatch.chdir(tmp_path)
    Path('best').touch()
    assert kept_checkpoint('best', config(tmp_path)) == 'best'
