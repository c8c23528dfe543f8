"""The loss of each flow, forward and backward, without a wait for a GPU.

Without a GPU tensors of the device 'meta' stand in: a look at values is an
error, as is a copy from or to the CPU.
"""
from contextlib import contextmanager, nullcontext
from typing import Any, Dict, Iterator
from unittest import mock

import pytest
import torch
from flows import (DEVICE, FLOWS, FRAMES, MARKS, SIDE, batch_of, build,
                   masked_distillation)
from mmaction.structures import ActionDataSample
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from no_wait import NoWait

from mmvideomamba.datasets.transforms import TokenMask
from mmvideomamba.engine.late_scalars import take_over

PLACES = ['meta', pytest.param('gpu', marks=MARKS)]
# The losses of all others, at the price of seconds.
ON_META = ('masked_distillation', 'masked_pretraining', 'question_answering',
           'distilled_images', 'distilled_videos')
# The host turns texts into tokens in each step of the others.
CAPTURED = ('masked_distillation', 'distilled_images', 'distilled_videos')
HEADS: Dict[str, dict] = dict(
    classes=dict(type='mmvideomamba.VideoMambaHead', num_classes=3),
    smoothed=dict(
        type='mmvideomamba.VideoMambaHead',
        num_classes=3,
        label_smooth_eps=0.1),
    weighted=dict(
        type='mmvideomamba.VideoMambaHead',
        num_classes=3,
        loss_cls=dict(type='CrossEntropyLoss', class_weight=[1., 2., 3.])),
    several_classes=dict(
        type='mmvideomamba.VideoMambaHead',
        num_classes=3,
        multi_class=True,
        loss_cls=dict(type='BCELossWithLogits')),
    pooled=dict(type='mmvideomamba.AttentiveHead', num_classes=3),
    number=dict(type='mmvideomamba.VideoMambaRegressionHead'))


def classifier() -> BaseModel:
    """Build an image classifier with the host's head and its accuracies."""
    return build(
        dict(
            type='ImageClassifier',
            backbone=dict(
                type='mmvideomamba.VideoMamba',
                arch=dict(embed_dims=24, num_layers=2),
                img_size=SIDE,
                patch_size=8,
                num_frames=1),
            head=dict(
                type='LinearClsHead',
                num_classes=3,
                in_channels=24,
                cal_acc=True)), 'mmpretrain')


@contextmanager
def no_waits(model: BaseModel, uploads: bool) -> Iterator[None]:
    """Fail where the host waits for the device of a model."""
    device = next(model.parameters()).device.type
    if device == 'cpu':  # FLOWS_DEVICE
        yield
        return
    if device == 'meta':
        with NoWait(device, uploads):
            yield
        return
    torch.cuda.set_sync_debug_mode('error')
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode('default')


def check(model: BaseModel,
          batch: Dict[str, list],
          place: str,
          uploads: bool = False) -> None:
    """Compute a batch's loss and gradients twice, the second without a wait.

    Args:
        model (BaseModel): In training mode, on the CPU.
        batch (dict): As collated by a loader.
        place (str): 'meta' or 'gpu'.
        uploads (bool): Whether the step may copy to the device. Defaults to
            False: the step can be captured, with samples of tensors alone.
    """
    model = model.to(DEVICE if place == 'gpu' else 'meta').train()
    data = model.data_preprocessor(batch, True)
    if not uploads:
        for sample in data['data_samples']:
            for key, value in list(sample.items()):
                if not isinstance(value, torch.Tensor):
                    delattr(sample, key)

    def autocast(*args: Any, **kwargs: Any) -> Any:
        """Return the context; 'meta' knows none."""
        return nullcontext() if place == 'meta' else original(*args, **kwargs)

    original = torch.autocast

    @mock.patch('torch.autocast', autocast)
    def step() -> None:
        total, _ = model.parse_losses(model(**data, mode='loss'))
        total.backward()

    if place == 'gpu' or not uploads:
        step()  # compiles kernels, and moves tables to the device
    with no_waits(model, uploads):
        step()


@pytest.mark.parametrize('name, place', [
    *((name, 'meta') for name in ON_META),
    *(pytest.param(name, 'gpu', marks=MARKS) for name in FLOWS),
])
def test_flow(name: str, place: str) -> None:
    model = FLOWS[name].build(drop=0.2)
    captured = name in CAPTURED
    assert captured != hasattr(model, 'not_capturable')
    check(model, batch_of(FLOWS[name]), place, not captured)


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('name', HEADS)
def test_head(name: str, place: str) -> None:
    device = DEVICE if place == 'gpu' else 'meta'
    head = build(dict(HEADS[name], in_channels=24), 'mmaction').to(device)
    shape = (4, 7, 24) if name == 'pooled' else (4, 24)
    x = torch.zeros(shape, device=device, requires_grad=True)
    labels = torch.arange(4, device=device)[:, None] % 3
    if name == 'number':
        labels = labels / 2
    elif name == 'several_classes':
        labels = torch.ones(4, 3, device=device)
    samples = [ActionDataSample(gt_label=label) for label in labels]
    head.loss((x, ), samples)  # moves weights of classes to the device
    with no_waits(head, uploads=False):
        losses = head.loss((x, ), samples)
        total = sum(v for k, v in losses.items() if 'loss' in k)
        total.backward()
    accuracies = {'top1_acc', 'top5_acc'} & losses.keys()
    assert bool(accuracies) == (name not in ('several_classes', 'number'))
    assert x.grad is not None


@pytest.mark.parametrize('place', [pytest.param('gpu', marks=MARKS)])
def test_values_to_log(place: str) -> None:
    """A logged value in memory reused by the next step."""
    hub = take_over(MessageHub('late-gpu'))
    assert hub is not None
    loss = torch.zeros((), device=DEVICE)
    work = torch.ones(2000, 2000, device=DEVICE)
    for i in range(20):
        work = work @ work / 2000
        loss.fill_(i).mul_(work[0, 0])
        hub.add_late(dict(loss=loss, count=i))
    late = [len(hub._log_scalars[key].data[0]) for key in ('loss', 'count')]
    assert late[0] == late[1] >= 16
    for key in ('loss', 'count'):
        values = hub.get_scalar(key).data[0].tolist()
        assert values == pytest.approx(list(range(20)))


@pytest.mark.parametrize('place', [pytest.param('gpu', marks=MARKS)])
def test_upload_of_a_batch(place: str) -> None:
    """As ``AsyncUploadHook`` sets the data preprocessor and the loader."""
    model = FLOWS['distilled_videos'].build().to(DEVICE)
    model.data_preprocessor._non_blocking = True
    batch = batch_of(FLOWS['distilled_videos'])
    if DEVICE.type == 'cuda':
        batch['inputs'] = [x.pin_memory() for x in batch['inputs']]
    with no_waits(model, uploads=True):
        found = model.data_preprocessor(batch, True)
    for x in (found['inputs'], found['data_samples'][0].gt_label):
        assert x.device.type == DEVICE.type


@pytest.mark.parametrize('place', PLACES)
def test_classifier(place: str) -> None:
    check(classifier(), batch_of(FLOWS['distilled_images']), place)


@pytest.mark.parametrize('place', PLACES)
def test_masks_of_the_data(place: str) -> None:
    batch = batch_of(FLOWS['masked_distillation'])
    draw = TokenMask('tube', 0.75, (FRAMES, 4, 4))
    for sample in batch['data_samples']:
        sample.set_field(draw.transform({})['mask'], 'mask')
    check(masked_distillation(mask_source='data'), batch, place)
