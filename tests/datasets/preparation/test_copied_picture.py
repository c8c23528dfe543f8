"""Pictures of copies: their sizes, and the right way up."""
from typing import Tuple

import av
import numpy as np
import pytest

from mmvideomamba.datasets.preparation.copied_picture import (PictureMaker,
                                                              copy_size)
from mmvideomamba.datasets.video import MediaError


@pytest.mark.parametrize('size, short_side, expected', [
    ((340, 256), 256, (340, 256)),
    ((341, 255), 256, (340, 254)),
    ((1920, 1080), 256, (456, 256)),
    ((1080, 1920), 224, (224, 398)),
    ((1920, 1080), 0, (1920, 1080)),
    ((3, 1), 0, (2, 2)),
])
def test_copy_size(size: Tuple[int, int], short_side: int,
                   expected: Tuple[int, int]) -> None:
    assert copy_size(*size, short_side) == expected


def test_another_size() -> None:
    maker = PictureMaker('a.mp4', 16)
    frames = [
        av.VideoFrame.from_ndarray(np.zeros((height, 64, 3), 'u1'))
        for height in (32, 32, 34)
    ]
    assert maker.make(frames[0], 0).width == 32
    assert maker.make(frames[1], 1).height == 16 and not maker.turned
    with pytest.raises(MediaError, match='a.mp4 changes the size .* frame 2'):
        maker.make(frames[2], 2)
