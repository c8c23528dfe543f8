"""Two processes on two GPUs: losses over both, a step of each flow, scores."""
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from common import assert_close
from flows import (BATCH, DEVICE, FLOWS, MARKS, NOISE, Clips, batch_of,
                   gradients_of, likeliest, video_text)
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from preloaded_python import free_port
from replaced_draws import replaced_draws
from torch import Tensor, distributed
from torch.multiprocessing import spawn

RANKS, TOPK = 2, 3
HALF = BATCH // RANKS
pytestmark = [
    *MARKS, pytest.mark.slow,
    pytest.mark.skipif(
        DEVICE.type == 'cuda' and torch.cuda.device_count() < RANKS,
        reason='fewer than two CUDA devices are available')
]
# Flows whose loss of a batch is the mean of the losses of both halves.
MEANS = ('masked_distillation', 'question_answering', 'distilled_images',
         'distilled_videos')
GATHERS = ('summed', 'own')


def built(name: str) -> BaseModel:
    """Build the same model on each process; a gather has VTC only."""
    torch.manual_seed(0)
    if name in GATHERS:
        model = video_text(loss_weights=dict(vtc=1.), gather_grad=name)
    else:
        model = FLOWS[name].build()
    return model.train().to(DEVICE)


def step(name: str, indices: range, rank: int = -1) -> Dict[str, Tensor]:
    """Take a step; return loss, gradients and weights by name.

    Args:
        name (str): A flow, or a way to gather.
        indices (range): The samples.
        rank (int): The process among several. Defaults to -1, no other.
    """
    flow = FLOWS['retrieval' if name in GATHERS else name]
    model = inner = built(name)
    if rank >= 0:
        model = MMDistributedDataParallel(
            model,
            device_ids=[rank] if DEVICE.type == 'cuda' else None,
            find_unused_parameters=flow.unused)
    wrapper = build_optim_wrapper(
        model, dict(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.)))
    kept: Dict[str, Tensor] = {}

    def keep(*_: Any, **__: Any) -> None:
        kept.update({f'grad/{k}': v for k, v in gradients_of(inner).items()})

    with replaced_draws(likeliest):
        wrapper.optimizer.register_step_pre_hook(keep)
        losses = model.train_step(batch_of(flow, indices), wrapper)
    kept['loss'] = losses['loss'].detach()
    kept.update({
        f'weight/{k}': p.detach()
        for k, p in inner.named_parameters()
    })
    return kept


def scores(videos: List[int]) -> Dict[str, Tensor]:
    """Score the clips of all processes, after encoding some."""
    torch.manual_seed(0)
    model, clips = video_text().eval().to(DEVICE), Clips(4)
    scorer = model.retrieval_scorer(topk=TOPK, progress=False, text_batch=2)
    for video in videos:
        data = model.data_preprocessor(
            {
                k: [v]
                for k, v in clips[video].items()
            }, False)
        scorer.add_videos(data['inputs'], [video])
    return scorer.score(clips.texts)._asdict()


# Process 0 has more videos than process 1.
SHARES = [0, 3, 2, 7, 5], [1, 4, 6]


def work(rank: int, folder: str, port: int) -> None:
    """Run all on a process of two; save the results."""
    torch.set_num_threads(1)
    if DEVICE.type == 'cuda':
        torch.cuda.set_device(rank)
        # TF32 keeps 10 bits of a product.
        torch.backends.cudnn.allow_tf32 = False
    distributed.init_process_group(
        'nccl' if DEVICE.type == 'cuda' else 'gloo',
        init_method=f'tcp://127.0.0.1:{port}',
        rank=rank,
        world_size=RANKS)
    own = range(rank * HALF, (rank + 1) * HALF)
    found = {name: step(name, own, rank) for name in (*FLOWS, *GATHERS)}
    found['scores'] = scores(SHARES[rank])
    found = {
        name: {
            k: v.cpu()
            for k, v in parts.items()
        }
        for name, parts in found.items()
    }
    torch.save(found, Path(folder, f'{rank}.pth'))
    distributed.destroy_process_group()


@pytest.fixture(scope='module')
def ranks(make_once: Callable) -> List[dict]:
    """Return the results of both processes, by flow."""
    folder = make_once(
        'ranks',
        lambda path: spawn(work, (str(path), free_port()), nprocs=RANKS))
    return [torch.load(folder / f'{rank}.pth') for rank in range(RANKS)]


@pytest.mark.parametrize('name', FLOWS)
def test_a_step_on_two_processes(name: str, ranks: List[dict]) -> None:
    """Both processes end with the same weights, changed from the start."""
    one, other = (rank[name] for rank in ranks)
    assert one.keys() == other.keys()
    start = dict(built(name).named_parameters())
    for key, value in one.items():
        assert value.isfinite().all(), key
        if key != 'loss':
            assert torch.equal(value, other[key]), key
    # Each process has different samples.
    assert not torch.equal(one['loss'], other['loss'])
    for key, value in start.items():
        gradient = one.get(f'grad/{key}')
        moved = not torch.equal(value.detach().cpu(), one[f'weight/{key}'])
        assert moved or gradient is None or not gradient.any(), key
    if name not in MEANS:
        return
    whole = step(name, range(BATCH))
    assert_close((one['loss'] + other['loss']) / 2, whole['loss'], 'chain')
    for key, value in whole.items():
        if key.startswith('grad/'):
            assert_close(one[key], value, 'chain', floor=NOISE, name=key)


@pytest.mark.parametrize('name, share', [('summed', 1.), ('own', 0.5)])
def test_gathered_features(name: str, share: float, ranks: List[dict]) -> None:
    """'summed' has the gradients of one process, 'own' has half."""
    whole, (one, other) = step(name, range(BATCH)), (x[name] for x in ranks)
    for rank in (one, other):
        assert_close(rank['loss'], whole['loss'], 'chain')
    seen = 0
    for key, value in whole.items():
        # No feature: each process has all of the gradient.
        part = 1. if key == 'grad/temp' else share
        if key.startswith('grad/'):
            assert_close(
                one[key], part * value, 'chain', floor=NOISE, name=key)
            seen += bool(value.any())
    assert seen > 20 and whole['grad/temp'].any()


def test_scores_of_two_processes(ranks: List[dict]) -> None:
    wanted = scores(list(range(8)))
    for rank in ranks:
        for name, value in wanted.items():
            found, judged = rank['scores'][name], value != -100
            assert torch.equal(found != -100, judged), name
            assert_close(found[judged], value[judged], 'chain', name=name)
    assert all(
        torch.equal(x, ranks[1]['scores'][k])
        for k, x in ranks[0]['scores'].items())
