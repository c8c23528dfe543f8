"""Views of a video in a test: one choice for tools, inferencers and demos.

A view is a crop of a clip. ``views`` is the number of views to score and
average:

- ``'all'``: the clips and crops of the config's test pipeline;
- a number n: the central crops of n clips; in a test on windows of long
  videos, the middle clips of n windows;
- ``'one'``: as 1, the view of a validation during the training.
"""
import copy
from typing import Any, Iterator, List, Sequence, Tuple, Union

Views = Union[str, int]

SAMPLERS = ('SampleFrames', 'UniformSample', 'SegmentSample',
            'UniformWindowSample')
WINDOWS = ('UniformWindowSample', )
# Of a single clip, whatever the views.
SINGLE = ('IntervalSample', )
# Steps with several crops, and the number by default.
CROPS = dict(ThreeCrop=3, TenCrop=10, EvenCrops=3)


def check_views(views: Views) -> Views:
    """Check a choice of views.

    Args:
        views (str | int): 'all', 'one' or a number of at least 1, which may
            be a text of digits.

    Returns:
        str | int: 'all', or a number.

    Raises:
        ValueError: If ``views`` is anything else.
    """
    if isinstance(views, str) and views.isdecimal():
        views = int(views)
    if views == 'one':
        return 1
    number = isinstance(views, int) and not isinstance(views, bool)
    if views == 'all' or number and int(views) >= 1:
        return views
    raise ValueError("views must be 'all', 'one' or a number of clips of at "
                     f'least 1, but is {views!r}')


def step_name(step: Any) -> str:
    """Return the type of a step without its scope.

    Args:
        step (dict): Of a pipeline; its type is a name or a class.

    Returns:
        str: For example 'UniformSample'.
    """
    kind = step['type']
    name = kind if isinstance(kind, str) else kind.__name__
    return name.rsplit('.', maxsplit=1)[-1]


def set_views(steps: Sequence[dict], views: Views) -> List[dict]:
    """Copy the steps of a test pipeline, with another number of views.

    Args:
        steps (Sequence[dict]): The pipeline of a config.
        views (str | int): See the module.

    Returns:
        list[dict]: The new steps.

    Raises:
        ValueError: If ``views`` is unknown, or if no step samples a number of
            clips.
    """
    views = check_views(views)
    steps = [copy.deepcopy(step) for step in steps]
    if views == 'all':
        return steps
    samplers = [step for step in steps if step_name(step) in SAMPLERS]
    if len(samplers) != 1:
        raise ValueError(
            f'views={views!r} needs one step of {", ".join(SAMPLERS)} in the '
            'test pipeline, which has '
            f'{", ".join(step_name(step) for step in steps)}; write the '
            "clips and crops into the pipeline, and take views='all'")
    sampler = samplers[0]
    if step_name(sampler) in WINDOWS:
        sampler.update(num_clips=1, num_windows=views)
    else:
        sampler['num_clips'] = views
        # The option would double the clips.
        sampler.pop('twice_sample', None)
    return [_central_crop(step) for step in steps]


def _central_crop(step: dict) -> dict:
    """Return a step that cuts the central crop instead of several."""
    name = step_name(step)
    if name == 'EvenCrops':
        step['num_crops'] = 1
    elif name in CROPS:
        return dict(type='CenterCrop', crop_size=step['crop_size'])
    return step


def count_views(steps: Sequence[dict]) -> Tuple[int, int, bool]:
    """Count the views of a test pipeline.

    Args:
        steps (Sequence[dict]): The pipeline of a config.

    Returns:
        tuple[int, int, bool]: Clips, of a video or of each window; crops of a
        clip; whether a video is cut into windows.
    """
    clips, crops, windows = 1, 1, False
    for step in steps:
        name = step_name(step)
        if name in SAMPLERS:
            clips = step.get('num_clips', 1)
            clips *= 2 if step.get('twice_sample') else 1
            windows = name in WINDOWS
        if name in CROPS:
            crops = step.get('num_crops', CROPS[name])
    return clips, crops, windows


def _data_sets(node: Any) -> Iterator[dict]:
    """Yield the data sets with a pipeline in a dataloader's config."""
    if isinstance(node, dict):
        if isinstance(node.get('pipeline'), list):
            yield node
        for value in node.values():
            yield from _data_sets(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _data_sets(value)


def set_test_views(cfg: Any, views: Views) -> None:
    """Change the number of views in a config for a test.

    Args:
        cfg (Config): Changed in place: ``test_pipeline`` and the data sets of
            ``test_dataloader``.
        views (str | int): See the module.

    Raises:
        ValueError: See ``set_views``.
    """
    views = check_views(views)
    if views == 'all':
        return
    if cfg.get('test_pipeline'):
        cfg.test_pipeline = set_views(cfg.test_pipeline, views)
    for data in _data_sets(cfg.get('test_dataloader')):
        data['pipeline'] = set_views(data['pipeline'], views)
        # Data set and sampler have to cut the same windows.
        if any(step_name(step) in WINDOWS for step in data['pipeline']):
            data['num_windows'] = views
