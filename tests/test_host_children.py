"""Children of host classes are called, and shown, as the parents are."""
import importlib
import inspect
import pkgutil
from typing import Any, Dict, List, Tuple

import pytest
from mmaction.datasets import BaseActionDataset, RawframeDataset, VideoDataset
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel, BaseModule, Sequential
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin

from mmvideomamba.datasets import (CheckedRawframeDataset, CheckedVideoDataset,
                                   VideoQADataset)
from mmvideomamba.evaluation import MSEMetric
from mmvideomamba.registry import TRANSFORMS

ROOMS = ('datasets', 'engine', 'evaluation', 'models', 'visualization')
HOSTS = ('mmaction', 'mmcv', 'mmengine', 'mmpretrain')

# Parents of all classes of a kind: arguments of a child's own stand between
# the parent's first and last ones, as in children by the hosts.
COMMON: Dict[type, Tuple[List[str], List[str]]] = {
    BaseModule: ([], ['init_cfg']),
    BaseModel: ([], ['data_preprocessor', 'init_cfg']),
    BaseMetric: ([], ['collect_device', 'prefix', 'collect_dir']),
    LRSchedulerMixin: (['optimizer'], []),
    Sequential: ([], ['init_cfg']),
}

# A child of one host class used in place of another host class.
STANDS_FOR = dict(CheckedRawframeDataset=RawframeDataset)

# Departures from the host's order, with reasons.
OWN_ORDER = dict(
    VideoMambaRegressionHead='it predicts one number, not num_classes')


def _is_host(cls: type) -> bool:
    return cls.__module__.split('.')[0] in HOSTS


def _positional(cls: type) -> List[str]:
    """Name the positional arguments, with the next class's after *args."""
    names: List[str] = []
    for owner in cls.__mro__:
        if '__init__' not in vars(owner):
            continue
        signature = inspect.signature(vars(owner)['__init__'])
        parameters = list(signature.parameters.values())[1:]
        own = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        # Named ones come first in the next class, too.
        names += own[len(names):]
        if not any(p.kind is p.VAR_POSITIONAL for p in parameters):
            break
    return names


def _children() -> List[type]:
    """Collect the classes of the package with a parent in a host."""
    classes = {}
    for room in ROOMS:
        folder = importlib.import_module(f'mmvideomamba.{room}')
        for found in pkgutil.walk_packages(folder.__path__,
                                           f'{folder.__name__}.'):
            module = importlib.import_module(found.name)
            for cls in vars(module).values():
                if inspect.isclass(cls) and any(map(
                        _is_host, cls.__mro__)) and not _is_host(cls):
                    classes[cls.__name__] = cls
    return [classes[name] for name in sorted(classes)]


def _fault(cls: type) -> str:
    """Compare the positional arguments of child and parent."""
    parent = next(c for c in cls.__mro__ if _is_host(c))
    parent = STANDS_FOR.get(cls.__name__, parent)
    ours = _positional(cls)
    if parent in COMMON:
        first, last = COMMON[parent]
        last = [name for name in last if name in ours]
        kept = ours[:len(first)] == first and ours[len(ours) -
                                                   len(last):] == last
    else:
        theirs = _positional(parent)
        kept = ours[:len(theirs)] == theirs
    if kept:
        return ''
    return f'{ours} instead of {_positional(parent)} of {parent.__name__}'


def test_positional_arguments_are_the_hosts() -> None:
    children = _children()
    assert len(children) > 60
    faults = {c.__name__: _fault(c) for c in children if _fault(c)}
    assert {k: v for k, v in faults.items() if k not in OWN_ORDER} == {}
    assert set(faults) == set(OWN_ORDER)


def test_fault_is_found() -> None:

    class Reordered(RawframeDataset):

        def __init__(self, ann_file: str, filename_tmpl: str,
                     **kwargs: Any) -> None:
            super().__init__(ann_file, [], filename_tmpl=filename_tmpl)

    class Behind(MSEMetric):

        def __init__(self, *args: Any, own: int = 1) -> None:
            super().__init__(*args)

    class Before(MSEMetric):

        def __init__(self, prefix: str, collect_device: str) -> None:
            super().__init__(collect_device, prefix)

    assert "['ann_file', 'filename_tmpl'] instead" in _fault(Reordered)
    assert _fault(Behind) == '' and _fault(Before) != ''


@pytest.mark.parametrize('ours, host, values', [
    (CheckedVideoDataset, VideoDataset, ({
        'video': 'v'
    }, True, 9, 2, 'Flow', True, ';')),
    (CheckedRawframeDataset, RawframeDataset, ({
        'img': 'i'
    }, '{}.png', True, True, 9, 2, 'Flow', True)),
    (VideoQADataset, BaseActionDataset, ({
        'video': 'v'
    }, True, True, 9, 2, 'Flow')),
])
def test_data_sets_take_the_arguments_in_a_row(ours: type, host: type,
                                               values: tuple) -> None:
    """A data set by positional arguments equals the host's."""
    mine = ours('list.txt', [], *values, lazy_init=True)
    theirs = type('Host', (host, ), dict(load_data_list=list))(
        'list.txt', [], *values, lazy_init=True)
    shared = vars(theirs).keys() - {'pipeline'}
    assert {
        k: vars(mine)[k]
        for k in shared
    } == {
        k: vars(theirs)[k]
        for k in shared
    }


# Non-default settings, to be shown in the repr as given.
SETTINGS: Dict[str, dict] = dict(
    ClipRandAugment=dict(magnitude=5, num_layers=3),
    ClipRandomErasing=dict(erase_prob=0.5, mean=[1., 2., 3.]),
    ClipRandomResizedCrop=dict(aspect_ratio_range=(0.5, 2.)),
    DecodeArray=dict(),
    DecodeFrames=dict(mode='efficient'),
    DecodeRawFrames=dict(decoding_backend='pillow'),
    EvenCrops=dict(crop_size=8, num_crops=3),
    IntervalSample=dict(clip_len=4, max_seconds=3.),
    LoadCheckedImage=dict(color_type='grayscale', to_float32=True),
    OpenClip=dict(min_frames=3),
    OpenVideo=dict(time_limit=5.),
    ReadImage=dict(),
    ResizeShortEdge=dict(scale=8, interpolation='bicubic'),
    SegmentSample=dict(clip_len=4, num_clips=2, test_mode=True),
    ShuffleFrames=dict(),
    TokenMask=dict(kind='tube', grid=(1, 2, 2)),
    UniformWindowSample=dict(clip_len=4, num_clips=2, window=60.))

# Not shown: kept by the host for old configs.
OLD_NAMES = ('file_client_args', )


def test_every_transform_is_shown() -> None:
    TRANSFORMS.import_from_location()
    assert set(SETTINGS) == set(TRANSFORMS.module_dict)


@pytest.mark.parametrize('name', SETTINGS)
def test_transform_shows_its_settings(name: str) -> None:
    cls = TRANSFORMS.get(name)
    text = repr(cls(**SETTINGS[name]))
    assert text.startswith(f'{name}(') and text.endswith(')')
    parameters = inspect.signature(cls).parameters.values()
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    hidden = [n for n in names if f'{n}=' not in text and n not in OLD_NAMES]
    assert hidden == []
    for key, value in SETTINGS[name].items():
        assert f'{key}={value!r}' in text or f'{key}={value}' in text
