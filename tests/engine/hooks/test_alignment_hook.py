from types import SimpleNamespace
from typing import Callable

import cv2
import pytest
import torch
from clips_by_hand import clips_by_hand
from mmengine.structures import BaseDataElement
from torch import nn

from mmvideomamba.engine import clip_maker
from mmvideomamba.engine.hooks import AlignmentHook, alignment_hook
from mmvideomamba.ops.clip_augment import ClipDraws, encode
from mmvideomamba.registry import HOOKS

SIDE = 96


class Preprocessor(nn.Module):
    device = torch.device('cpu')

    def forward(self, data: dict, training: bool) -> dict:
        assert not training
        return dict(
            inputs=torch.stack(data['inputs']).float(),
            data_samples=data['data_samples'])


class Explainer(nn.Module):
    """A model with UMT's ``explain``, from the pixels alone."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = []
        self.data_preprocessor = Preprocessor()

    def explain(self, inputs, data_samples, masked: bool = True):
        self.seen.append((inputs.mean().item(), masked))
        mask = torch.zeros(1, 2, 2, 2, dtype=torch.bool)
        mask[..., 0] = masked
        cosine = torch.full(mask.shape, 0.5).masked_fill(mask, float('nan'))
        return SimpleNamespace(
            mask=mask, attention=torch.rand(1, 2, 2, 2), similarity=cosine)


def run(hook: AlignmentHook,
        iterations: int,
        wrap: Callable = lambda model: model,
        **data: list) -> tuple:
    model, shown = Explainer(), []
    runner = SimpleNamespace(
        iter=0,
        model=wrap(model),
        visualizer=SimpleNamespace(add_image=lambda *args: shown.append(args)))
    batch = dict(
        inputs=[
            torch.full((1, 3, 2, 16, 16), 10 * i, dtype=torch.uint8)
            for i in range(3)
        ],
        data_samples=[BaseDataElement() for _ in range(3)])
    batch.update(data)
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


def test_frames_as_decoded(monkeypatch) -> None:
    """Clips for augmentation on the GPU; a copy holds no frames."""
    monkeypatch.setattr(clip_maker, 'clip_augment', clips_by_hand)
    draws = encode(ClipDraws(box=(0, 0, 16, 16), size=(16, 16)))
    frames = torch.full((2, 16, 16, 3), 7, dtype=torch.uint8)
    model, shown = run(
        AlignmentHook(interval=1, num_clips=2),
        1,
        inputs=[frames, frames[:0], frames + 1],
        clip_draws=[draws] * 3)
    assert [name for name, *_ in shown] == ['alignment_0', 'alignment_1']
    assert model.seen == [(7, True), (7, False)] * 2


def test_looks_into_a_wrapped_model() -> None:
    """As several processes train the model."""
    model, shown = run(AlignmentHook(interval=1), 1, nn.DataParallel)
    assert len(model.seen) == 2 * len(shown) > 0


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
