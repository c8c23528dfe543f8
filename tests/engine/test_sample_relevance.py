"""Relevance during a training: right, and without effect on the training."""
import random
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Iterator, List

import cv2
import micro_models
import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import (MMDistributedDataParallel,
                            MMSeparateDistributedDataParallel)
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from mmpretrain.structures import DataSample
from step_graph_run import Repetition, graphed
from torch import nn

from mmvideomamba.engine.hooks import FrameStripHook
from mmvideomamba.engine.sample_relevance import SampleRelevance
from mmvideomamba.inference.relevance import METHODS, relevance
from mmvideomamba.user_error import UserError


def clip(seed: int, views: int = 1) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(
        256, (views, 3, 2, 16, 16), dtype=torch.uint8, generator=rng)


def dropping_model() -> Any:
    """A recognizer with random drop paths in each training step."""
    return micro_models.recognizer(
        backbone=micro_models.backbone(drop_path_rate=0.5))


class HalfWrapper(OptimWrapper):
    """Training steps in bfloat16; mmengine's wrapper refuses CPUs."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        with super().optim_context(model), torch.autocast(
                'cpu', torch.bfloat16):
            yield


class Clips(torch.utils.data.Dataset):
    """Clips of three classes in memory."""
    metainfo: Any = dict(classes=['rise', 'fall', 'turn'])

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict:
        sample = ActionDataSample().set_gt_label(index % 3)
        return dict(inputs=clip(index), data_samples=sample)


class Nothing(BaseMetric):
    """No metric: the host's cannot read scores in bfloat16."""

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.append(len(data_samples))

    def compute_metrics(self, results: list) -> dict:
        return {}


class Note(Hook):
    """Note losses, and the random numbers before each step."""

    def __init__(self) -> None:
        self.losses: List[torch.Tensor] = []
        self.states: List[tuple] = []

    def before_train_iter(self, *args: Any, **kwargs: Any) -> None:
        keys: Any = np.random.get_state()
        self.states.append((torch.get_rng_state().tolist(), random.getstate(),
                            keys[1].tolist()))

    def after_train_iter(self, runner: Runner, *args: Any,
                         **kwargs: Any) -> None:
        self.losses.append(kwargs['outputs']['loss'].clone())


def train(folder: Path, method: Any, amp: bool) -> tuple:
    """Train for three epochs, with a validation after each."""
    loader = dict(
        batch_size=2,
        num_workers=0,
        dataset=Clips(),
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='pseudo_collate'))
    torch.manual_seed(0)
    note = Note()
    model = dropping_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    wrapper = HalfWrapper if amp else OptimWrapper
    runner = Runner(
        model=model,
        work_dir=str(folder),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=3),
        val_dataloader=loader,
        val_evaluator=[Nothing()],
        val_cfg=dict(fp16=amp),
        optim_wrapper=wrapper(optimizer=optimizer),
        default_hooks=dict(
            checkpoint=None,
            visualization=dict(
                type='mmvideomamba.FrameStripHook',
                enable=True,
                interval=2,
                out_dir=str(folder / 'drawn'),
                relevance=method)),
        custom_hooks=[note],
        randomness=dict(seed=0),
        default_scope='mmaction',
        log_level='ERROR',
        experiment_name=f'{folder}-{method}')
    runner.train()
    return runner, note


@pytest.mark.parametrize('amp', [False, True])
def test_a_training_stays_the_same(tmp_path: Path, amp: bool) -> None:
    """Weights, optimizer, losses and random numbers, to the bit."""
    found: Dict[Any, tuple] = {}
    for method in (None, 'gradient', 'attribution'):
        runner, note = train(tmp_path / str(method), method, amp)
        pictures = sorted((tmp_path / str(method) / 'drawn').iterdir())
        assert len(pictures) == 9  # each second of six samples, three times
        found[method] = (note, runner.model.state_dict(),
                         runner.optim_wrapper.state_dict()['state'],
                         [p.grad for p in runner.model.parameters()
                          ], [m.training for m in runner.model.modules()
                              ], pictures[0].stat().st_size)
    plain = found.pop(None)
    assert len({tuple(s[0]) for s in plain[0].states}) > 3  # draws went on
    for other in found.values():
        assert other[5] > plain[5]  # with the overlays
        assert other[0].losses == plain[0].losses
        assert other[0].states == plain[0].states
        assert other[4] == plain[4]
        for name, value in plain[1].items():
            assert torch.equal(other[1][name], value)
        for key, moments in plain[2].items():
            for name, value in moments.items():
                assert torch.equal(other[2][key][name], value)
        for one, two in zip(other[3], plain[3]):
            assert (one is two is None) or torch.equal(one, two)


def steps(explain: bool, place: torch.device) -> tuple:
    """Train by graphs, stand-ins on a CPU, with relevance between steps."""
    torch.manual_seed(0)
    model = dropping_model().to(place).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    wrapper: Any = OptimWrapper(optimizer=optimizer)
    options = dict(record=Repetition) if place.type == 'cpu' else {}
    step = graphed(model, wrapper, **options)
    found = 0.
    look: Any = SampleRelevance(model, 'gradient')
    for i in range(9):
        samples = [ActionDataSample().set_gt_label(k) for k in range(2)]
        data = dict(inputs=[clip(i), clip(i + 1)], data_samples=samples)
        model.train_step(data, optim_wrapper=wrapper)
        if explain:
            found += look(clip(i), i % 3).sum()
    assert explain == (found > 0)
    return step, list(model.parameters())


def test_graphs_of_training_steps_stay(place: torch.device) -> None:
    plain, weights = steps(False, place)
    step, others = steps(True, place)
    assert not step.reason and not plain.reason
    assert len(step.losses.graphs) == len(plain.losses.graphs) == 1
    assert all(map(torch.equal, weights, others))


@pytest.fixture
def one_rank(tmp_path: Path) -> Iterator[None]:
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/ranks', rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def test_inside_a_distributed_wrapper(one_rank: None) -> None:
    """The wrapper's reduction of gradients does not see the pass."""
    found: Dict[bool, list] = {}
    for explain in (False, True):
        torch.manual_seed(0)
        model = MMDistributedDataParallel(dropping_model().train())
        wrapper: Any = HalfWrapper(
            optimizer=torch.optim.AdamW(model.parameters(), lr=0.01))
        look = SampleRelevance(model, 'attention')
        for i in range(3):
            data = dict(
                inputs=[clip(i)],
                data_samples=[ActionDataSample().set_gt_label(1)])
            model.train_step(data, optim_wrapper=wrapper)
            if explain:
                maps: Any = look(clip(i, 2), 0)
                assert np.array_equal(
                    maps,
                    relevance(model.module,
                              clip(i, 2)[:1], 0, 'attention')[0].numpy())
        assert model.training and model.module.backbone.training
        found[explain] = list(model.parameters())
    assert all(map(torch.equal, *found.values()))


def test_wrappers_that_wait_for_other_processes(one_rank: None) -> None:
    inner = MMSeparateDistributedDataParallel(
        micro_models.recognizer(), broadcast_buffers=False)
    with pytest.raises(UserError, match='cannot run the MMDistributed'):
        SampleRelevance(inner, 'gradient')


@pytest.mark.parametrize('method', METHODS)
def test_values(method: str) -> None:
    """The first view of a video, or an image, for the class asked for."""
    model = micro_models.recognizer()
    views = clip(0, 3)
    with torch.no_grad():
        found: Any = SampleRelevance(model, method)(views, 2)
    assert found.shape == (2, 1, 1) and found.dtype == np.float32
    assert np.array_equal(found, relevance(model, views[:1], 2, method)[0])
    model = micro_models.classifier()
    found = SampleRelevance(model, method)(views[0, :, 0], 1)
    assert np.array_equal(found,
                          relevance(model, views[0, :, 0], 1, method)[0])


def test_numbers_that_overflow(mm_log: List[str]) -> None:
    model = micro_models.recognizer()
    look = SampleRelevance(model, 'gradient')
    with torch.no_grad():
        model.backbone.patch_embed.proj.weight.fill_(float('nan'))
    assert look(clip(0), 1) is None and look(clip(1), 1) is None
    assert len([x for x in mm_log if 'is not finite' in x]) == 1


def refused(model: Any, method: str = 'gradient') -> str:
    with pytest.raises(UserError) as error:
        SampleRelevance(model, method)
    message = str(error.value.code)
    assert '\n' not in message and 'FrameStripHook' in message
    return message


def test_models_without_relevance(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'Linear has no VideoMamba' in refused(nn.Linear(2, 2))
    model = micro_models.recognizer()
    assert "unknown method 'magic'" in refused(model, 'magic')
    model.cls_head = None
    assert 'no scores of classes' in refused(model)
    model = micro_models.recognizer()
    model.backbone.layers[0].mixer = nn.Identity()
    assert 'Identity is not a mixer' in refused(model, 'attention')
    SampleRelevance(model, 'gradient')
    model.backbone.compile(backend='eager')
    assert 'compiled layers' in refused(model)
    model = micro_models.recognizer()
    model.backbone = torch.compile(model.backbone, backend='eager')
    assert 'compiled layers' in refused(model)
    # Other processes end in silence.
    monkeypatch.setattr('mmvideomamba.engine.sample_relevance.is_main_process',
                        lambda: False)
    with pytest.raises(UserError) as error:
        SampleRelevance(nn.Linear(2, 2), 'gradient')
    assert error.value.code == 1


def test_images_of_a_classifier(tmp_path: Path) -> None:
    """The hook draws an image in true colours above the relevance map."""
    visualizer = Visualizer.get_instance(f'images-{tmp_path.name}')
    hook = FrameStripHook(True, 1, out_dir=str(tmp_path), relevance='gradient')
    hook._visualizer = visualizer
    model = micro_models.classifier()
    hook.before_run(
        SimpleNamespace(model=model, _val_loop=None, _test_loop=None))
    image = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    image[:, 0] = 200  # blue
    sample = DataSample().set_pred_score(torch.tensor([0.2, 0.7, 0.1]))
    sample.set_pred_label(torch.tensor([0, 1])).set_gt_label([1, 2])
    hook._draw_samples(0, dict(inputs=image), [sample])
    drawn: Any = cv2.imread(str(tmp_path / 'sample_0_0.png'))
    blue = (drawn == [200, 0, 0]).all(-1).sum()
    assert 220 * 220 < blue < 230 * 230
    grey = ((drawn == drawn[..., :1]).all(-1) & (drawn[..., 0] > 0)).sum()
    # The whole image is a single patch, coloured by its relevance.
    below = drawn[-100, 112]
    assert len(set(below.tolist())) == 3 and grey < blue
