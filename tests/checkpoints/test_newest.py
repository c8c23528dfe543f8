"""The newest complete checkpoint is found, with or without its name."""
import os
import shutil
from pathlib import Path
from typing import Any, Optional

import pytest
import torch

from mmvideomamba.checkpoints.newest import newest_checkpoint


def save(folder: Path, name: str, iterations: Optional[int], time: int,
         **kwargs: Any) -> Path:
    """Save a checkpoint of a number of iterations at a time in seconds."""
    path = folder / name
    content = dict(state_dict=dict(a=torch.arange(100.)))
    if iterations is not None:
        content['meta'] = dict(iter=iterations)
    torch.save(content, path, **kwargs)
    os.utime(path, (time, time))
    return path


def name_last(folder: Path, path: Any, time: int) -> None:
    (folder / 'last_checkpoint').write_text(str(path))
    os.utime(folder / 'last_checkpoint', (time, time))


def tear(path: Path) -> Path:
    time = path.stat().st_mtime
    path.write_bytes(path.read_bytes()[:-50])
    os.utime(path, (time, time))
    return path


def test_nothing(tmp_path: Path) -> None:
    (tmp_path / 'best_acc_epoch_3.pth').touch()
    (tmp_path / 'epoch_3.pth.unfinished').touch()
    (tmp_path / 'epoch_x.pth').touch()
    (tmp_path / 'last_checkpoint').touch()
    found = newest_checkpoint(tmp_path)
    assert (found.path, found.passed_over) == (None, ())


def test_named_by_last_checkpoint(tmp_path: Path) -> None:
    """Older files of more iterations are of an earlier training."""
    save(tmp_path, 'epoch_9.pth', 90, 1)
    named = save(tmp_path, 'epoch_2.pth', 20, 2)
    name_last(tmp_path, named, 3)
    assert newest_checkpoint(tmp_path).path == named


def test_killed_before_last_checkpoint(tmp_path: Path) -> None:
    name_last(tmp_path, save(tmp_path, 'epoch_2.pth', 20, 1), 2)
    newer = save(tmp_path, 'epoch_3.pth', 30, 3)
    assert newest_checkpoint(tmp_path).path == newer


def test_later_file_of_fewer_iterations(tmp_path: Path) -> None:
    named = save(tmp_path, 'epoch_2.pth', 20, 1)
    name_last(tmp_path, named, 2)
    save(tmp_path, 'epoch_1.pth', 10, 3)
    save(tmp_path, 'iter_20.pth', 20, 3)
    save(tmp_path, 'iter_50.pth', None, 3)
    assert newest_checkpoint(tmp_path).path == named


@pytest.mark.parametrize('name', ['epoch_10.pth', 'iter_101.pth'])
def test_without_last_checkpoint(tmp_path: Path, name: str) -> None:
    """Numbers are compared as numbers, not as text or by time of copying."""
    save(tmp_path, 'epoch_9.pth', 90, 5)
    save(tmp_path, 'epoch_10.pth', 100, 4)
    if name.startswith('iter'):
        save(tmp_path, name, 101, 3)
    assert newest_checkpoint(tmp_path).path == tmp_path / name


def test_torn_files_are_passed_over(tmp_path: Path) -> None:
    whole = save(tmp_path, 'epoch_1.pth', 10, 1)
    torn = tear(save(tmp_path, 'epoch_2.pth', 20, 2))
    named = tear(save(tmp_path, 'epoch_3.pth', 30, 3))
    name_last(tmp_path, named, 4)
    found = newest_checkpoint(tmp_path)
    assert found.path == whole
    first, second = found.passed_over
    assert f'{named} is cut off' in first and 'last_checkpoint' in first
    assert f'{torn} is cut off' in second
    assert 'download' not in first + second


def test_changed_byte_counts_as_torn(tmp_path: Path) -> None:
    whole = save(tmp_path, 'epoch_1.pth', 10, 1)
    changed = save(tmp_path, 'epoch_2.pth', 20, 2)
    content = bytearray(changed.read_bytes())
    place = content.index(torch.arange(100.).numpy().tobytes()) + 7
    content[place] ^= 1
    changed.write_bytes(content)
    found = newest_checkpoint(tmp_path)
    assert found.path == whole
    assert 'is damaged' in found.passed_over[0]
    assert 'anew' not in found.passed_over[0]


@pytest.mark.parametrize('start', [b'PK\x01\x02', b'PK\x05\x06'])
def test_zeros_in_the_directory(tmp_path: Path, start: bytes) -> None:
    """A power cut leaves zeros anywhere in a file."""
    whole = save(tmp_path, 'epoch_1.pth', 10, 1)
    torn = save(tmp_path, 'epoch_2.pth', 20, 2)
    content = bytearray(torn.read_bytes())
    place = content.rindex(start)
    content[place:place + 16] = bytes(16)
    torn.write_bytes(content)
    name_last(tmp_path, torn, 3)
    found = newest_checkpoint(tmp_path)
    assert found.path == whole
    assert 'epoch_2.pth is ' in found.passed_over[0]


def test_zeros_in_all_records(tmp_path: Path) -> None:
    """A file with every record zeroed counts as torn."""
    whole = save(tmp_path, 'epoch_1.pth', 10, 1)
    torn = save(tmp_path, 'epoch_2.pth', 20, 2)
    content = bytearray(torn.read_bytes())
    end = content.index(b'PK\x01\x02')
    content[4:end] = bytes(end - 4)
    torn.write_bytes(content)
    assert newest_checkpoint(tmp_path).path == whole


def test_record_with_the_name_of_another(tmp_path: Path) -> None:
    """zipfile finds a record of two entries, torch misses the other."""
    whole = save(tmp_path, 'epoch_1.pth', 10, 1)
    torn = save(tmp_path, 'epoch_2.pth', 20, 2)
    content = torn.read_bytes()
    before, entries = content[:-900], content[-900:]
    assert b'epoch_2/byteorder' in entries
    torn.write_bytes(before + entries.replace(b'/data/0', b'/data/9'))
    found = newest_checkpoint(tmp_path)
    assert found.path == whole


@pytest.mark.parametrize('name', [b'\xff\xfe\x80', b'x' * 5000, b'\0' * 40])
def test_name_that_cannot_be(tmp_path: Path, name: bytes) -> None:
    whole = save(tmp_path, 'epoch_1.pth', 10, 1)
    (tmp_path / 'last_checkpoint').write_bytes(name)
    os.utime(whole)
    assert newest_checkpoint(tmp_path).path == whole


def test_torn_later_file(tmp_path: Path) -> None:
    named = save(tmp_path, 'epoch_1.pth', 10, 1)
    name_last(tmp_path, named, 2)
    tear(save(tmp_path, 'epoch_2.pth', 20, 3))
    found = newest_checkpoint(tmp_path)
    assert found.path == named
    assert len(found.passed_over) == 1


def test_missing_named_file(tmp_path: Path) -> None:
    name_last(tmp_path, tmp_path / 'epoch_2.pth', 2)
    found = newest_checkpoint(tmp_path)
    assert found.path is None
    assert 'epoch_2.pth does not exist' in found.passed_over[0]
    whole = save(tmp_path, 'epoch_1.pth', 10, 1)
    assert newest_checkpoint(tmp_path).path == whole


@pytest.mark.parametrize('copied', [False, True])
def test_moved_folder(tmp_path: Path, copied: bool) -> None:
    """Files next to ``last_checkpoint`` count, not the paths in the file."""
    old, new = tmp_path / 'old', tmp_path / 'new'
    old.mkdir()
    name_last(old, save(old, 'epoch_2.pth', 20, 1), 2)
    if copied:
        shutil.copytree(old, new)
    else:
        old.rename(new)
    assert newest_checkpoint(new).path == new / 'epoch_2.pth'


def test_folder_and_template_of_the_checkpoints(tmp_path: Path) -> None:
    other = tmp_path / 'other'
    other.mkdir()
    path = save(other, 'run-0012-a.pkl', 12, 1)
    save(other, 'run-0007-a.pkl', 7, 2)
    found = newest_checkpoint(tmp_path, other, ['run-{:04d}-a.pkl'])
    assert found.path == path
    name_last(tmp_path, path, 2)
    assert newest_checkpoint(tmp_path).path == path


def test_file_before_torch_1_6(tmp_path: Path) -> None:
    path = save(
        tmp_path, 'epoch_1.pth', 10, 1, _use_new_zipfile_serialization=False)
    assert newest_checkpoint(tmp_path).path == path
    tear(path)
    assert newest_checkpoint(tmp_path).path is None
