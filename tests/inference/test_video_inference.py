"""The cost of views is logged once; results hold names and errors."""
from typing import Any, List

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from tiny_recipes import tiny_recognizer

from mmvideomamba.inference.video_inference import (VideoInference,
                                                    extra_values, tell_views,
                                                    to_dict)

STEPS = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='UniformSample', clip_len=4, num_clips=2, test_mode=True),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='ThreeCrop', crop_size=32),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]


@pytest.fixture
def inference() -> VideoInference:
    data = dict(metainfo=dict(classes=['a', 'b', 'c']))
    return VideoInference(tiny_recognizer(), STEPS, data)


def score(inference: VideoInference, *items: Any) -> List[ActionDataSample]:
    return [
        result for batch in inference.batches(inference.list_inputs(items), 2)
        for result in inference.forward(batch)
    ]


def test_results(inference: VideoInference) -> None:
    frames = np.random.randint(0, 256, (5, 32, 40, 3), np.uint8)
    found = [to_dict(one) for one in score(inference, frames, 'gone.mp4')]
    first, bad = found
    assert first['pred_classes'] == ['abc'[first['pred_labels'][0]]]
    assert len(first['pred_scores']) == 3
    assert first['input'] == 'array (5, 32, 40, 3)' and 'error' not in first
    assert bad['pred_labels'] == bad['pred_scores'] == []
    assert bad['input'] == 'gone.mp4'
    assert bad['error'].startswith('video gone.mp4 does not exist')


def test_number_has_no_label() -> None:
    result = ActionDataSample(metainfo=dict(input_name='a.mp4'))
    result.set_pred_score(torch.tensor([0.5]))
    assert to_dict(result) == dict(
        pred_labels=[], pred_scores=[0.5], input='a.mp4')
    assert extra_values(result) == dict(input='a.mp4')


def test_label_file(inference: VideoInference, tmp_path: Any) -> None:
    path = tmp_path / 'names.txt'
    path.write_text('x\ny\nz\n')
    inference.read_label_file(str(path))
    assert inference.classes == ['x', 'y', 'z']


def test_cost_is_told_once(inference: VideoInference,
                           mm_log: List[str]) -> None:
    tell_views.cache_clear()
    for _ in range(2):
        inference.batches([], 1)
    assert len(mm_log) == 1
    assert 'on 6 views (2 clips x 3 crops), as by tools/test.py' in mm_log[0]
    inference.pipeline.set_views('one')
    tell_views.cache_clear()
    inference.batches([], 1)
    assert len(mm_log) == 1


def test_cost_of_windows(mm_log: List[str]) -> None:
    tell_views.cache_clear()
    tell_views(4, 3, True)
    assert 'on 12 views of each window (4 clips x 3 crops)' in mm_log[0]
    tell_views(1, 1, False)
    assert len(mm_log) == 1


def test_unknown_format() -> None:
    with pytest.raises(ValueError, match="input_format must be .* 'film'"):
        VideoInference(tiny_recognizer(), STEPS, input_format='film')
