"""Images load as with the host, or are refused by name."""
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile

from mmvideomamba.datasets.transforms import LoadCheckedImage
from mmvideomamba.datasets.video.errors import MediaError, MissingMediaError


@pytest.fixture
def jpeg(tmp_path: Path) -> Path:
    noise = np.random.RandomState(0).randint(0, 256, (40, 60, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'a.jpg'), noise)
    return tmp_path / 'a.jpg'


@pytest.mark.parametrize('kwargs', [
    dict(),
    dict(to_float32=True, color_type='grayscale'),
    dict(imdecode_backend='pillow'),
    dict(backend_args=dict(backend='local')),
])
def test_loads_as_the_host(jpeg: Path, kwargs: dict) -> None:
    found = LoadCheckedImage(**kwargs)(dict(img_path=str(jpeg)))
    expected = LoadImageFromFile(**kwargs)(dict(img_path=str(jpeg)))
    assert found.keys() == expected.keys()
    assert found['img'].dtype == expected['img'].dtype
    np.testing.assert_array_equal(found['img'], expected['img'])
    assert found['img_shape'] == expected['img_shape']


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_bad_files(jpeg: Path, backend: str) -> None:
    whole = jpeg.read_bytes()
    load = LoadCheckedImage(imdecode_backend=backend)
    bitmap = bytearray(cv2.imencode('.bmp', cv2.imread(str(jpeg)))[1])
    bitmap[18:26] = struct.pack('<II', 1 << 16, 1 << 15)  # a size too large
    faults = {
        whole[:-50]: 'cut off',
        b'<html>': 'damaged',
        b'': 'empty',
        bytes(bitmap): 'too large'
    }
    for content, fault in faults.items():
        jpeg.write_bytes(content)
        with pytest.raises(MediaError, match=f'image {jpeg} is {fault}'):
            load(dict(img_path=str(jpeg)))
    jpeg.unlink()
    with pytest.raises(MissingMediaError, match='a.jpg does not exist'):
        load(dict(img_path=str(jpeg)))
    lenient = LoadCheckedImage(ignore_empty=True)
    assert lenient(dict(img_path=str(jpeg))) is None
