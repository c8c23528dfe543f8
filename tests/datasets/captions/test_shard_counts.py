"""Counts of shards are kept as long as the shards do not change."""
import errno
import json
import os
from pathlib import Path
from typing import List

import pytest
from tar_shards import pairs, write_members, write_shard

from mmvideomamba.datasets.captions import shard_counts
from mmvideomamba.datasets.captions.shard_counts import (CountFile, ShardCount,
                                                         count_samples,
                                                         find_shards)
from mmvideomamba.datasets.captions.tar_shard import ShardCutError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write two shards of three pairs each."""
    for number in range(2):
        write_shard(tmp_path / f'a-{number}.tar', pairs(1, 2, 3))
    return tmp_path


def test_only_what_changed_is_counted(folder: Path, mm_log) -> None:
    counted: List[str] = []
    kept = folder / 'counts.json'

    def count(path: str) -> ShardCount:
        counted.append(os.path.basename(path))
        return count_samples(path, False)

    def read() -> int:
        counted.clear()
        mm_log.clear()
        found = CountFile(str(kept)).update(
            find_shards(str(folder / 'a-*.tar'))[0], count)
        return sum(one.samples for one in found)

    assert read() == 6 and len(counted) == 2
    assert read() == 6 and not counted and not mm_log
    state = os.stat(folder / 'a-1.tar')
    assert json.loads(kept.read_text())['a-1.tar'] == dict(
        samples=3, bytes=state.st_size, mtime=state.st_mtime_ns)
    write_shard(folder / 'a-2.tar', pairs(1, 2))
    write_shard(folder / 'a-0.tar', pairs(*range(60)))
    assert read() == 65 and sorted(counted) == ['a-0.tar', 'a-2.tar']
    assert '1 shards are new and 1 have changed since' in mm_log[0]
    # The size is the same: tar files are filled up to 10 KiB.
    write_shard(folder / 'a-2.tar', pairs(1))
    os.utime(folder / 'a-2.tar', ns=(0, 1))
    assert os.path.getsize(folder / 'a-2.tar') == os.path.getsize(folder /
                                                                  'a-1.tar')
    assert read() == 64 and counted == ['a-2.tar']
    assert [p.name for p in folder.glob('counts*')] == ['counts.json']


def test_counting_is_kept_on_the_way(folder: Path, monkeypatch) -> None:
    """An interrupted start does not count from the beginning again."""
    monkeypatch.setattr(shard_counts, 'KEEP_SECONDS', -1)
    monkeypatch.setattr(shard_counts, 'SCANNERS', 1)

    def count(path: str) -> ShardCount:
        if path.endswith('a-1.tar'):
            raise ShardCutError(path)
        return count_samples(path, False)

    with pytest.raises(ShardCutError):
        CountFile(str(folder / 'n.json')).update(
            find_shards(str(folder / '*.tar'))[0], count)
    assert list(json.loads((folder / 'n.json').read_text())) == ['a-0.tar']


def test_faults_are_kept(folder: Path) -> None:
    write_members(folder / 'a-0.tar', ['0.png', '0.txt', '1.png', '2.txt'])
    shards = find_shards(str(folder / 'a-0.tar'))[0]
    for count in (lambda path: count_samples(path, False), None):
        found, = CountFile(str(folder / 'n.json')).update(shards, count)
        assert found.samples == 3 and len(found.faults) == 2
        assert "a-0.tar: sample '1' has the parts ['.png']" in found.faults[0]


def test_shards_that_are_gone(folder: Path) -> None:
    """Missing shards of other patterns are not reported."""
    (folder / 'n.json').write_text(
        json.dumps({
            name: dict(samples=1, bytes=1)
            for name in ('a-0.tar', 'a-7.tar', 'b-7.tar', 'c/a-7.tar')
        }))
    counts = CountFile(str(folder / 'n.json'))
    shards, broken = find_shards(str(folder / 'a-*.tar'))
    assert counts.gone(str(folder / 'a-*.tar'), shards) == ['a-7.tar']
    assert counts.gone(str(folder / '*' / 'a-[0-9].tar'), []) == ['c/a-7.tar']
    (folder / 'a-8.tar').symlink_to('nowhere')
    assert find_shards(str(folder / 'a-*.tar')) == (shards,
                                                    [str(folder / 'a-8.tar')])


def test_pipe_is_refused(folder: Path) -> None:
    os.mkfifo(folder / 'a-9.tar')
    with pytest.raises(ValueError, match='a-9.tar is not a regular file'):
        find_shards(str(folder / '*.tar'))


@pytest.mark.parametrize(
    'content',
    ['', '[]', '{"a-0.tar": 3}', '{"a-0.tar": {"samples": -1, "bytes": 1}}'])
def test_bad_counts(folder: Path, content: str) -> None:
    (folder / 'c.json').write_text(content)
    with pytest.raises(ValueError, match=r'count_file .*c.json .*delete it'):
        CountFile(str(folder / 'c.json'))


def test_folder_of_counts_is_there_before_the_counting(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match='count_file .*make it'):
        CountFile(str(folder / 'none' / 'counts.json'))


@pytest.mark.parametrize('code, kept', [(errno.EROFS, True),
                                        (errno.ENOSPC, False)])
def test_count_file_that_cannot_be_written(tmp_path: Path, monkeypatch,
                                           code: int, kept: bool) -> None:
    """A folder for reading alone costs time at each start, no more."""
    write_shard(tmp_path / 'a.tar', pairs(0))

    def refuse(*args: object) -> None:
        raise OSError(code, 'refused')

    monkeypatch.setattr(os, 'replace', refuse)
    counts = CountFile(str(tmp_path / 'n.json'))
    shards = [str(tmp_path / 'a.tar')]
    if kept:
        found = counts.update(shards, lambda x: count_samples(x, False))
        assert [one.samples for one in found] == [1]
    else:
        with pytest.raises(OSError, match='refused'):
            counts.update(shards, lambda x: count_samples(x, False))


def test_listed_shards_keep_their_order(tmp_path: Path) -> None:
    for name in 'ab':
        write_shard(tmp_path / f'{name}.tar', pairs(0))
    paths = [str(tmp_path / name) for name in ('b.tar', 'c.tar', 'a.tar')]
    assert find_shards(paths) == ([paths[0], paths[2]], [paths[1]])
