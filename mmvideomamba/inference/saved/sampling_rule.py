"""The reading of a test pipeline in plain numbers, for programs of others.

A rule is a dict for JSON. docs/deployment.md lists the keys and the formulas;
docs/consumers holds programs that follow a rule without this package.
"""
from functools import partial
from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence, Tuple

from ..views import step_name

Rule = Dict[str, Any]
_LIBRARIES = dict(cv2='opencv', pillow='pillow')
_INTERPOLATIONS = ('nearest', 'bilinear', 'bicubic', 'area', 'lanczos')
_HOSTS = ('mmaction', 'mmpretrain')
# The order of the steps: each kind at most once.
_PLACES = ('opens', 'samples', 'decodes', 'resizes', 'crops', 'formats',
           'packs')


class _Unknown(ValueError):
    """A step that no rule expresses."""


class _Step(NamedTuple):
    """How a step of a pipeline is entered into a rule.

    Args:
        place (str): One of ``_PLACES``.
        enter (Callable): Given the rule and the settings of the step.
        known (dict): Settings with their defaults.
        demanded (dict): Settings with their defaults, and the only values
            with a counterpart in a rule.
        ignored (tuple[str]): Settings without an effect on pixels.
    """
    place: str
    enter: Callable[[Rule, dict], None]
    known: Dict[str, Any] = {}
    demanded: Dict[str, Tuple[Any, Any]] = {}
    ignored: Tuple[str, ...] = ()


def sampling_rule(steps: Sequence[dict],
                  data_set: Optional[dict] = None) -> Rule:
    """Express a test pipeline as numbers.

    Args:
        steps (Sequence[dict]): The test pipeline of a config.
        data_set (dict, optional): Config of the data set of the test, with
            the length of windows of long videos. Defaults to None.

    Returns:
        dict: ``kind`` ('uniform', 'segments', 'intervals', 'consecutive',
        'windows' or 'image'), ``frames`` of a clip, ``clips``, ``resize``,
        ``crop``, ``crops``, ``size`` (pixels of a side of the square view),
        ``views`` (clips times crops, None for windows), and further numbers
        of the kind. ``dict(kind='unknown', reason=...)`` for a pipeline with
        a step or a setting beyond the rules.
    """
    rule: Rule = dict(
        kind='', frames=1, clips=1, resize=None, crop='none', crops=1)
    try:
        _follow(steps, data_set or {}, rule)
        _check_size(rule)
    except _Unknown as error:
        return dict(kind='unknown', reason=str(error))
    windows = rule['kind'] == 'windows'
    rule['views'] = None if windows else rule['clips'] * rule['crops']
    return rule


def _follow(steps: Sequence[dict], data_set: dict, rule: Rule) -> None:
    """Enter each step into a rule."""
    names = [step_name(step) for step in steps]
    images = 'PackInputs' in names
    table = _IMAGE_STEPS if images else _VIDEO_STEPS
    last = -1
    for name, step in zip(names, steps):
        scope = str(step['type']).rpartition('.')[0]
        foreign = scope in _HOSTS and scope != _HOSTS[images]
        if name not in table or foreign:
            raise _Unknown(f'the step {name} of the test pipeline has no '
                           'counterpart in a rule')
        place = _PLACES.index(table[name].place)
        if place <= last:
            raise _Unknown(f'the step {name} of the test pipeline stands at '
                           'another place than in the recipes')
        last = place
        if name == 'UniformWindowSample':
            step = dict(dict(window=60.), **_windows(data_set), **step)
        table[name].enter(rule, _take(step, table[name]))
    if not rule['kind'] or last != _PLACES.index('packs'):
        raise _Unknown('the test pipeline does not go from a sampler to '
                       'packed inputs')


def _windows(data_set: dict) -> dict:
    """Return the settings of windows in a data set."""
    keys = ('window', 'stride', 'num_windows')
    return {key: data_set[key] for key in keys if key in data_set}


def _check_size(rule: Rule) -> None:
    """Derive the size of a view, or refuse views of changing sizes."""
    how, crop = rule['resize'], rule['crop']
    if how is None:
        raise _Unknown('the test pipeline does not resize')
    if 'width' in how and how['width'] != how['height']:
        raise _Unknown('the views are not square: resized to '
                       f'{how["width"]} x {how["height"]}')
    short = how.get('short_side', how.get('width'))
    if crop == 'none':
        if 'short_side' in how:
            raise _Unknown('the test pipeline keeps the aspect ratio and does '
                           'not crop: each video has views of another size')
        rule['size'] = short
    elif rule['size'] > short or (crop in ('three', 'even')
                                  and rule['size'] != short):
        raise _Unknown(f'crops of {rule["size"]} pixels do not fit a shorter '
                       f'side of {short}')


def _take(step: dict, row: _Step) -> dict:
    """Return the settings of a step; refuse all without a counterpart."""
    found = dict(row.known)
    for key, (default, only) in row.demanded.items():
        if step.get(key, default) != only:
            raise _Unknown(f'{step_name(step)}({key}='
                           f'{step.get(key, default)!r}) has no counterpart '
                           f'in a rule, only {only!r} has')
    for key, value in step.items():
        if key in row.known:
            found[key] = value
        # An unknown setting may change pixels: better no rule than a wrong
        # rule.
        elif key not in ('type', *row.demanded, *row.ignored):
            raise _Unknown(f'{step_name(step)}({key}={value!r}) has no '
                           'counterpart in a rule')
    return found


def _nothing(rule: Rule, taken: dict) -> None:
    """Leave the rule as is."""


def _open_video(rule: Rule, taken: dict) -> None:
    if taken['min_frames'] is not None:
        rule['min_frames'] = taken['min_frames']


def _read_image(rule: Rule, taken: dict) -> None:
    rule['kind'] = 'image'


def _sample(kind: str, rule: Rule, taken: dict) -> None:
    """Enter a sampler of frames, with the numbers of the kind."""
    rest = dict(taken)
    rule.update(
        kind=kind, frames=rest.pop('clip_len'), clips=rest.pop('num_clips', 1))
    rule.update(rest)
    if kind == 'consecutive' and rule['frames'] < 2:
        raise _Unknown('SampleFrames(clip_len=1) has no counterpart in a rule')
    if kind == 'windows' and rule['window'] is None:
        raise _Unknown('UniformWindowSample without a length of the windows '
                       'has no counterpart in a rule')


def _set_resize(rule: Rule, taken: dict, **size: Any) -> None:
    """Enter a resizing to ``short_side``, or to ``width`` and ``height``."""
    interpolation, library = taken['interpolation'], taken.get(
        'backend', 'cv2')
    if interpolation not in _INTERPOLATIONS or library not in _LIBRARIES:
        raise _Unknown(f'resizing by {interpolation!r} of {library!r} has no '
                       'counterpart in a rule')
    rule['resize'] = dict(
        size, interpolation=interpolation, library=_LIBRARIES[library])


def _resize_video(rule: Rule, taken: dict) -> None:
    scale, ratio = taken['scale'], taken['keep_ratio']
    pair = isinstance(scale, (tuple, list)) and len(scale) == 2
    if pair and not ratio:
        _set_resize(rule, taken, width=scale[0], height=scale[1])
    elif pair and min(scale) == -1:
        _set_resize(rule, taken, short_side=max(scale), rounding='nearest')
    else:
        raise _Unknown(f'Resize(scale={scale!r}, keep_ratio={ratio}) has no '
                       'counterpart in a rule')


def _resize_image(rule: Rule, taken: dict) -> None:
    scale = taken['scale']
    width, height = (scale, scale) if isinstance(scale, int) else scale
    _set_resize(rule, taken, width=width, height=height)


def _resize_short_side(rule: Rule, taken: dict) -> None:
    _set_resize(rule, taken, short_side=taken['scale'], rounding='down')


def _crop(kind: str, crops: int, rule: Rule, taken: dict) -> None:
    """Enter crops, of one size in pixels or of a pair of equal sizes."""
    size = taken['crop_size']
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(set(pair)) != 1:
        raise _Unknown(f'the views are not square: cropped to {pair}')
    rule.update(crop=kind, crops=crops, size=pair[0])


def _even_crops(rule: Rule, taken: dict) -> None:
    count, how = taken['num_crops'], rule['resize'] or {}
    _crop('center-rounded' if count == 1 else 'even', count, rule, taken)
    short = how.get('short_side', rule['size'])
    if short != rule['size']:  # the step refuses such frames
        raise _Unknown(f'EvenCrops needs a shorter side of {rule["size"]} '
                       f'pixels, not {short}')


_CLIPS: Dict[str, Any] = dict(clip_len=1, num_clips=1)
_TEST = dict(test_mode=(False, True))
_NOT_LAZY = dict(lazy=(False, False))
_BILINEAR = dict(scale=None, interpolation='bilinear')
_OPEN_VIDEO = _Step(
    'opens',
    _open_video,
    known=dict(min_frames=None),
    ignored=('io_backend', 'num_threads', 'reader', 'time_limit'))
_DECODE = _Step(
    'decodes', _nothing, demanded=dict(mode=('accurate', 'accurate')))
_LOAD_IMAGE = _Step(
    'opens',
    _read_image,
    demanded=dict(
        to_float32=(False, False),
        color_type=('color', 'color'),
        imdecode_backend=('cv2', 'cv2')),
    ignored=('backend_args', 'file_client_args', 'ignore_empty'))

_VIDEO_STEPS: Dict[str, _Step] = dict(
    OpenVideo=_OPEN_VIDEO,
    OpenClip=_OPEN_VIDEO,
    DecordInit=_Step('opens', _nothing, ignored=('io_backend', 'num_threads')),
    ReadImage=_Step('opens', _read_image),
    UniformSample=_Step('samples', partial(_sample, 'uniform'), _CLIPS, _TEST),
    SegmentSample=_Step('samples', partial(_sample, 'segments'), _CLIPS,
                        dict(_TEST, raw_frames=(False, False))),
    IntervalSample=_Step('samples', partial(_sample, 'intervals'),
                         dict(clip_len=1, max_seconds=None),
                         dict(mode=('middle', 'middle'))),
    SampleFrames=_Step(
        'samples',
        partial(_sample, 'consecutive'),
        dict(_CLIPS, frame_interval=1, out_of_bound_opt='loop'),
        dict(
            _TEST,
            temporal_jitter=(False, False),
            twice_sample=(False, False),
            target_fps=(None, None)),
        # Matters in training only.
        ignored=('keep_tail_frames', )),
    UniformWindowSample=_Step(
        'samples', partial(_sample, 'windows'),
        dict(_CLIPS, window=None, stride=16., num_windows=None), _TEST),
    DecodeFrames=_DECODE,
    DecordDecode=_DECODE,
    Resize=_Step('resizes', _resize_video, dict(_BILINEAR, keep_ratio=True),
                 _NOT_LAZY),
    ResizeShortEdge=_Step('resizes', _resize_short_side, _BILINEAR, _NOT_LAZY),
    CenterCrop=_Step('crops', partial(_crop, 'center', 1),
                     dict(crop_size=None), _NOT_LAZY),
    ThreeCrop=_Step('crops', partial(_crop, 'three', 3), dict(crop_size=None)),
    EvenCrops=_Step('crops', _even_crops, dict(crop_size=None, num_crops=3)),
    FormatShape=_Step(
        'formats',
        _nothing,
        demanded=dict(input_format=(None, 'NCTHW'), collapse=(False, False))),
    PackActionInputs=_Step(
        'packs',
        _nothing,
        ignored=('collect_keys', 'meta_keys', 'algorithm_keys')))
_IMAGE_STEPS: Dict[str, _Step] = dict(
    LoadImageFromFile=_LOAD_IMAGE,
    LoadCheckedImage=_LOAD_IMAGE,
    Resize=_Step(
        'resizes',
        _resize_image,
        dict(_BILINEAR, backend='cv2'),
        dict(keep_ratio=(False, False)),
        ignored=('clip_object_border', )),
    ResizeEdge=_Step('resizes', _resize_short_side,
                     dict(_BILINEAR, backend='cv2'),
                     dict(edge=('short', 'short'))),
    # A crop inside the image pads nothing.
    CenterCrop=_Step(
        'crops',
        partial(_crop, 'center-rounded', 1),
        dict(crop_size=None),
        ignored=('auto_pad', 'pad_cfg', 'clip_object_border')),
    PackInputs=_Step(
        'packs',
        _nothing,
        ignored=('input_key', 'algorithm_keys', 'meta_keys')))
