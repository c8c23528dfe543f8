"""Data sets with a policy are found inside of wrappers."""
from pathlib import Path
from types import SimpleNamespace

from bad_media_run import video_set
from mmengine.dataset import RepeatDataset
from torch.utils.data import ConcatDataset, DataLoader

from mmvideomamba.datasets.samplers import PlacedSampler
from mmvideomamba.datasets.transforms import OpenVideo
from mmvideomamba.engine.hooks.bad_media_loaders import (loaders_of,
                                                         policy_sets,
                                                         readers_of,
                                                         tell_places)


def test_wrapped_sets(tmp_path: Path) -> None:
    one, other = (video_set(tmp_path, name, ['0', '1']) for name in 'ab')
    wrapped = ConcatDataset([RepeatDataset(one, 2), other])
    assert [x is y for x, y in zip(policy_sets(wrapped), (one, other))
            ] == [True, True]
    assert list(policy_sets(range(3))) == []
    loader = DataLoader(wrapped)
    several = SimpleNamespace(loaders=dict(video=loader, image=loader))
    assert loaders_of(several) == [loader, loader]
    assert loaders_of(loader) == [loader] and readers_of(several) == []
    one.pipeline.transforms.insert(0, OpenVideo(reader='pyav'))
    other.pipeline.transforms.insert(0, OpenVideo())
    assert readers_of(several) == ['auto', 'pyav']


def test_places_are_told_once(tmp_path: Path) -> None:
    loader = DataLoader(video_set(tmp_path, 'a', ['0', '1']))
    sampler = tell_places(loader, 3)
    assert isinstance(sampler, PlacedSampler)
    assert tell_places(loader, 3) is sampler is loader.batch_sampler.sampler
    assert [(place.position, place.seed) for batch in loader.batch_sampler
            for place in batch] == [(0, 3), (1, 3)]
    # Loaders without a policy are left unchanged.
    assert tell_places(DataLoader(range(3)), 3) is None
