"""The function behind ``inference_recognizer``."""
from pathlib import Path
from typing import Any, Callable, List

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from tiny_recipes import tiny_recognizer

from mmvideomamba.datasets.video import MissingMediaError
from mmvideomamba.inference.recognize import (_inference, _tell_difference,
                                              build_inference, recognize,
                                              test_data_set)

test_data_set.__test__ = False  # type: ignore[attr-defined]
STEPS = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='UniformSample', clip_len=4, num_clips=2, test_mode=True),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='Resize', scale=(-1, 32)),
    dict(type='ThreeCrop', crop_size=32),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]


@pytest.fixture(scope='module')
def model() -> Any:
    model = tiny_recognizer()
    model.cfg = Config(dict(test_pipeline=STEPS))
    return model


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.RandomState(0).randint(0, 256, (9, 40, 48, 3), np.uint8)


def test_views_and_names(model: Any, frames: np.ndarray,
                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        model, 'dataset_meta', dict(classes=('a', 'b', 'c')), raising=False)
    found = [recognize(model, frames, views=n) for n in ('all', 'one', 1)]
    assert len(found[0].pred_score) == 3
    assert not torch.equal(found[0].pred_score, found[1].pred_score)
    torch.testing.assert_close(found[1].pred_score, found[2].pred_score)
    assert found[0].pred_class == ['abc'[int(found[0].pred_label)]]


def test_given_pipeline(model: Any, frames: np.ndarray) -> None:
    steps = [step for step in STEPS if 'Video' not in step['type']]
    steps[1] = dict(type='mmvideomamba.DecodeArray')
    expected = recognize(model, frames)
    with DefaultScope.overwrite_default_scope('mmaction'):
        pipeline = Compose(steps)
    for item in (frames, dict(array=frames)):
        found = recognize(model, item, pipeline)
        torch.testing.assert_close(found.pred_score, expected.pred_score)
    # A dict of another form is the pipeline's business.
    with pytest.raises(KeyError):
        recognize(model, dict(keypoint=1), pipeline)
    with pytest.raises(ValueError, match="views='one' and a test_pipeline"):
        recognize(model, frames, pipeline, 'one')


def test_bad_input(model: Any, frames: np.ndarray) -> None:
    with pytest.raises(MissingMediaError, match='gone.mp4 does not exist'):
        recognize(model, 'gone.mp4')
    with pytest.raises(ValueError, match='2 videos are given'):
        recognize(model, [frames, frames])
    with pytest.raises(ValueError, match="views must be .* is 'some'"):
        recognize(model, frames, views='some')


def test_config_without_pipeline(frames: np.ndarray) -> None:
    model = tiny_recognizer()
    model.cfg = Config(dict(a=1))
    for call in (lambda: recognize(model, frames),
                 lambda: build_inference(model, model.cfg)):
        with pytest.raises(ValueError, match='neither a test_dataloader'):
            call()


def config(**values: Any) -> Config:
    data = dict(type='A', dataset=dict(type='B', pipeline=STEPS[:3]))
    return Config(dict(test_dataloader=dict(dataset=data), **values))


def test_data_set_of_a_config() -> None:
    assert test_data_set(config()).type == 'B'
    assert test_data_set(Config(dict(a=1))) == {}


def test_two_pipelines(model: Any, mm_log: List[str]) -> None:
    """The function takes the host's pipeline, the inferencer the tool's."""
    cfg = config(test_pipeline=STEPS)
    inferencer = build_inference(model, cfg)
    assert [s['type'] for s in inferencer.pipeline.steps
            ] == [step['type'] for step in STEPS[:3]]
    two = tiny_recognizer()
    mm_log.clear()
    two.cfg = cfg
    _tell_difference.cache_clear()
    for _ in range(2):
        assert len(_inference(two, 'all').pipeline.steps) == len(STEPS)
    assert len(mm_log) == 1 and 'test_pipeline differs' in mm_log[0]
    two.cfg = config(test_pipeline=STEPS[:3])
    _inference(two, 'all')
    assert len(mm_log) == 1


def test_folder_of_one_video(model: Any, make_video: Callable[...,
                                                              Path]) -> None:
    path = make_video(frames=9)
    found = [recognize(model, item) for item in (path, str(path.parent))]
    torch.testing.assert_close(found[0].pred_score, found[1].pred_score)
