"""Launches of the kernels as compiled for a GPU; nothing runs."""
import pytest
import torch
from noting_driver import forget, noting_driver
from ops.clip_augment.expected import STRENGTHS, make_draws, make_frames

pytest.importorskip('triton')
launch = pytest.importorskip('mmvideomamba.ops.clip_augment.triton.launch')

KERNELS = ('statistics_kernel', 'table_kernel', 'apply_kernel', 'crop_kernel')


def test_few_launches_of_four_kernels():
    """Other sizes, lengths and numbers of clips compile nothing anew."""
    kernels = [getattr(launch, name) for name in KERNELS]
    if not hasattr(kernels[0], '_compiled'):
        pytest.skip('Triton before 3.4, not for NVIDIA, or interpreted')
    names = tuple(STRENGTHS)
    counts = []
    with noting_driver() as driver:
        for clips, t, h, w in ((15, 2, 9, 12), (4, 16, 32, 16), (1, 1, 7, 9)):
            frames = make_frames(t, h, w)
            draws = [
                make_draws(
                    frames,
                    operations=[(n, STRENGTHS[n]) for n in names[i::5]],
                    size=(w, h)) for i in range(clips)
            ]
            out = launch.clip_augment([frames] * clips, draws)
            assert out.shape == (clips, 3, t, w, h)
            assert out.dtype == torch.float32
            counts.append(len(driver.launches))
            driver.launches.clear()
        variants = [len(kernel._compiled) for kernel in kernels]
        for kernel in kernels:
            forget(kernel)
    # Three layers each.
    assert all(4 <= count <= 10 for count in counts)
    assert variants == [1, 1, 1, 1]
