from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from mmvideomamba.command_line import kept_checkpoint


def config(folder: Path, best: Any = 'mean_recall', **hook: Any) -> Config:
    hook.update(save_best=best)
    return Config(
        dict(work_dir=str(folder), default_hooks=dict(checkpoint=hook)))


def test_best(tmp_path: Path) -> None:
    for name in ('best_mean_recall_epoch_3.pth', 'best_t2v_mR_epoch_2.pth',
                 'epoch_4.pth'):
        torch.save({}, tmp_path / name)
    best = str(tmp_path / 'best_mean_recall_epoch_3.pth')
    assert kept_checkpoint('best', config(tmp_path)) == best
    assert kept_checkpoint('best', config(tmp_path, 't2v/mR')) == str(
        tmp_path / 'best_t2v_mR_epoch_2.pth')
    with pytest.raises(ValueError, match='several best .*recall.*, .*t2v'):
        kept_checkpoint('best', config(tmp_path, 'auto'))
    # The folder of the hook holds a folder for each training.
    run = config(Path('work', tmp_path.name), out_dir=str(tmp_path.parent))
    assert kept_checkpoint('best', run) == best


def save(path: Path, iterations: int) -> None:
    path.parent.mkdir(exist_ok=True)
    torch.save(dict(meta=dict(iter=iterations), state_dict={}), path)


@pytest.mark.parametrize('out_dir', [False, True])
def test_last_of_a_folder_that_was_moved(tmp_path: Path,
                                         out_dir: bool) -> None:
    """The file of another training, at the old place, is not taken."""
    old, new = tmp_path / 'old' / 'epoch_5.pth', tmp_path / 'new'
    for path in (old, new / 'epoch_4.pth', new / 'epoch_5.pth'):
        save(path, int(path.stem[-1]))
    work_dir = tmp_path / 'work' / 'new' if out_dir else new
    work_dir.mkdir(parents=True, exist_ok=True)
    (work_dir / 'last_checkpoint').write_text(str(old))
    hook = dict(out_dir=str(tmp_path)) if out_dir else {}
    assert kept_checkpoint('last', config(work_dir,
                                          **hook)) == str(new / 'epoch_5.pth')


def test_last_that_is_damaged(tmp_path: Path, mm_log) -> None:
    save(tmp_path / 'epoch_4.pth', 4)
    (tmp_path / 'epoch_5.pth').touch()
    (tmp_path / 'last_checkpoint').write_text('epoch_5.pth')
    assert kept_checkpoint('last',
                           config(tmp_path)) == str(tmp_path / 'epoch_4.pth')
    assert 'epoch_5.pth is empty' in ''.join(mm_log)
    (tmp_path / 'epoch_4.pth').unlink()
    with pytest.raises(FileNotFoundError, match='epoch_5.pth is empty'):
        kept_checkpoint('last', config(tmp_path))


def test_own_names(tmp_path: Path) -> None:
    save(tmp_path / 'mine_2.pth', 2)
    cfg = config(tmp_path, filename_tmpl='mine_{}.pth')
    assert kept_checkpoint('last', cfg) == str(tmp_path / 'mine_2.pth')


@pytest.mark.parametrize('word, match', [
    ('best', "no best_\\*.pth.*save_best=None.*'last'"),
    ('last', 'holds no last checkpoint; give'),
])
def test_nothing_kept(tmp_path: Path, word: str, match: str) -> None:
    with pytest.raises(FileNotFoundError, match=match):
        kept_checkpoint(word, config(tmp_path, None))


def test_paths_stay(tmp_path: Path, monkeypatch) -> None:
    assert kept_checkpoint('a/best.pth', config(tmp_path)) == 'a/best.pth'
    monkeypatch.chdir(tmp_path)
    Path('best').touch()
    assert kept_checkpoint('best', config(tmp_path)) == 'best'
