from pathlib import Path

import pytest
from tar_shards import cut_off, pairs, picture, write_shard

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
    """A JSON caption wins over a text; the name ends at its first dot."""
    path = tmp_path / 'p.tar'
    write_shard(path, [{
        '.txt': b'text',
        '.json': b'{"caption": "json"}',
        '.MP4': b'movie'
    }])
    with TarShard(str(path)) as opened:
        assert opened.read_on() and not opened.read_on()
        place = opened.place(0)
        assert place.is_json and place.name.endswith('-000.mp4')
        assert opened.content(*place.caption) == b'{"caption": "json"}'
        assert opened.content(*place.medium) == b'movie'


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
