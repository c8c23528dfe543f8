"""Wrapped models give the results of the hosts' tests."""
from typing import Any, Callable, Dict

import pytest
import torch
from common import assert_close
from micro_models import backbone, build, classifier, head, recognizer
from torch import nn

from mmvideomamba.deployment import (BareBackbone, WholeClassifier,
                                     WholeRecognizer, wrap)
from mmvideomamba.deployment.verify import host_outputs

DISTILL = dict(
    type='mmvideomamba.TokenDistillHead',
    in_channels=8,
    teacher=backbone(),
    checkpoint='teacher.pth')
SIGMOID = head(multi_class=True, loss_cls=dict(type='BCELossWithLogits'))
MODELS: Dict[str, Callable[[], Any]] = dict(
    prob=recognizer,
    score=lambda: recognizer(head(average_clips='score')),
    several=lambda: recognizer(SIGMOID),
    several_score=lambda: recognizer(dict(SIGMOID, average_clips='score')),
    parts=lambda: recognizer(test_cfg=dict(max_testing_views=2)),
    attentive=lambda: recognizer(
        head(type='mmvideomamba.AttentiveHead', num_heads=2),
        backbone=backbone(out_type='raw')),
    number=lambda: recognizer(
        dict(type='mmvideomamba.VideoMambaRegressionHead', in_channels=8)),
    image=classifier,
    bgr=lambda: classifier(to_rgb=False),
    labels=lambda: classifier(
        head=dict(
            type='MultiLabelLinearClsHead', num_classes=3, in_channels=8)),
)


@pytest.mark.parametrize('name', MODELS)
def test_as_the_host(name: str) -> None:
    """Normalisation, colours, heads and the average are the host's."""
    model = MODELS[name]()
    wrapper = wrap(model).eval()
    x = wrapper.random_input((2, 3))
    with torch.no_grad():
        found = wrapper(x)
        assert_close(found[0], host_outputs(model, wrapper, x), 'chain')
    assert len(found) == len(wrapper.output_axes)
    for axes, output in zip(wrapper.output_axes.values(), found):
        sizes = dict(batch=2, views=3)
        assert output.shape[:len(axes)] == tuple(sizes[a] for a in axes)


def test_teachers_stay_behind() -> None:
    """A distilled model is exported without teacher and distillation head."""
    model = recognizer(
        type='mmvideomamba.DistilledRecognizer3D', distill_head=DISTILL)
    wrapper = wrap(model)
    assert isinstance(wrapper, WholeRecognizer)
    assert any('distill' in name for name, _ in model.named_parameters())
    names = [name for name, _ in wrapper.named_parameters()]
    assert names and not any('distill' in name for name in names)


def test_backbones() -> None:
    """Features of all indices are outputs with names."""
    model = build(
        backbone(
            arch=dict(embed_dims=8, num_layers=2),
            out_indices=(0, 1),
            stream_indices=0), 'mmaction')
    wrapper = wrap(model)
    assert isinstance(wrapper, BareBackbone)
    assert list(
        wrapper.output_axes) == ['features_0', 'features_1', 'stream_0']
    x = wrapper.random_input((2, ))
    assert x.shape == (2, 3, 2, 16, 16) and x.dtype == torch.float32
    for found, expected in zip(wrapper(x), model(x)):
        assert torch.equal(found, expected)
    assert list(wrap(build(backbone(),
                           'mmaction')).output_axes) == ['features']


def test_frames_are_drawn_by_the_seed() -> None:
    """Inputs are pixels of the size of the model."""
    wrapper = wrap(classifier())
    assert isinstance(wrapper, WholeClassifier)
    first = wrapper.random_input((4, ), seed=1)
    assert first.shape == (4, 16, 16, 3) and first.dtype == torch.uint8
    assert torch.equal(first, wrapper.random_input((4, ), seed=1))
    assert not torch.equal(first, wrapper.random_input((4, ), seed=2))


class _Retrieval(nn.Module):

    def __init__(self) -> None:
        super().__init__()
        self.data_preprocessor = self.vision_encoder = nn.Identity()


def test_refusals() -> None:
    """A model without an export is refused with the reason."""
    with pytest.raises(ValueError, match='_Retrieval compares videos with'):
        wrap(_Retrieval())
    with pytest.raises(ValueError, match='Linear neither classifies nor'):
        wrap(nn.Linear(2, 2))
    with pytest.raises(ValueError, match='average_clips of the head is None'):
        wrap(recognizer(head(average_clips=None)))
    with pytest.raises(ValueError, match='takes 1 channels'):
        wrap(build(backbone(in_channels=1), 'mmaction'))
    padded = dict(mean=[0.], std=[1.], pad_size_divisor=32)
    with pytest.raises(ValueError, match='multiples of 32'):
        wrap(classifier(data_preprocessor=padded))
