"""Launches and chunks of the scan, by shape."""
import pytest


@pytest.mark.parametrize(
    'shape,wanted',
    [
        # k, b, l, d: whole waves; a wave and a small rest; less than a wave;
        # and long sequences, each with chunks.
        ((2, 66, 64, 640), [(0, 132, 1)]),
        ((2, 32, 1569, 1152), [(0, 58, 1), (58, 6, 12)]),
        ((2, 8, 12545, 384), [(0, 16, 13)]),
        ((2, 66, 2**21, 640), [(0, 132, 2)]),
        # More sequences than a grid holds.
        ((2, 66000, 3, 32), [(0, 65535, 1), (65535, 65535, 1),
                             (131070, 930, 1)]),
        # B and C wider than the channels.
        ((2, 1320, 2**24, 4), [(0, 2640, 2)]),
    ],
    ids=str)
def test_launches_keep_a_gpu_evenly_busy(shape, wanted):
    pytest.importorskip('triton')
    from mmvideomamba.ops.scan.triton.schedule import _schedule
    found = _schedule(shape, 20, 132, 1)
    assert [(x.first_sequence, x.sequences, x.chunks) for x in found] == wanted
    for launch in found:
        assert launch.chunk * launch.chunks >= shape[2]
        assert launch.chunk % 8 == 0
