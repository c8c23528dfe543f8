"""Views of validation and test, against a NumPy form of the published ones.

The form below is written from the rules alone and shares no code with the
transforms: frame numbers, size of a resized frame, places of the crops,
normalisation.
"""
import copy
import re
import textwrap
from pathlib import Path
from typing import List

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, TRANSFORMS, DefaultScope
from video_table import FOLDER

from mmvideomamba.inference.pipeline import VideoPipeline

TOTAL = 29
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
RECIPES = {
    'kinetics400': 'tiny_in1k-pre_8xb64-u8-70e_kinetics400',
    'sthv2': 'tiny_ssv2-u16-pre_16xb32-u16-10e-res288_sthv2',
    'coin': 'tiny_k400-u32-pre_8xb32-u32-40e_coin',
}


def published_frames(data: str, part: str, number: int,
                     clips: int) -> List[List[int]]:
    """Return the frame numbers of each clip."""
    if data == 'sthv2':
        starts = [0.5] if part == 'val' else [0., 0.5]
        return [[int(TOTAL / number * (i + start)) for i in range(number)]
                for start in starts]
    step = (TOTAL - 1) / number
    return [[
        min(round(step * i) + int(step / (clips + 1) * (clip + 1)), TOTAL - 1)
        for i in range(number)
    ] for clip in range(clips)]


def published_views(video: np.ndarray, side: int, part: str,
                    clips: List[List[int]]) -> np.ndarray:
    """Return the normalised views (crops * clips, 3, t, side, side)."""
    height, width = video.shape[1:3]
    if width < height:
        size = (side, int(side * height / width))
    else:
        size = (int(side * width / height), side)
    if side != min(height, width):
        video = np.stack([
            cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
            for frame in video
        ])
    margin = max(size) - side
    starts = [int(round(margin / 2))] if part == 'val' else [
        int(crop * margin / 2) for crop in range(3)
    ]
    views = []
    for start in starts:
        top, left = (start, 0) if height >= width else (0, start)
        for frames in clips:
            crop = video[frames, top:top + side, left:left + side]
            crop = crop.astype(np.float32) / 255
            crop = (crop - MEAN) / STD
            views.append(crop.transpose(3, 0, 1, 2))
    return np.stack(views)


def config_of(data: str) -> Path:
    return Path(FOLDER) / data / f'videomamba-{RECIPES[data]}-rgb.py'


@pytest.mark.parametrize('data, part, height, width', [
    ('kinetics400', 'test', 256, 340),
    ('kinetics400', 'test', 340, 256),
    ('kinetics400', 'val', 240, 320),
    ('kinetics400', 'val', 227, 224),
    ('sthv2', 'test', 240, 427),
    ('sthv2', 'val', 240, 427),
    ('coin', 'val', 360, 640),
    ('kinetics400', 'one', 227, 224),
])
def test_views_are_published_ones(data: str, part: str, height: int,
                                  width: int) -> None:
    cfg = Config.fromfile(config_of(data))
    # An array takes the place of a video file, all other steps stay.
    if part == 'one':  # of inferencers and demos: the view of validation
        pipeline = VideoPipeline(cfg.test_pipeline, 'one')
        part = 'val'
    else:
        pipeline = VideoPipeline(cfg[f'{part}_dataloader'].dataset.pipeline)
    video = np.random.default_rng(0).integers(
        0, 256, (TOTAL, height, width, 3)).astype(np.uint8)
    sample = pipeline(video)
    preprocessor = copy.deepcopy(cfg.model.data_preprocessor)
    with DefaultScope.overwrite_default_scope('mmaction'):
        prepare = MODELS.build(preprocessor)
    inputs = prepare(
        dict(inputs=[sample['inputs']],
             data_samples=[sample['data_samples']]))['inputs']
    backbone = cfg.model.backbone
    frames = published_frames(data, part, backbone.num_frames,
                              4 if part == 'test' else 1)
    expected = published_views(video, backbone.get('img_size', 224), part,
                               frames)
    torch.testing.assert_close(
        inputs[0], torch.from_numpy(expected), rtol=0, atol=5e-7)


def test_frames_of_folders(tmp_path: Path) -> None:
    """The child config in the README, with frames by the published rules."""
    path = config_of('sthv2')
    readme = (path.parent / 'README.md').read_text()
    code, = re.findall(r'```python\n(.*?)```', readme, flags=re.S)
    child = tmp_path / 'child.py'
    child.write_text(f'_base_ = {str(path)!r}\n' + textwrap.dedent(code))
    cfg = Config.fromfile(child)
    number = cfg.model.backbone.num_frames
    for total in (number - 3, 5 * number + 9):
        whole = total // number
        val = [i * whole + whole // 2
               for i in range(number)] if whole else [0, 0, 0, *range(total)]
        test = [
            int(total / number * (i + start)) for start in (0, 0.5)
            for i in range(number)
        ]
        for part, expected in dict(val=val, test=test).items():
            dataset = cfg[f'{part}_dataloader'].dataset
            assert dataset.type == 'mmvideomamba.CheckedRawframeDataset'
            with DefaultScope.overwrite_default_scope('mmaction'):
                choose = TRANSFORMS.build(dataset.pipeline[0])
            found = choose(dict(total_frames=total, start_index=1))
            assert found['frame_inds'].tolist() == [i + 1 for i in expected]
