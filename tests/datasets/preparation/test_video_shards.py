"""Videos are packed into shards unchanged, every video once."""
import errno
import os
import tarfile
from pathlib import Path
from typing import Any, Dict

import pytest

from mmvideomamba.datasets.captions.shard_records import ShardRecords
from mmvideomamba.datasets.preparation import video_shards, write_video_shards
from mmvideomamba.datasets.transforms.decode import video_path

NAMES = ('a.mp4', 'a.avi', 'run/a.b.MP4', 'run/ä.mp4', '.h/%2E.mp4',
         'x' * 120 + '.mp4', 'v.1/c', 'd.mp4', 'e.mp4')
LIMIT = 16_000  # four or so samples


def content(number: int) -> bytes:
    return bytes([number]) * (100 * number)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a list of 9 files, none of them a video."""
    lines = []
    for number, name in enumerate(NAMES):
        path = tmp_path / 'in' / video_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(number))
        os.utime(path, ns=(0, 0))
        lines.append(f'{name},{number}\n')
    (tmp_path / 'train.txt').write_text(''.join(lines))
    return tmp_path


def write(folder: Path, **options: Any) -> video_shards.ShardSet:
    options = dict(dict(delimiter=',', shard_bytes=LIMIT), **options)
    return write_video_shards(folder / 'train.txt', folder / 'in',
                              folder / 'out', **options)


def read(folder: Path) -> Dict[str, bytes]:
    """Return the media by the labels, as the caption sets read them."""
    records = ShardRecords(str(folder / 'out' / 'train-*.tar'))
    assert not records.faults
    found = [records[i] for i in range(len(records))]
    assert len({r.captions[0] for r in found}) == len(found)
    return {r.captions[0]: r.content for r in found}


def states(folder: Path) -> Dict[str, tuple]:
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in (folder / 'out').iterdir()
    }


def test_all_come_back(folder: Path) -> None:
    found = write(folder)
    assert found.videos == 9 and found.kept == 0 and len(found.shards) > 1
    assert read(folder) == {str(i): content(i) for i in range(9)}
    lines = found.ann_file.read_text().splitlines()
    assert sorted(line.split(',')[1] for line in lines) == list('012345678')
    for line in lines:
        shard, member = line.split(',')[0].split('/', 1)
        with tarfile.open(folder / 'out' / shard) as file:
            info = file.getmember(member[:-4] + '.txt')
            label = file.extractfile(info)
            assert label is not None
            assert label.read().decode() == line.split(',')[1]
            assert not file.pax_headers
    assert all(path.stat().st_size <= LIMIT for path in found.shards)
    assert {x.name
            for x in (folder / 'out').iterdir()} == {
                'train.txt', 'train.counts.json',
                *(x.name for x in found.shards)
            }


def test_order(folder: Path) -> None:

    def order(**options: Any) -> list:
        text = write(folder, overwrite=True, **options).ann_file.read_text()
        return [line.split(',')[1] for line in text.splitlines()]

    listed = list('012345678')
    assert order(seed=None) == listed
    first = order()
    assert first == order() != listed and order(seed=1) != first


def test_webdataset_reads_them(folder: Path) -> None:
    webdataset = pytest.importorskip('webdataset')
    paths = list(map(str, write(folder).shards))
    found = list(webdataset.WebDataset(paths, shardshuffle=False))
    assert len(found) == 9
    for sample in found:
        media = [v for k, v in sample.items() if k in ('mp4', 'avi')]
        assert media == [content(int(sample['txt']))]


def test_larger_than_a_shard(folder: Path) -> None:
    assert len(write(folder, shard_bytes=1).shards) == 9
    assert len(read(folder)) == 9


class Stop(Exception):
    """Stands for the end of a process."""


def test_goes_on_behind_finished_shards(folder: Path, monkeypatch) -> None:
    add, calls = video_shards._add, []

    def stop(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 6:
            raise Stop
        add(*args)

    monkeypatch.setattr(video_shards, '_add', stop)
    with pytest.raises(Stop):
        write(folder)
    before = states(folder)
    assert before and all(name.endswith('.tar') for name in before)
    # Left by a killed process.
    draft = folder / 'out' / f'train-{len(before):06d}.tar.unfinished'
    draft.write_bytes(b'half')
    monkeypatch.undo()
    assert write(folder).kept == len(before)
    after = states(folder)
    assert {name: after[name] for name in before} == before
    assert len(read(folder)) == 9 and draft.name not in after
    assert write(folder).kept == len(list((folder / 'out').glob('*.tar')))
    assert states(folder).keys() == after.keys()


def test_full_disk(folder: Path, monkeypatch) -> None:
    add = video_shards._add

    def full(tar: Any, one: Any) -> None:
        if one.video.columns == ('8', ):
            raise OSError(errno.ENOSPC, 'No space left on device')
        add(tar, one)

    monkeypatch.setattr(video_shards, '_add', full)
    with pytest.raises(OSError, match='out is full; free space.*run again'):
        write(folder)
    assert not list((folder / 'out').glob('*.unfinished'))
    assert not (folder / 'out' / 'train.txt').exists()
    monkeypatch.undo()
    write(folder)
    assert len(read(folder)) == 9


def test_cut_shard_is_written_anew(folder: Path, caplog) -> None:
    shards = write(folder).shards
    whole = shards[0].read_bytes()
    shards[0].write_bytes(whole[:2000])
    assert write(folder).kept == len(shards) - 1
    assert shards[0].read_bytes() == whole


def test_changed_video_is_packed_anew(folder: Path) -> None:
    shards = write(folder).shards
    (folder / 'in' / 'a.avi').write_bytes(b'B' * 100)
    state = shards[0].stat()
    os.utime(folder / 'in' / 'a.avi', ns=(0, state.st_mtime_ns + 10**9))
    write(folder)
    assert read(folder)['1'] == b'B' * 100


def test_other_content_is_not_replaced(folder: Path) -> None:
    shards = write(folder).shards
    before = states(folder)
    with pytest.raises(FileExistsError, match='train.txt lists other videos'):
        write(folder, seed=5)
    (folder / 'out' / 'train.txt').unlink()
    with pytest.raises(FileExistsError, match='holds another sample'):
        write(folder, seed=5)
    with pytest.raises(FileExistsError, match='shards more than the 1 of'):
        write(folder, shard_bytes=10**6)
    after = states(folder)
    assert all(after[x.name] == before[x.name] for x in shards)
    found = write(folder, shard_bytes=10**6, overwrite=True)
    assert len(found.shards) == 1 and len(read(folder)) == 9
    assert not shards[1].exists()


def test_video_that_changes_meanwhile(folder: Path, monkeypatch) -> None:
    add = video_shards._add

    def grow(tar: Any, one: Any) -> None:
        with open(one.video.path, 'ab') as file:
            file.write(b'more')
        add(tar, one)

    monkeypatch.setattr(video_shards, '_add', grow)
    with pytest.raises(ValueError, match='changed while it was packed'):
        write(folder)
    assert not states(folder)


@pytest.mark.parametrize('options, fault', [
    (dict(shard_bytes=0), 'shard_bytes must be at least 1'),
    (dict(out='.'), 'would replace'),
])
def test_refused(folder: Path, options: dict, fault: str) -> None:
    out = folder / options.pop('out', 'out')
    with pytest.raises(ValueError, match=fault):
        write_video_shards(folder / 'train.txt', folder / 'in', out, ',',
                           **options)
