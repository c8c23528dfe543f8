"""A step of each flow: as on the CPU, in bfloat16, and resumed."""
import copy
from itertools import count
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
import torch
from common import TOLERANCES, assert_close
from flows import (BATCH, DEVICE, FLOWS, MARKS, NOISE, Clips, Draws, batch_of,
                   gradients_of, losses_of)
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from nested import differences
from torch import Tensor

from mmvideomamba.checkpoints import read_checkpoint

pytestmark = MARKS
_numbers = count()
AMP = dict(
    type='AmpOptimWrapper',
    dtype='bfloat16',
    loss_scale=dict(enabled=False),
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.))
HALF = TOLERANCES[torch.bfloat16]['chain']


@pytest.fixture(autouse=True)
def deterministic() -> Iterator[None]:
    """Let kernels add up in the same order in each run, if possible."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(before)


def trained(name: str) -> Dict[str, BaseModel]:
    """Return the same model in training mode, on the CPU and the device."""
    model = FLOWS[name].build().train()
    return dict(cpu=model, device=copy.deepcopy(model).to(DEVICE))


def whole(parts: Dict[str, Tensor]) -> Tensor:
    """Return all gradients as a vector."""
    return torch.cat([x.flatten().cpu() for x in parts.values()])


@pytest.mark.parametrize('name', FLOWS)
def test_losses_and_gradients_as_on_the_cpu(name: str) -> None:
    draws, found = Draws(), []
    for model in trained(name).values():
        losses = draws.run(
            lambda: losses_of(model, batch_of(FLOWS[name])))  # noqa: B023
        losses['total'].backward()
        found.append((losses, gradients_of(model)))
    (losses, gradients), (on_device, others) = found
    assert losses.keys() == on_device.keys()
    assert gradients.keys() == others.keys()
    for wanted, got in ((losses, on_device), (gradients, others)):
        for key, value in wanted.items():
            assert got[key].device.type == DEVICE.type
            assert got[key].isfinite().all(), key
            assert_close(got[key], value, 'chain', floor=NOISE, name=key)
    # The loss reaches the first layer.
    first = next(k for k in gradients if 'patch_embed' in k)
    assert gradients[first].any()


@pytest.mark.parametrize('name', FLOWS)
def test_a_step_in_bfloat16(name: str) -> None:
    """AMP as in the recipes is near float32, and the weights move."""
    models, draws = trained(name), Draws()
    wanted = draws.run(lambda: losses_of(models['cpu'], batch_of(FLOWS[name])))
    wanted['total'].backward()
    exact = whole(gradients_of(models['cpu']))
    model = models['device']
    wrapper = build_optim_wrapper(model, AMP)

    def step() -> Dict[str, Tensor]:
        with wrapper.optim_context(model):
            return losses_of(model, batch_of(FLOWS[name]))

    losses = draws.run(step)
    for key, value in wanted.items():
        assert losses[key].item() == pytest.approx(value.item(), rel=HALF), key
    wrapper.backward(losses['total'])
    found = gradients_of(model)
    error = (whole(found) - exact).norm() / exact.norm()
    # An error of zero: nothing was rounded.
    assert 1e-4 < error < 2 * HALF
    before = {k: p.detach().clone() for k, p in model.named_parameters()}
    wrapper.step()
    for key, p in model.named_parameters():
        assert p.dtype == torch.float32 and p.isfinite().all()
        moved = key in found and bool(found[key].any())
        assert not moved or not torch.equal(p, before[key]), key


class Stop(Hook):
    """End the process in effect, before an iteration.

    Args:
        iteration (int): Number of the iteration.
    """

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def before_train_iter(self, runner: Runner, *args: Any, **_: Any) -> None:
        if runner.iter == self.iteration:
            raise KeyboardInterrupt


def loader(frames: int) -> Dict[str, Any]:
    """Return the config of a loader of clips in memory."""
    return dict(
        batch_size=BATCH,
        num_workers=0,
        dataset=Clips(frames),
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='pseudo_collate'))


def run(name: str, folder: Path, stops: List[Hook], **kwargs: Any) -> dict:
    """Train for three epochs; return the newest checkpoint."""
    torch.manual_seed(0)
    runner = Runner(
        model=FLOWS[name].build(drop=0.2),
        work_dir=str(folder),
        experiment_name=f'flow-{next(_numbers)}',
        train_dataloader=loader(FLOWS[name].frames),
        optim_wrapper=AMP,
        param_scheduler=dict(type='ExponentialLR', gamma=0.9),
        default_hooks=dict(
            checkpoint=dict(
                type='mmvideomamba.SafeCheckpointHook',
                by_epoch=False,
                interval=1)),
        custom_hooks=[dict(type='mmvideomamba.ResumeHook'), *stops],
        randomness=dict(seed=0),
        default_scope='mmaction',
        log_level='WARNING',
        **{
            'train_cfg': dict(by_epoch=True, max_epochs=3),
            **kwargs
        })
    try:
        runner.train()
    except KeyboardInterrupt:
        pass
    return read_checkpoint((folder / 'last_checkpoint').read_text())


TURNS = dict(
    train_cfg=dict(
        type='mmvideomamba.ModalityTrainLoop',
        max_epochs=2,
        image_dataloader=loader(1)))


@pytest.mark.parametrize('name, options, iterations', [
    ('masked_distillation', {}, 6),
    ('masked_pretraining', TURNS, 8),
    ('unmasked_pretraining', TURNS, 8),
    ('retrieval', {}, 6),
    ('question_answering', {}, 6),
    ('distilled_images', {}, 6),
    ('distilled_videos', {}, 6),
])
def test_resumed_training_ends_with_the_same_bits(name: str, options: dict,
                                                  iterations: int,
                                                  tmp_path: Path) -> None:
    """Cut within an epoch, with dropped paths and masks, in bfloat16."""
    expected = run(name, tmp_path / 'whole', [], **options)
    stopped = run(name, tmp_path / 'cut', [Stop(3)], **options)
    done = (stopped['meta']['iter'], expected['meta']['iter'])
    assert done == (3, iterations)
    found = run(name, tmp_path / 'cut', [], resume=True, **options)
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert not differences(found[part], expected[part], part)
    assert differences(stopped['state_dict'], expected['state_dict'], 'cut')
