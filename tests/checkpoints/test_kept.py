"""The best checkpoint of the newest training in a folder."""
from pathlib import Path
from typing import Any, Dict, Optional

import pytest
import torch

from mmvideomamba.checkpoints import find_source, locate
from mmvideomamba.checkpoints.kept import (checkpoint_in, find_best,
                                           is_training_folder, read_training)


def save(path: Path,
         second: int,
         best: Optional[Dict[str, str]] = None,
         iterations: int = 1,
         **info: Any) -> Path:
    """Save a checkpoint as mmengine does, of a second of some day."""
    path.parent.mkdir(exist_ok=True, parents=True)
    info.update({key: f'/gone/{name}' for key, name in (best or {}).items()})
    torch.save(
        dict(
            meta=dict(time=f'20260101_0000{second:02d}', iter=iterations),
            message_hub=dict(runtime_info=info),
            state_dict={}), path)
    return path


def name_last(path: Path) -> None:
    (path.parent / 'last_checkpoint').write_text(str(path))


A, B = 'best_acc_top1_epoch_3.pth', 'best_acc_top1_epoch_5.pth'


def test_the_best_of_a_training(tmp_path: Path, mm_log) -> None:
    best = save(tmp_path / A, 1, dict(best_ckpt=A), best_score=.5)
    name_last(save(tmp_path / 'epoch_4.pth', 2, dict(best_ckpt=A)))
    assert checkpoint_in(tmp_path) == best
    assert find_source(tmp_path) == locate(str(tmp_path)) == best
    assert f'{A}, the best of its training' in ''.join(mm_log)


@pytest.mark.parametrize('second', [False, True])
def test_two_trainings_in_a_folder(tmp_path: Path, second: bool,
                                   mm_log) -> None:
    """The file of the newest training wins over a higher number or score."""
    first = save(tmp_path / B, 1, dict(best_ckpt=B), best_score=.9)
    name_last(save(tmp_path / 'epoch_9.pth', 2, dict(best_ckpt=B), 90))
    newer = save(tmp_path / A, 3, dict(best_ckpt=A), best_score=.6)
    if second:
        name_last(save(tmp_path / 'epoch_4.pth', 4, dict(best_ckpt=A), 40))
    else:
        # Training ended before the first regular checkpoint: the best file is
        # the newest file.
        assert first.exists()
    assert checkpoint_in(tmp_path) == newer
    assert f'left aside: {B}' in ''.join(mm_log)


def test_a_second_training_without_a_best(tmp_path: Path, mm_log) -> None:
    save(tmp_path / A, 1, dict(best_ckpt=A))
    last = save(tmp_path / 'epoch_1.pth', 2)
    name_last(last)
    path, why = find_best(tmp_path)
    assert path is None and 'epoch_1.pth, has no best' in why and A in why
    assert checkpoint_in(tmp_path) == last
    log = ''.join(mm_log)
    assert 'epoch_1.pth, the last checkpoint; the newest training' in log


def test_several_figures(tmp_path: Path) -> None:
    """The first figure of the training is the default; others by name."""
    other = 'best_acc_mean1_epoch_2.pth'
    names = {'best_ckpt_acc/top1': A, 'best_ckpt_acc/mean1': other}
    save(tmp_path / other, 1, dict(names))
    save(tmp_path / A, 2, dict(names))
    assert find_best(tmp_path)[0] == tmp_path / A
    assert find_best(tmp_path, figure='acc/mean1')[0] == tmp_path / other
    path, why = find_best(tmp_path, figure='acc/top5')
    assert path is None and 'best_acc_top5_*.pth' in why


def test_a_training_by_another_figure_first(tmp_path: Path) -> None:
    """No file of the figure is of the newest training."""
    other = 'best_acc_mean1_epoch_9.pth'
    save(tmp_path / other, 1, dict(best_ckpt=other))
    save(tmp_path / A, 2, dict(best_ckpt=A))
    assert find_best(tmp_path)[0] == tmp_path / A
    path, why = find_best(tmp_path, figure='acc/mean1')
    assert path is None and f'names {A} as the best; of another' in why


def test_no_best_file(tmp_path: Path, mm_log) -> None:
    save(tmp_path / 'epoch_2.pth', 1, iterations=2)
    last = save(tmp_path / 'epoch_10.pth', 2, iterations=10)
    assert checkpoint_in(tmp_path) == last
    assert 'the last checkpoint; it holds no best_*.pth' in ''.join(mm_log)


def test_best_file_that_is_gone(tmp_path: Path) -> None:
    save(tmp_path / A, 1, dict(best_ckpt=A))
    last = save(tmp_path / 'epoch_6.pth', 2, dict(best_ckpt=B))
    path, why = find_best(tmp_path)
    assert path is None and f'names {B} as the best' in why
    assert checkpoint_in(tmp_path) == last


def test_best_files_alone(tmp_path: Path) -> None:
    """Regular checkpoints may be gone to save space."""
    save(tmp_path / B, 1, dict(best_ckpt=B))
    save(tmp_path / A, 2, dict(best_ckpt=A))
    (tmp_path / 'last_checkpoint').write_text('epoch_9.pth')
    assert checkpoint_in(tmp_path) == tmp_path / A


def test_files_in_a_folder_of_the_hook(tmp_path: Path) -> None:
    best = save(tmp_path / 'out' / A, 1, dict(best_ckpt=A))
    last = save(tmp_path / 'out' / 'epoch_4.pth', 2, dict(best_ckpt=A))
    work = tmp_path / 'work'
    work.mkdir()
    (work / 'last_checkpoint').write_text(str(last))
    assert checkpoint_in(work) == best


def test_damaged_files(tmp_path: Path, mm_log) -> None:
    (tmp_path / 'epoch_3.pth').touch()
    with pytest.raises(FileNotFoundError, match='epoch_3.pth is empty'):
        checkpoint_in(tmp_path)
    (tmp_path / A).touch()
    assert read_training(tmp_path / A) is None
    (tmp_path / B).touch()
    with pytest.raises(ValueError, match='no file tells which one'):
        checkpoint_in(tmp_path)


@pytest.mark.parametrize('length', [0, 500])
def test_damaged_best_file(tmp_path: Path, length: int) -> None:
    """A damaged best file is an error, never replaced by another model."""
    best = save(tmp_path / A, 3, {'best_ckpt': A})
    name_last(save(tmp_path / 'epoch_3.pth', 4, {'best_ckpt': A}))
    best.write_bytes(best.read_bytes()[:length])
    with pytest.raises(
            ValueError, match=f'{A} is (empty|cut off).*name another ch'):
        checkpoint_in(tmp_path)


def test_other_folders(tmp_path: Path) -> None:
    """Folders of models, and of published files, are none of a training."""
    assert not is_training_folder(tmp_path)
    assert not is_training_folder(tmp_path / 'missing')
    (tmp_path / 'videomamba_t16_k400_f8_res224.pth').touch()
    assert not is_training_folder(tmp_path)
    (tmp_path / 'epoch_1.pth').touch()
    assert is_training_folder(tmp_path)
    (tmp_path / 'config.json').write_text('{}')
    assert not is_training_folder(tmp_path)
    assert locate(tmp_path) == tmp_path
