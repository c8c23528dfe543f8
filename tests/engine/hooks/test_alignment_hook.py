import random
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement
from torch import nn

from mmvideomamba.engine.hooks import alignment_hook
from mmvideomamba.engine.hooks.alignment_hook import (AlignmentHook,
                                                      AlignmentPicture,
                                                      draw_alignment,
                                                      undisturbed)
from mmvideomamba.registry import HOOKS

SIDE = 96


def some_clip(**kwargs) -> AlignmentPicture:
    mask = np.zeros((3, 2, 2), bool)
    mask[:, 0] = True
    cosine = np.full((3, 2, 2), 0.5)
    parts = dict(
        frames=np.full((3, SIDE, SIDE, 3), 200, np.uint8),
        mask=mask,
        attention=np.full((3, 2, 2), 0.1),
        seen=np.where(mask, np.nan, cosine),
        whole=cosine)
    return AlignmentPicture(**{**parts, **kwargs})


def cell(picture: np.ndarray, row: int, frame: int) -> np.ndarray:
    """Cut a frame out of the picture."""
    top, left = row * (SIDE + 4), 150 + frame * (SIDE + 4)
    return picture[top:top + SIDE, left:left + SIDE]


def test_rows() -> None:
    picture = draw_alignment(some_clip())
    assert picture.shape == (5 * (SIDE + 4), 150 + 3 * (SIDE + 4), 3)
    assert (cell(picture, 0, 1) == 200).all()
    seen = cell(picture, 1, 1)
    assert (seen[:48] == 40).all() and (seen[48:] == 200).all()
    # Dropped patches have no cosine when the student is masked.
    masked, whole = cell(picture, 3, 1), cell(picture, 4, 1)
    assert (masked[:48] == 40).all()
    assert (masked[48:] == whole[48:]).all()
    assert (whole[:48] == whole[48:]).all()


@pytest.mark.parametrize('row,part', [(2, 'attention'), (4, 'whole')])
def test_larger_values_look_brighter(row: int, part: str) -> None:
    values = np.zeros((3, 2, 2))
    values[1, 0, 0], values[1, 0, 1] = 1, 0.5
    picture = cell(draw_alignment(some_clip(**{part: values})), row, 1)
    levels = [picture[24, 24], picture[24, 72], picture[72, 72]]
    assert [int(v.sum()) for v in levels] == sorted(
        (int(v.sum()) for v in levels), reverse=True)


def test_a_white_object_does_not_look_attended() -> None:
    frames = np.zeros((3, SIDE, SIDE, 3), np.uint8)
    frames[:, :48, :48] = 255
    attention = np.zeros((3, 2, 2))
    attention[:, 0, 1], attention[:, 1, 1] = 0.5, 1
    clip = some_clip(frames=frames, attention=attention)
    picture = cell(draw_alignment(clip), 2, 1)
    white, attended = picture[24, 24], picture[24, 72]
    assert attended.sum() > white.sum()


def test_names_and_scales_stand_beside_the_rows(monkeypatch) -> None:
    texts, put = [], cv2.putText

    def note(image, text, *args):
        texts.append(text)
        (width, _), _ = cv2.getTextSize(text, args[1], args[2], args[4])
        assert args[0][0] + width <= alignment_hook.MARGIN, text
        assert args[0][1] < image.shape[0]
        return put(image, text, *args)

    monkeypatch.setattr(cv2, 'putText', note)
    draw_alignment(some_clip(frames=np.zeros((3, 16, 16, 3), np.uint8)))
    assert texts.count('blue 0, yellow max') == 1
    assert texts.count('blue <= 0, yellow 1') == 2


def test_tubelets_show_their_first_frame() -> None:
    frames = np.zeros((6, SIDE, SIDE, 3), np.uint8)
    frames[2] = 90
    picture = draw_alignment(some_clip(frames=frames))
    assert (cell(picture, 0, 1) == 90).all()


def test_small_frames_are_enlarged() -> None:
    frames = np.zeros((3, 32, 48, 3), np.uint8)
    picture = draw_alignment(some_clip(frames=frames))
    assert picture.shape[1] == 150 + 3 * (144 + 4)


def test_undisturbed() -> None:
    model = nn.Sequential(nn.Dropout(), nn.Linear(2, 2)).train()
    model[1].eval()
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    wanted = torch.rand(1), random.random(), np.random.rand()
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    with pytest.raises(KeyError), undisturbed(model):
        assert not model.training and not model[0].training
        torch.rand(1), random.random(), np.random.rand()
        raise KeyError
    assert (torch.rand(1), random.random(), np.random.rand()) == wanted
    assert [m.training for m in model] == [True, False]


class Explainer(nn.Module):
    """A model that explains, as UMT does, from the pixels alone."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = []

    def data_preprocessor(self, data: dict, training: bool) -> dict:
        assert not training
        return dict(
            inputs=torch.stack(data['inputs']).float(),
            data_samples=data['data_samples'])

    def explain(self, inputs, data_samples, masked: bool = True):
        self.seen.append((inputs.mean().item(), masked))
        mask = torch.zeros(1, 2, 2, 2, dtype=torch.bool)
        mask[..., 0] = masked
        cosine = torch.full(mask.shape, 0.5).masked_fill(mask, float('nan'))
        return SimpleNamespace(
            mask=mask, attention=torch.rand(1, 2, 2, 2), similarity=cosine)


def run(hook: AlignmentHook, iterations: int) -> tuple:
    model, shown = Explainer(), []
    runner = SimpleNamespace(
        iter=0,
        model=model,
        visualizer=SimpleNamespace(add_image=lambda *args: shown.append(args)))
    batch = dict(
        inputs=[
            torch.full((1, 3, 2, 16, 16), 10 * i, dtype=torch.uint8)
            for i in range(3)
        ],
        data_samples=[BaseDataElement() for _ in range(3)])
    for i in range(iterations):
        runner.iter = i
        hook.after_train_iter(runner, i, batch, {})
    return model, shown


def test_hands_pictures_to_the_visualizer() -> None:
    hook = HOOKS.build(
        dict(type='mmvideomamba.AlignmentHook', interval=2, num_clips=2))
    model, shown = run(hook, 4)
    assert [(name, step) for name, _, step in shown] == [
        ('alignment_0', 2),
        ('alignment_1', 2),
        ('alignment_0', 4),
        ('alignment_1', 4),
    ]
    assert model.seen[:4] == [(0, True), (0, False), (10, True), (10, False)]


def test_writes_into_the_folder(tmp_path) -> None:
    _, shown = run(AlignmentHook(interval=3, out_dir=str(tmp_path / 'a')), 3)
    assert shown == []
    picture = cv2.imread(str(tmp_path / 'a/alignment_0_3.png'))
    assert picture.shape[0] == 5 * (SIDE + 4)


def test_one_process_draws(monkeypatch) -> None:
    monkeypatch.setattr(alignment_hook, 'is_main_process', lambda: False)
    model, shown = run(AlignmentHook(interval=1), 2)
    assert model.seen == shown == []


@pytest.mark.parametrize('name', ['interval', 'num_clips'])
def test_bad_numbers(name: str) -> None:
    with pytest.raises(ValueError, match=f'{name} .* at least 1, but is 0'):
        AlignmentHook(**{name: 0})
