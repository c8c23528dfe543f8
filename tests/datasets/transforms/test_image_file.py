"""Only whole, regular files of images are read."""
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmvideomamba.datasets.transforms.image_file import (check_whole_image,
                                                         read_image_file)
from mmvideomamba.datasets.video.errors import MediaError


@pytest.mark.parametrize('ending', ['.jpg', '.png', '.bmp'])
def test_whole_images_pass_and_cut_ones_do_not(ending: str) -> None:
    noise = np.random.RandomState(0).randint(0, 256, (40, 60, 3), np.uint8)
    content = cv2.imencode(ending, noise)[1].tobytes()
    check_whole_image('a', content)
    check_whole_image('a', content + b'\0' * 9)  # padding behind the end
    if ending == '.bmp':
        return
    for size in (3, 20, 200, len(content) // 2, len(content) - 9):
        with pytest.raises(MediaError, match='image a is (cut off|damaged)'):
            check_whole_image('a', content[:max(size, 8)])


def test_preview_of_a_cut_jpeg_is_no_end() -> None:
    """The preview in a header has a start and an end of its own."""
    image = cv2.imencode('.jpg', np.zeros((40, 60, 3), np.uint8))[1].tobytes()
    whole = image[:2] + image + image[2:]
    check_whole_image('a', whole)
    with pytest.raises(MediaError, match='cut off'):
        check_whole_image('a', whole[:-9])


def test_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'a.jpg')
    for path in (tmp_path / 'a.jpg', tmp_path):
        with pytest.raises(MediaError, match='is no regular file'):
            read_image_file(str(path))


def test_name_that_no_file_can_have() -> None:
    with pytest.raises(MediaError, match='cannot be read: embedded null'):
        read_image_file('a\0.jpg')
