"""Shards of copied sets."""
import tarfile
from pathlib import Path

import pytest
from bad_videos import encode

from mmvideomamba.datasets.preparation.copied_shards import (check_for_shards,
                                                             write_shards)
from mmvideomamba.datasets.preparation.list_inputs import read_inputs


def test_refused_before_the_copies(tmp_path: Path) -> None:
    (tmp_path / 'train.txt').write_text('a.mp4 0\nb.mp4 1\n./a.mp4 0\n')
    (tmp_path / 'good.txt').write_text('a.mp4 0\nb.mp4 1\n')
    (tmp_path / 'c.json').write_text('[{"video": "a.mp4", "caption": "x"}]')
    with pytest.raises(ValueError, match='(?s)1 videos again.*line 3'):
        check_for_shards(read_inputs([tmp_path / 'train.txt']))
    with pytest.raises(ValueError, match='c.json is a caption file'):
        check_for_shards(read_inputs([tmp_path / 'c.json']))
    check_for_shards(read_inputs([tmp_path / 'good.txt']))
    (tmp_path / 'good.csv').write_text('c.mp4 0\n')
    with pytest.raises(ValueError, match='good.csv would have the same'):
        check_for_shards(
            read_inputs([tmp_path / 'good.txt', tmp_path / 'good.csv']))


def test_shards_of_a_list(tmp_path: Path) -> None:
    out = tmp_path / 'out'
    (out / 'videos').mkdir(parents=True)
    encode(out / 'videos' / 'a.mp4', '-c:v', 'libx264', frames=2)
    (out / 'train.txt').write_text('videos/a.mp4,3\n')
    (tmp_path / 'train.txt').write_text('a.avi,3\n')
    lists = read_inputs([tmp_path / 'train.txt'])
    arguments = lists, [out / 'train.txt'], [out], out, 2**20
    told = write_shards(*arguments)
    assert told == [
        f'{out}/shards/train.txt: 1 videos in 1 shards, 0 were there'
    ]
    with tarfile.open(out / 'shards' / 'train-000000.tar') as tar:
        content = {Path(m.name).suffix: tar.extractfile(m) for m in tar}
        video, label = content['.mp4'], content['.txt']
        assert video is not None and label is not None
        assert video.read() == (out / 'videos' / 'a.mp4').read_bytes()
        assert label.read() == b'3'
    assert '1 were there' in write_shards(*arguments)[0]
