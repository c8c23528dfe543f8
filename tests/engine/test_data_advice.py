from types import SimpleNamespace
from typing import Any, Tuple

import pytest

from mmvideomamba.engine.data_advice import advice, steps_of, workers_of


def loader(workers: int, *steps: str) -> Any:
    pipeline = SimpleNamespace(transforms=[type(x, (), {})() for x in steps])
    inside = SimpleNamespace(pipeline=pipeline)
    return SimpleNamespace(
        num_workers=workers, dataset=SimpleNamespace(dataset=inside))


WORKERS = 'train_dataloader.num_workers=15 (now {}; 16 cores are usable)'
COPIES = ('tools/data/prepare_videos.py, if the videos are originals with '
          'key frames far apart')
DEVICE = ("default_hooks.clip_augment.on='device' (RandAugment runs in the "
          'workers)')
CORES = ('more cores for this process, or fewer steps in the pipeline, see '
         'docs/data_speed.md')


@pytest.mark.parametrize('workers, steps, on_gpu, found', [
    (4, ('OpenVideo', 'ClipRandAugment'), True, (WORKERS.format(4), DEVICE)),
    (0, ('OpenVideo', ), False, (WORKERS.format(0), )),
    (15, ('OpenVideo', 'ClipRandAugment'), True, (DEVICE, COPIES)),
    (16, ('DecordInit', 'ClipRandAugment'), False, (COPIES, )),
    (16, ('LoadRawFrames', ), True, (CORES, )),
])
def test_advice(workers: int, steps: Tuple[str, ...], on_gpu: bool,
                found: Tuple[str, ...]) -> None:
    assert tuple(advice([loader(workers, *steps)], 16, on_gpu)) == found


def test_two_loaders_share_the_cores() -> None:
    loaders = [loader(7, 'OpenVideo'), loader(2, 'LoadImage')]
    assert steps_of(loaders) == {'OpenVideo', 'LoadImage'}
    assert advice(loaders, 16, True)[0] == (
        'train_dataloader.num_workers=7 (now 2; 16 cores are usable)')


def test_a_single_core() -> None:
    """On a CPU the training itself needs the core."""
    one = loader(0, 'LoadRawFrames')
    assert advice([one], 1, False) == [CORES]
    assert 'num_workers=1 (now 0' in advice([one], 1, True)[0]
    assert workers_of(iter(())) == 0
