"""Only whole, regular files of images are read."""
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmvideomamba.datasets.transforms import (DecodeRawFrames,
                                              LoadCheckedImage, OpenClip,
                                              ReadImage)
from mmvideomamba.datasets.transforms.image_file import (check_whole_image,
                                                         read_image_file)
from mmvideomamba.datasets.video.errors import MediaError


@pytest.mark.parametrize('ending', ['.jpg', '.png', '.bmp'])
def test_whole_images_pass_and_cut_ones_do_not(ending: str) -> None:
    noise = np.random.RandomState(0).randint(0, 256, (40, 60, 3), np.uint8)
    content = cv2.imencode(ending, noise)[1].tobytes()
    check_whole_image('a', content)
    check_whole_image('a', content + b'\0' * 9)  # padding after the end
    if ending == '.bmp':
        return
    for size in (3, 20, 200, len(content) // 2, len(content) - 9):
        with pytest.raises(MediaError, match='image a is (cut off|damaged)'):
            check_whole_image('a', content[:max(size, 8)])


def test_preview_of_a_cut_jpeg_is_no_end() -> None:
    """The end marker of a preview in the header is not the image's end."""
    image = cv2.imencode('.jpg', np.zeros((40, 60, 3), np.uint8))[1].tobytes()
    whole = image[:2] + image + image[2:]
    check_whole_image('a', whole)
    with pytest.raises(MediaError, match='cut off'):
        check_whole_image('a', whole[:-9])


def bomb(ending: str) -> bytes:
    """Return a small file with 60000 x 60000 or 20000 x 20000 pixels."""
    content = bytearray(
        cv2.imencode(ending, np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    if ending == '.jpg':
        start = content.index(b'\xff\xc0') + 5
        content[start:start + 4] = struct.pack('>HH', 60000, 60000)
    elif ending == '.png':
        content[16:24] = struct.pack('>II', 20000, 20000)
        content[29:33] = struct.pack('>I', zlib.crc32(content[12:29]))
    else:
        content[6:10] = struct.pack('<HH', 20000, 20000)
    return bytes(content)


@pytest.mark.parametrize('ending', ['.jpg', '.png', '.gif'])
def test_absurd_sizes_are_refused(tmp_path: Path, ending: str) -> None:
    """Each step reading images refuses absurd sizes before allocation."""
    path = tmp_path / f'img_00001{ending}'
    path.write_bytes(bomb(ending))
    frames = dict(
        frame_dir=str(tmp_path),
        filename_tmpl='img_{:05}' + ending,
        modality='RGB',
        frame_inds=np.array([1]))
    for step, sample in (
        (ReadImage(), dict(filename=str(path))),
        (ReadImage(), dict(filename=path.name, content=bomb(ending))),
        (LoadCheckedImage(), dict(img_path=str(path))),
        (LoadCheckedImage(imdecode_backend='pillow'),
         dict(img_path=str(path))),
        (DecodeRawFrames(), frames),
    ):
        with pytest.raises(MediaError, match=f'{path.name} is too large: '):
            step(dict(sample))


def test_absurd_size_of_a_video() -> None:
    """FFmpeg refuses above 268 million pixels."""
    with pytest.raises(MediaError, match='20000x20000'):
        OpenClip()(dict(filename='a.gif', content=bomb('.gif')))


def test_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'a.jpg')
    for path in (tmp_path / 'a.jpg', tmp_path):
        with pytest.raises(MediaError, match='is not a regular file'):
            read_image_file(str(path))


def test_name_that_no_file_can_have() -> None:
    with pytest.raises(MediaError, match='cannot be read: embedded null'):
        read_image_file('a\0.jpg')
