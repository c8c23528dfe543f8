"""The test pipeline of a sampling rule, for exported files."""
from typing import Any, Dict, List

from .sampling_rule import Rule

_BACKENDS = dict(opencv='cv2', pillow='pillow')


def _sampler(rule: Rule) -> Dict[str, Any]:
    """Return the step that chooses the frames."""
    kind = rule['kind']
    clips = dict(clip_len=rule['frames'], num_clips=rule['clips'])
    test = dict(clips, test_mode=True)
    if kind == 'uniform':
        return dict(type='UniformSample', **test)
    if kind == 'segments':
        return dict(type='mmvideomamba.SegmentSample', **test)
    if kind == 'intervals':
        return dict(
            type='mmvideomamba.IntervalSample',
            clip_len=rule['frames'],
            max_seconds=rule['max_seconds'])
    if kind == 'consecutive':
        more = {k: rule[k] for k in ('frame_interval', 'out_of_bound_opt')}
        return dict(type='SampleFrames', **test, **more)
    if kind == 'windows':
        more = {k: rule[k] for k in ('window', 'stride', 'num_windows')}
        return dict(type='mmvideomamba.UniformWindowSample', **test, **more)
    raise ValueError(f'the rule of sampling {kind!r} is not known; export the '
                     'model again')


def _resize(rule: Rule) -> Dict[str, Any]:
    """Return the step that resizes."""
    how, images = rule['resize'], rule['kind'] == 'image'
    more = dict(interpolation=how['interpolation'])
    if images:
        more['backend'] = _BACKENDS[how['library']]
    if 'width' in how:
        size = (how['width'], how['height'])
        return dict(type='Resize', scale=size, keep_ratio=False, **more)
    short = how['short_side']
    if images:
        return dict(type='ResizeEdge', scale=short, edge='short', **more)
    if how['rounding'] == 'down':
        return dict(type='mmvideomamba.ResizeShortEdge', scale=short, **more)
    return dict(type='Resize', scale=(-1, short), **more)


def _crops(rule: Rule) -> List[Dict[str, Any]]:
    """Return the step that crops, if there is one."""
    kind, size = rule['crop'], rule['size']
    if kind == 'none':
        return []
    if kind == 'center' or rule['kind'] == 'image':
        return [dict(type='CenterCrop', crop_size=size)]
    if kind == 'three':
        return [dict(type='ThreeCrop', crop_size=size)]
    return [
        dict(
            type='mmvideomamba.EvenCrops',
            crop_size=size,
            num_crops=rule['crops'])
    ]


def rule_steps(rule: Rule) -> List[Dict[str, Any]]:
    """Return the test pipeline of a sampling rule.

    Args:
        rule (dict): From ``sampling_rule``.

    Returns:
        list[dict]: Steps, of which ``sampling_rule`` gives the same rule.

    Raises:
        ValueError: If the rule is of an unknown kind.
    """
    if rule['kind'] == 'unknown':
        raise ValueError(f'the rule of sampling is unknown: {rule["reason"]}')
    if rule['kind'] == 'image':
        return [
            dict(type='LoadImageFromFile'),
            _resize(rule), *_crops(rule),
            dict(type='PackInputs')
        ]
    least = dict(min_frames=rule['min_frames']) if 'min_frames' in rule else {}
    return [
        dict(type='mmvideomamba.OpenVideo', **least),
        _sampler(rule),
        dict(type='mmvideomamba.DecodeFrames'),
        _resize(rule), *_crops(rule),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs')
    ]
