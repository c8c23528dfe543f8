"""A rule gives the frames and the pixels of the pipeline."""
import json
import re
from operator import itemgetter
from pathlib import Path
from typing import Any, Callable, Dict, List

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from script import ROOT, load_script
from video_kinds import VideoKinds

from mmvideomamba.datasets.video import open_video
from mmvideomamba.inference.pipeline import VideoPipeline
from mmvideomamba.inference.saved.sampling_rule import sampling_rule

consumer = load_script('docs/consumers/run_onnx.py')
DATA = ROOT / 'configs' / '_base_' / 'datasets'
# Leaf configs with pipelines different from their data set's.
LEAVES = ('pretraining/quickstart/clip-micro_1xb64-15e_quickstart-frames.py',
          'classification/videomamba-middle_res448-pre_16xb32-10e_in1k-'
          'res576.py', 'retrieval/videomamba-middle_umt-25m-pre_8xb128-u1-'
          '10e_coco.py', 'retrieval/videomamba-middle_umt-25m-pre_8xb32-u12-'
          '10e_didemo.py', 'recognition/lvu/videomamba-tiny_k400-u32-pre_'
          '8xb8-u32-70e_lvu-genre-60s-rgb.py')


def pipelines() -> Dict[str, List[dict]]:
    """Return the pipelines of validations and tests.

    Of pipelines equal except for numbers, the shortest is taken.
    """
    found: Dict[str, Any] = {}
    files = [
        *sorted(DATA.glob('*.py')), *(ROOT / 'configs' / x for x in LEAVES)
    ]
    for path in files:
        cfg = Config.fromfile(path)
        for part in ('val', 'test'):
            data = (cfg.get(f'{part}_dataloader') or {}).get('dataset', {})
            if 'pipeline' in data:
                text = json.dumps(data.pipeline)
                numbers = [int(x) for x in re.findall(r'\d+', text)]
                steps = json.loads(text, object_hook=restore)
                row = sum(numbers), f'{path.stem}-{part}', steps
                key = re.sub(r'\d+', '0', text)
                found[key] = min(row, found.get(key, row), key=itemgetter(0))
    assert len(found) > 12
    return {name: steps for _, name, steps in found.values()}


def restore(step: dict) -> dict:
    """Turn lists into tuples: the host's steps take no lists."""
    return {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in step.items()
    }


PIPELINES = pipelines()


def by_pipeline(steps: List[dict], path: Path) -> np.ndarray:
    """Return the views of a pipeline, (m, t, h, w, 3), RGB."""
    if steps[-1]['type'] == 'PackInputs':
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            packed = Compose(steps)(dict(img_path=str(path)))
        # The preprocessor of the model turns BGR into RGB.
        image = packed['inputs'].numpy().transpose(1, 2, 0)
        return image[None, None, ..., ::-1]
    packed = VideoPipeline(steps)(str(path))
    return packed['inputs'].numpy().transpose(0, 2, 3, 4, 1)


@pytest.fixture
def media(make_video: Callable[..., Path], tmp_path: Path) -> Dict[str, list]:
    """Return landscape, portrait, square and short media."""
    noise = np.random.RandomState(1).randint(0, 256, (53, 76, 3), np.uint8)
    images = [tmp_path / 'wide.png', tmp_path / 'high.png']
    cv2.imwrite(str(images[0]), noise)
    cv2.imwrite(str(images[1]), noise.transpose(1, 0, 2))
    videos = [
        make_video('wide.mp4', frames=61, size=(78, 50)),
        make_video('high.mp4', frames=39, size=(50, 66)),
        make_video('short.mp4', frames=5, size=(48, 48)),
    ]
    return dict(image=images, video=videos)


@pytest.mark.parametrize('name', PIPELINES)
def test_pixels_of_the_recipes(name: str, media: Dict[str, list]) -> None:
    steps = PIPELINES[name]
    rule = json.loads(json.dumps(sampling_rule(steps)))
    assert rule['kind'] != 'unknown', rule
    for path in media['image' if rule['kind'] == 'image' else 'video']:
        expected = by_pipeline(steps, path)
        found = consumer.read_views(str(path), rule)
        assert rule['views'] in (None, len(found))
        assert found.shape[2:] == (rule['size'], rule['size'], 3)
        np.testing.assert_array_equal(found, expected)


def steps_of(sampler: dict, *pixels: dict) -> List[dict]:
    """Return a pipeline for videos."""
    return [
        dict(type='mmvideomamba.OpenVideo'), sampler,
        dict(type='mmvideomamba.DecodeFrames'),
        *(pixels or (dict(type='Resize', scale=(32, 32), keep_ratio=False), )),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs')
    ]


DENSE: Dict[str, Any] = dict(
    type='SampleFrames', clip_len=4, frame_interval=3, test_mode=True)
UNIFORM: Dict[str, Any] = dict(
    type='UniformSample', clip_len=4, test_mode=True)
EXTRA = {
    'one dense clip':
    steps_of(DENSE),
    'dense clips':
    steps_of(dict(DENSE, num_clips=3)),
    'last frame repeated':
    steps_of(dict(DENSE, frame_interval=7, out_of_bound_opt='repeat_last')),
    'decord': [
        dict(type='DecordInit'), UNIFORM,
        dict(type='DecordDecode'), *steps_of(UNIFORM)[3:]
    ],
    'odd margins':
    steps_of(UNIFORM, dict(type='Resize', scale=(-1, 37)),
             dict(type='CenterCrop', crop_size=24)),
    'five crops':
    steps_of(UNIFORM, dict(type='mmvideomamba.ResizeShortEdge', scale=31),
             dict(type='mmvideomamba.EvenCrops', crop_size=31, num_crops=5)),
}


@pytest.mark.parametrize('name', EXTRA)
def test_pixels_of_other_pipelines(name: str, media: Dict[str, list]) -> None:
    if name == 'decord':
        pytest.importorskip('decord', reason='the extra decord is missing')
        media['video'][1:] = []  # decord fails at some other sizes
    rule = sampling_rule(EXTRA[name])
    for path in media['video']:
        np.testing.assert_array_equal(
            consumer.read_views(str(path), rule),
            by_pipeline(EXTRA[name], path))


@pytest.mark.parametrize('data_set, views', [
    (dict(window=2., stride=1.5), 10),
    (dict(window=2., stride=1.5, num_windows=2), 4),
    (dict(window=60.), 2),
    ({}, 2),
])
def test_windows_of_a_data_set(data_set: dict, views: int,
                               make_video: Callable[..., Path]) -> None:
    """Windows are as long, as far apart and as many as in the test."""
    path = make_video('long.mp4', frames=73, fps=10.)
    steps = steps_of(
        dict(
            type='mmvideomamba.UniformWindowSample',
            clip_len=4,
            num_clips=2,
            test_mode=True))
    packed = VideoPipeline(steps, data_set=data_set)(str(path))['inputs']
    found = consumer.read_views(str(path), sampling_rule(steps, data_set))
    assert len(found) == views
    np.testing.assert_array_equal(found,
                                  packed.numpy().transpose(0, 2, 3, 4, 1))


@pytest.mark.slow
@pytest.mark.parametrize('name', [
    'h264.mp4', 'mirrored_turned.mov', 'turned_90.mp4', 'edit_list_cut.mp4',
    'uneven.mkv', 'palette.gif', 'two_videos.mkv'
])
def test_frames_of_special_files(name: str, video_kinds: VideoKinds) -> None:
    path = str(video_kinds.path(name))
    with open_video(path) as video:
        expected = video.get_frames(range(len(video)))
        assert consumer.frame_rate(path) == video.avg_fps
    found = [consumer.to_array(x) for x in consumer.open_video(path)]
    np.testing.assert_array_equal(np.stack(found), expected)


RESIZE = dict(type='Resize', scale=(-1, 32))
BEYOND = [
    # A random order, random frames, other rules of a sampler.
    (steps_of(UNIFORM, dict(type='mmvideomamba.ShuffleFrames'),
              RESIZE), 'ShuffleFrames'),
    (steps_of(dict(UNIFORM, test_mode=False)), r'test_mode=False'),
    (steps_of(dict(DENSE, twice_sample=True)), 'twice_sample=True'),
    (steps_of(dict(DENSE, target_fps=30)), 'target_fps=30'),
    (steps_of(dict(DENSE, clip_len=1, num_clips=4)), 'clip_len=1'),
    (steps_of(dict(UNIFORM, new_rule=1)), 'new_rule=1'),
    (steps_of(
        dict(
            type='mmvideomamba.UniformWindowSample',
            test_mode=True,
            window=None)), 'length of the windows'),
    # Views of several or non-square sizes, and views refused by a step.
    (steps_of(UNIFORM, RESIZE), 'another size'),
    (steps_of(UNIFORM, dict(type='Resize', scale=(32, 24),
                            keep_ratio=False)), '32 x 24'),
    (steps_of(UNIFORM, dict(type='Resize', scale=(32, 24))), 'keep_ratio'),
    (steps_of(UNIFORM, RESIZE, dict(type='ThreeCrop', crop_size=24)), 'fit'),
    (steps_of(UNIFORM, RESIZE, dict(type='CenterCrop',
                                    crop_size=(32, 24))), 'not square'),
    (steps_of(UNIFORM, RESIZE,
              dict(type='mmvideomamba.EvenCrops', crop_size=24,
                   num_crops=1)), 'shorter side of 24'),
    (steps_of(UNIFORM, dict(type='CenterCrop', crop_size=24)), 'not resize'),
    (steps_of(UNIFORM, dict(RESIZE, lazy=True)), 'lazy=True'),
    (steps_of(UNIFORM, dict(type='CenterCrop', crop_size=24),
              RESIZE), 'another place'),
    (steps_of(UNIFORM, dict(type='Flip', flip_ratio=1.)), 'Flip'),
    # Folders of frames, other layouts, other hosts, no pipeline.
    ([dict(type='RawFrameDecode')], 'RawFrameDecode'),
    (steps_of(UNIFORM)[:-2] + [
        dict(type='FormatShape', input_format='NCHW'),
        dict(type='PackActionInputs')
    ], "'NCHW'"),
    (steps_of(UNIFORM, dict(type='mmpretrain.Resize', scale=32)), 'Resize'),
    (steps_of(UNIFORM)[:-1], 'packed'),
    ([], 'packed'),
]


@pytest.mark.parametrize('steps, reason', BEYOND)
def test_pipelines_beyond_the_rules(steps: List[dict], reason: str) -> None:
    rule = sampling_rule(steps)
    assert rule['kind'] == 'unknown'
    assert reason in rule['reason']


def test_short_videos_are_refused_alike(
        make_video: Callable[..., Path]) -> None:
    steps = steps_of(UNIFORM)
    steps[0] = dict(type='mmvideomamba.OpenVideo', min_frames=9)
    path = make_video('short.mp4', frames=8)
    with pytest.raises(consumer.Refused, match='has 8 frames, and needs 9'):
        consumer.read_views(str(path), sampling_rule(steps))
    with pytest.raises(ValueError, match='has 8 frames'):
        by_pipeline(steps, path)
