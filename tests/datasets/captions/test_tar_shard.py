from pathlib import Path

import pytest
from tar_shards import cut_off, pairs, picture, write_members, write_shard

from mmvideomamba.datasets.captions.tar_shard import ShardCutError, TarShard


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """Write a shard of nine pairs, the grey of pair i is 5 + i."""
    write_shard(tmp_path / 'a-1.tar', pairs(*range(5, 14)))
    return tmp_path / 'a-1.tar'


def test_headers_are_read_as_far_as_needed(shard: Path) -> None:
    with TarShard(str(shard)) as opened:
        assert opened.reach(3) and opened.count == 4
        assert opened.reach(0) and opened.count == 4
        assert opened.place(2).name.endswith('a-1-002.png')
        assert opened.content(*opened.place(2).medium) == picture(7)
        assert not opened.reach(9) and opened.count == 9


def test_parts_of_a_sample(tmp_path: Path) -> None:
    """A text wins over a JSON caption; a name ends at the first dot."""
    path = tmp_path / 'p.tar'
    write_shard(path, [{
        '.json': b'{"caption": "json"}',
        '.txt': b'text',
        '.MP4': b'movie'
    }])
    with TarShard(str(path)) as opened:
        assert opened.read_on() and not opened.read_on()
        place = opened.place(0)
        assert not place.is_json and place.name.endswith('-000.mp4')
        assert opened.content(*place.caption) == b'text'
        assert opened.content(*place.medium) == b'movie'


@pytest.mark.parametrize('parts, match', [
    (['.png'], r"has the parts \['.png'\], not one medium and a caption"),
    (['.txt', '.json'], 'not one medium'),
    (['.txt', '.png', '.mp4'], 'not one medium'),
    (['.png', '.txt', '.TXT'], "has '.txt' twice"),
    (['.png', '.txt', '.png', '.txt'], "has '.png' twice"),
])
def test_bad_samples_keep_their_numbers(tmp_path: Path, parts: list,
                                        match: str) -> None:
    write_members(tmp_path / 'p.tar', [
        *('0.png', '0.txt'), *('1' + part
                               for part in parts), *('2.png', '2.txt')
    ])
    with TarShard(str(tmp_path / 'p.tar')) as opened:
        assert not opened.reach(3) and opened.count == 3
        match = f"p.tar: sample '1' .*{match}"
        with pytest.raises(ValueError, match=match):
            opened.place(1)
        assert [opened.place(i).name for i in (2, 0)] == ['2.png', '0.png']


def test_odd_names(tmp_path: Path) -> None:
    """Files without an ending and hidden ones belong to no sample."""
    write_members(tmp_path / 'p.tar', [
        'README', '.DS_Store', 'd/._a.png', 'd/a.png', 'd/._a.txt', 'd/a.txt',
        'd/b.', 'd.e/f', 'na\udce9.png', 'na\udce9.txt', 'long' * 50 + '.png',
        'long' * 50 + '.txt'
    ])
    with TarShard(str(tmp_path / 'p.tar')) as opened:
        assert not opened.reach(9)
        names = [opened.place(i).name for i in range(opened.count)]
    assert names == ['d/a.png', 'na\\xe9.png', 'long' * 50 + '.png']


def test_place_outside_of_the_file(shard: Path) -> None:
    with TarShard(str(shard)) as opened:
        with pytest.raises(ValueError, match='a-1.tar is cut off; it changed'):
            opened.content(shard.stat().st_size - 2, 3)


def test_cut_shard_gives_its_whole_samples(shard: Path) -> None:
    cut_off(shard, 6)
    with TarShard(str(shard)) as opened:
        assert opened.reach(5)
        with pytest.raises(ShardCutError, match='early .* after 6 samples'):
            opened.reach(6)
        assert opened.count == 6
