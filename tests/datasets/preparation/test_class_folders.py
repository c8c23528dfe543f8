"""Videos in class folders are found, checked and split."""
from pathlib import Path
from typing import Callable

import pytest

from mmvideomamba.datasets.preparation import (EXTENSIONS, check_video,
                                               check_videos, find_videos,
                                               split_videos)


@pytest.mark.parametrize('ratio, count', [(0.01, 1), (0.99, 3)])
def test_each_side_keeps_a_video(ratio: float, count: int) -> None:
    videos = dict(a=['a/1', 'a/2', 'a/3', 'a/4'])
    train, val = split_videos(videos, ratio, 0)
    assert len(val) == count and len(train) == 4 - count


def test_new_class_keeps_the_split_of_others() -> None:
    videos = dict(a=[f'a/{i}' for i in range(9)])
    _, val = split_videos(videos, 0.3, 0)
    more = dict(videos, b=[f'b/{i}' for i in range(4)])
    assert split_videos(more, 0.3, 0)[1][:len(val)] == val


def test_missing_folder_is_named() -> None:
    with pytest.raises(FileNotFoundError, match='no_such_folder'):
        find_videos(Path('no_such_folder'), EXTENSIONS)


def test_check_video(make_video: Callable, tmp_path: Path) -> None:
    path = make_video(frames=3)
    assert check_video(path.name, path.parent) == ''
    assert 'white space' in check_video('a b.mp4', tmp_path)
    (tmp_path / 'cut.mp4').write_bytes(path.read_bytes()[:-200])
    bad = check_videos(tmp_path, [path.name, 'cut.mp4'], num_workers=1)
    assert list(bad) == ['cut.mp4'] and 'cut.mp4' in bad['cut.mp4']
