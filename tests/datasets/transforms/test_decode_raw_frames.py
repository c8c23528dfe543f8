"""A bad image of a folder is named; good images are the host's."""
import os
import re
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmaction.datasets.transforms import RawFrameDecode
from PIL import Image

from mmvideomamba.datasets.transforms import DecodeRawFrames
from mmvideomamba.datasets.transforms.decode_raw_frames import _ImageReader
from mmvideomamba.datasets.video import MediaError, MissingMediaError


@pytest.fixture
def sample(tmp_path: Path) -> dict:
    """Describe a video of four images."""
    for i in range(1, 5):
        image = np.random.RandomState(i).randint(0, 255, (32, 48, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f'img_{i:05}.jpg'), image)
    return dict(
        frame_dir=str(tmp_path),
        filename_tmpl='img_{:05}.jpg',
        modality='RGB',
        total_frames=4,
        frame_inds=np.array([4, 1, 2, 4, 3]))


@pytest.mark.parametrize('options', [dict(), dict(decoding_backend='pillow')])
def test_good_images_are_the_hosts(sample: dict, options: dict) -> None:
    found = DecodeRawFrames(**options)(dict(sample))
    expected = RawFrameDecode(**options)(dict(sample))
    assert found.keys() == expected.keys()
    np.testing.assert_array_equal(found['imgs'], expected['imgs'])
    assert found['img_shape'] == (32, 48)


def test_missing_image(sample: dict, tmp_path: Path) -> None:
    (tmp_path / 'img_00002.jpg').unlink()
    with pytest.raises(
            MissingMediaError, match='image .*/img_00002.jpg does not exist'):
        DecodeRawFrames()(sample)


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
@pytest.mark.parametrize('content', [b'', b'no image' * 9])
def test_no_image(sample: dict, tmp_path: Path, content: bytes,
                  backend: str) -> None:
    (tmp_path / 'img_00003.jpg').write_bytes(content)
    with pytest.raises(
            MediaError,
            match='image .*/img_00003.jpg is (damaged|empty)') as caught:
        DecodeRawFrames(decoding_backend=backend)(sample)
    assert caught.value.path == str(tmp_path / 'img_00003.jpg')


def test_cut_off_image(sample: dict, tmp_path: Path) -> None:
    path = tmp_path / 'img_00001.jpg'
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(MediaError, match=f'{re.escape(str(path))} is cut'):
        DecodeRawFrames()(sample)


def test_image_of_absurd_size(sample: dict, monkeypatch) -> None:
    """Pillow refuses a picture of more pixels than its limit allows."""
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    with pytest.raises(MediaError, match='img_00004.jpg is too large'):
        DecodeRawFrames(decoding_backend='pillow')(sample)


def test_images_of_several_sizes(sample: dict, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'img_00003.jpg'), np.zeros((8, 9, 3), np.uint8))
    with pytest.raises(MediaError, match='several sizes: 9 x 8, 48 x 32'):
        DecodeRawFrames()(sample)


def test_no_regular_file(sample: dict, tmp_path: Path) -> None:
    (tmp_path / 'img_00003.jpg').unlink()
    os.mkfifo(tmp_path / 'img_00003.jpg')
    with pytest.raises(MediaError, match='_00003.jpg is not a regular file'):
        DecodeRawFrames()(sample)


def test_another_storage(sample: dict, tmp_path: Path) -> None:
    """Bytes of a storage are checked alike."""
    transform = DecodeRawFrames(io_backend='petrel')
    transform.file_client = _ImageReader(
        SimpleNamespace(get=lambda path: Path(path).read_bytes()))
    expected = DecodeRawFrames()(dict(sample))['imgs']
    np.testing.assert_array_equal(transform(dict(sample))['imgs'], expected)
    (tmp_path / 'img_00003.jpg').unlink()
    with pytest.raises(MissingMediaError, match='img_00003.jpg'):
        transform(sample)
