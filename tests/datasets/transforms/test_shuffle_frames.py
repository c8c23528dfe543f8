import numpy as np
import pytest

from mmvideomamba.datasets.transforms import ShuffleFrames
from mmvideomamba.registry import TRANSFORMS


def make_sample(num_clips, clip_len):
    frames = [
        np.full((2, 3, 3), i, np.uint8) for i in range(num_clips * clip_len)
    ]
    return dict(imgs=frames, clip_len=clip_len, num_clips=num_clips)


def numbers(results):
    return [int(frame[0, 0, 0]) for frame in results['imgs']]


def test_frames_stay_in_their_clip():
    np.random.seed(0)
    found = numbers(ShuffleFrames()(make_sample(3, 8)))
    for clip in range(3):
        part = found[8 * clip:8 * clip + 8]
        assert sorted(part) == list(range(8 * clip, 8 * clip + 8))
        assert part != sorted(part)
    # Each clip has its own order.
    assert [i - 8 for i in found[8:16]] != found[:8]


def test_order_follows_the_global_seed():
    orders = []
    for seed in (1, 1, 2):
        np.random.seed(seed)
        orders.append(numbers(ShuffleFrames()(make_sample(1, 16))))
    assert orders[0] == orders[1] != orders[2]


def test_partial_clip_is_refused():
    sample = make_sample(1, 8)
    sample['imgs'].pop()
    with pytest.raises(ValueError, match='7 frames .* clip_len=8'):
        ShuffleFrames()(sample)


def test_built_by_its_config_name():
    transform = TRANSFORMS.build(dict(type='mmvideomamba.ShuffleFrames'))
    assert repr(transform) == 'ShuffleFrames()'
