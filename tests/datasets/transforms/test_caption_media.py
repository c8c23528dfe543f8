"""Media of captions are read from files and from bytes of a shard."""
from pathlib import Path
from typing import Callable

import cv2
import numpy as np
import pytest

from mmvideomamba.datasets.transforms import OpenClip, ReadImage
from mmvideomamba.datasets.video.errors import MediaError, MissingMediaError


def test_clip_from_content_equals_the_file(make_video: Callable) -> None:
    path = make_video(frames=6)
    opener = OpenClip()
    inside = opener(
        dict(filename='shard.tar/0.mp4', content=path.read_bytes()))
    assert 'content' not in inside
    file = opener(dict(filename=str(path)))
    for key in ('total_frames', 'avg_fps'):
        assert inside[key] == file[key]
    np.testing.assert_array_equal(inside['video_reader'].get_frames([5]),
                                  file['video_reader'].get_frames([5]))


def test_content_is_not_kept_for_the_next_sample(make_video: Callable,
                                                 tmp_path: Path) -> None:
    opener = OpenClip()
    opener(dict(filename='0.mp4', content=make_video(frames=3).read_bytes()))
    with pytest.raises(FileNotFoundError, match='gone.mp4 does not exist'):
        opener(dict(filename=str(tmp_path / 'gone.mp4')))
    with pytest.raises(ValueError, match='0.mp4 is empty'):
        opener(dict(filename='0.mp4', content=b''))


def test_arguments_hold_for_content(make_video: Callable) -> None:
    content = make_video(frames=3).read_bytes()
    with pytest.raises(ValueError, match='0.mp4 has 3 frames.*min_frames=4'):
        OpenClip(min_frames=4)(dict(filename='0.mp4', content=content))


@pytest.mark.parametrize('memory', [False, True])
def test_image_is_a_clip_of_one_frame(tmp_path: Path, memory: bool) -> None:
    picture = np.zeros((5, 7, 3), np.uint8)
    picture[..., 2] = 200  # red, in OpenCV's order
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), picture)
    sample: dict = dict(filename=str(path))
    if memory:
        sample = dict(filename='a.png', content=path.read_bytes())
    found = ReadImage()(sample)
    assert found['imgs'][0][0, 0].tolist() == [200, 0, 0]
    assert found['img_shape'] == (5, 7) and found['total_frames'] == 1
    assert 'content' not in found


@pytest.mark.parametrize(
    'content, fault',
    [
        (b'', r'is empty \(0 bytes\)'),
        (b'no image', 'is damaged or not an image'),
        # A size beyond the limit of Pillow.
        (b'P6\n65536 32768\n255\n' + bytes(99), 'is too large: '),
    ])
def test_damaged_image_is_named(content: bytes, fault: str) -> None:
    with pytest.raises(MediaError, match=f'image a.png {fault}'):
        ReadImage()(dict(filename='a.png', content=content))


def test_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingMediaError, match='media_root'):
        ReadImage()(dict(filename=str(tmp_path / 'gone.png')))
