"""``init_recognizer`` keeps names, ``inference_recognizer`` takes all."""
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from tiny_recipes import recipe, save_model
from torch import nn

NAMES = tuple('abcdefgh')


@pytest.fixture
def model(make_video: Callable[..., Path], tmp_path: Path) -> Any:
    cfg = recipe('quickstart', tmp_path, make_video(frames=9))
    checkpoint = save_model(cfg, tmp_path / 'model.pth', NAMES)
    return init_recognizer(cfg, checkpoint, device='cpu')


FRAMES = np.random.RandomState(0).randint(0, 256, (9, 40, 48, 3), np.uint8)


def test_array_and_views(model: Any) -> None:
    found = inference_recognizer(model, dict(array=FRAMES))
    assert found.pred_class == [NAMES[int(found.pred_label)]]
    again = inference_recognizer(model, FRAMES, None, 'all')
    assert torch.equal(found.pred_score, again.pred_score)
    one = inference_recognizer(model, FRAMES, views='one')
    assert not torch.equal(found.pred_score, one.pred_score)
    with pytest.raises(ValueError, match='views must be .* but is 0'):
        inference_recognizer(model, FRAMES, views=0)


def test_loop_of_a_camera_demo(model: Any) -> None:
    """The host's demos cut reading from the pipeline, and give frames."""
    skipped = ('OpenVideo', 'UniformSample', 'DecodeFrames')
    steps = [
        step for step in model.cfg.test_pipeline
        if not step['type'].endswith(skipped)
    ]
    pipeline = Compose(steps)
    data = dict(
        img_shape=(40, 48), modality='RGB', label=-1, num_clips=1, clip_len=4)
    data['imgs'] = list(FRAMES[:4])
    found = inference_recognizer(model, dict(data), pipeline)
    with torch.no_grad():
        expected, = model.test_step(pseudo_collate([pipeline(dict(data))]))
    torch.testing.assert_close(found.pred_score, expected.pred_score)
    short = inference_recognizer(model, dict(imgs=data['imgs']))
    torch.testing.assert_close(found.pred_score, short.pred_score)


class Other(nn.Module):
    """A model of the host, with the attributes read by the function."""

    cfg = Config(dict(test_pipeline=[]))

    def test_step(self, data: dict) -> list:
        return [data]


def test_model_of_the_host_is_left_alone() -> None:
    model = Other()
    assert inference_recognizer(model, dict(a=1)) == dict(a=[1])
    with pytest.raises(RuntimeError, match='argument `video` is not support'):
        inference_recognizer(model, FRAMES)
    with pytest.raises(ValueError, match="views='one' needs a model of mmv"):
        inference_recognizer(model, dict(a=1), views='one')
