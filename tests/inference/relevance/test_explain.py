"""Relevance lies on the evidence of a class; the model stays unchanged."""
from typing import Any

import micro_models
import pytest
import torch
from mmaction.structures import ActionDataSample
from red_patch import FRAMES, GRID, make_input, make_model
from torch import Tensor, nn

from mmvideomamba.inference.relevance import (METHODS, class_row, explain,
                                              relevance)
from mmvideomamba.inference.relevance.recording import recorded_mixers

RED, BLUE = (2, 0, 1), (1, 1, 2)
ORDERS = ('spatial_first', 'temporal_first', 'spatiotemporal_v2')


def picture(frames: int) -> Tensor:
    """A red and a blue patch; only red counts for the model."""
    red, blue = (RED, BLUE) if frames > 1 else ((0, 0, 1), (0, 1, 2))
    return make_input(frames, red, blue)


def red_model(frames: int, **kwargs: Any) -> nn.Module:
    torch.manual_seed(0)
    model: Any = make_model(frames, **kwargs)
    # Slow decays, so that the class token hears far tokens.
    mixer = model.backbone.layers[0].mixer
    for layer in (mixer.dt_proj, mixer.dt_proj_b):
        nn.init.constant_(layer.bias, -2.)
    return model


@pytest.mark.parametrize('order', ORDERS)
@pytest.mark.parametrize('method', ['gradient', 'attribution'])
@pytest.mark.parametrize('frames', [1, FRAMES])
def test_the_red_patch(frames: int, method: str, order: str) -> None:
    """The red patch is the evidence of exactly one of two opposite classes."""
    model = red_model(frames, scan_order=order)
    x = picture(frames)
    maps = torch.cat([relevance(model, x, label, method) for label in (0, 1)])
    assert maps.shape == (2, frames, *GRID) and maps.dtype == torch.float32
    red, blue = (RED, BLUE) if frames > 1 else ((0, 0, 1), (0, 1, 2))
    seen = maps.sum(0)
    assert seen[red] > 3 * seen[blue]
    if method == 'gradient':
        # The convolution mixes the next three tokens into a token's content;
        # the gradient is taken before the convolution.
        assert seen[red] == seen.amax()


def test_attribution_is_exact() -> None:
    """The terms of all tokens sum up to the gradient times the output."""
    model = micro_models.recognizer().double()
    x = torch.randn(2, 3, 2, 16, 16).double()
    with recorded_mixers(model.backbone) as calls:
        model.backbone(x)
    call, = calls
    grad = torch.randn_like(call.y)
    row = class_row(call.mixer, call.x, call.order)
    read = (row.weights * row.content).sum(0)
    terms = (explain._through_out_proj(call, grad) * read).sum(-1)
    expected = (grad * call.y)[:, 0].sum(-1)  # out_proj has no bias
    torch.testing.assert_close(terms.sum(-1), expected)


def test_a_distilled_model_is_explained_without_the_teacher() -> None:
    teacher = micro_models.backbone(
        out_type='raw', arch=dict(embed_dims=12, num_layers=2))
    distill = dict(
        type='mmvideomamba.TokenDistillHead',
        in_channels=8,
        teacher=micro_models.build(teacher, 'mmaction'))
    model = micro_models.recognizer(
        type='mmvideomamba.DistilledRecognizer3D', distill_head=distill)
    plain = micro_models.recognizer()
    plain.load_state_dict({
        k: v
        for k, v in model.state_dict().items()
        if not k.startswith('distill_head')
    })
    x = torch.randint(256, (1, 3, 2, 16, 16), dtype=torch.uint8)
    for method in METHODS:
        assert torch.equal(
            relevance(model, x, 1, method), relevance(plain, x, 1, method))


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('kind', ['recognizer', 'classifier'])
def test_the_model_stays(method: str, kind: str) -> None:
    model = getattr(micro_models, kind)()
    model.train()
    model.backbone.norm_f.eval()
    modes = [m.training for m in model.modules()]
    shape = (3, 3, 2, 16, 16) if kind == 'recognizer' else (3, 3, 16, 16)
    x = torch.randint(256, shape, dtype=torch.uint8)
    kept = x.clone()
    with torch.inference_mode():
        maps = relevance(model, x, method=method)
    assert maps.shape[:2] == (3, shape[2] if kind == 'recognizer' else 1)
    assert maps.sum() > 0 and not maps.amin() < 0
    assert not maps.requires_grad
    assert [m.training for m in model.modules()] == modes
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks for m in model.modules())
    assert torch.equal(x, kept)


@pytest.mark.parametrize('method', METHODS)
def test_frozen_weights_and_parts_of_the_views(method: str) -> None:
    """Views are explained a few at a time, each as if alone."""
    model = micro_models.recognizer()
    model.requires_grad_(False)
    x = torch.randint(256, (5, 3, 2, 16, 16), dtype=torch.uint8)
    together = relevance(model, x, 1, method)
    single = torch.cat([relevance(model, v[None], 1, method) for v in x])
    torch.testing.assert_close(together, single)


def test_the_label_of_a_video_is_that_of_all_views() -> None:
    model = micro_models.recognizer()
    x = torch.randint(256, (3, 3, 2, 16, 16), dtype=torch.uint8)
    with torch.no_grad():
        scores = model.test_step(
            dict(inputs=[x], data_samples=[ActionDataSample()]))
    best = int(scores[0].pred_label)
    assert torch.equal(relevance(model, x), relevance(model, x, best))
    other = min({0, 1, 2} - {best})
    of_other = relevance(model, x, other)
    assert not torch.equal(relevance(model, x), of_other)
    mixed = relevance(model, x, [best, other, best])
    torch.testing.assert_close(mixed[1], of_other[1])


def test_tubelets_and_overlapping_patches() -> None:
    model = micro_models.recognizer(
        backbone=micro_models.backbone(
            num_frames=4, tubelet_size=2, patch_stride=4))
    x = torch.randint(256, (1, 3, 4, 16, 16), dtype=torch.uint8)
    assert relevance(model, x).shape == (1, 2, 3, 3)


def test_bad_arguments() -> None:
    model = micro_models.recognizer()
    x = torch.zeros(2, 3, 2, 16, 16)
    with pytest.raises(ValueError, match="unknown method 'magic'"):
        relevance(model, x, method='magic')
    with pytest.raises(ValueError, match='label 3 is not a class'):
        relevance(model, x, 3)
    with pytest.raises(ValueError, match='3 labels are given for 2 inputs'):
        relevance(model, x, [0, 1, 2])
    with pytest.raises(ValueError, match='inputs must be views'):
        relevance(model, x[0, 0, 0])
    with pytest.raises(ValueError, match='Linear has no VideoMamba'):
        relevance(nn.Linear(2, 2), x)
    model.cls_head = None
    with pytest.raises(ValueError, match='no scores of classes'):
        relevance(model, x)


def test_no_gradient() -> None:
    model = micro_models.recognizer()
    x = torch.zeros(1, 3, 2, 16, 16)
    run = model.backbone.forward
    model.backbone.forward = torch.no_grad()(run)
    with pytest.raises(ValueError, match='no gradient of the score'):
        relevance(model, x)
    assert relevance(model, x, method='attention').sum() > 0
