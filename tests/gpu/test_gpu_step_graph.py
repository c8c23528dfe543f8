"""Trainings with CUDA graphs equal trainings without, bit by bit."""
import copy
import warnings
from itertools import count
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
import torch
from flows import DEVICE, FLOWS, MARKS, SIDE, Clips, Flow, build
from mmengine.hooks import Hook
from mmengine.runner import Runner
from nested import differences
from step_graph_run import StepNet, batches, graphed, train, wrapper_of
from torch import Tensor, nn

from mmvideomamba.checkpoints import read_checkpoint
from mmvideomamba.engine.step_graph.step import GraphedStep

pytestmark = [
    *MARKS,
    pytest.mark.skipif(
        DEVICE.type != 'cuda', reason='CUDA graphs need a CUDA device')
]
_numbers = count()
BFLOAT16: Dict[str, Any] = dict(
    type='AmpOptimWrapper',
    dtype='bfloat16',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(flat_decay_mult=0., bypass_duplicate=True))
CASES: Dict[str, Dict[str, Any]] = {
    'bfloat16': {},
    'float16':
    dict(dtype='float16'),
    'float32':
    dict(type='OptimWrapper', dtype=None),
    'clipped':
    dict(clip_grad=dict(max_norm=0.5)),
    'accumulated':
    dict(accumulative_counts=2),
    'accumulated, float16, clipped':
    dict(dtype='float16', accumulative_counts=2, clip_grad=dict(max_norm=0.5)),
    'SGD':
    dict(optimizer=dict(type='SGD', lr=1e-2, momentum=0.9)),
    'RMSprop':
    dict(optimizer=dict(type='RMSprop', lr=1e-3)),
}


def recognizer(drop: float = 0., **changes: Any) -> Any:
    """Build a small recognizer for hard labels."""
    return build(
        dict(
            type='Recognizer3D',
            backbone=dict(
                type='mmvideomamba.VideoMamba',
                arch=dict(embed_dims=16, num_layers=2),
                img_size=SIDE,
                patch_size=8,
                num_frames=4,
                drop_path_rate=drop,
                **changes),
            cls_head=dict(
                type='mmvideomamba.VideoMambaHead',
                num_classes=3,
                in_channels=16,
                average_clips='prob'),
            data_preprocessor=dict(
                type='ActionDataPreprocessor',
                mean=[128.] * 3,
                std=[64.] * 3,
                format_shape='NCTHW')), 'mmaction')


class Labelled(Clips):
    """Clips with hard labels."""

    def __getitem__(self, index: int) -> Dict[str, Any]:
        item = super().__getitem__(index)
        item['data_samples'].set_gt_label(index % 3)
        return item


ALL = dict(
    FLOWS,
    recognition=Flow(recognizer),
    recomputed=Flow(lambda **kw: recognizer(checkpoint_layers=2, **kw)),
    temporal=Flow(
        lambda **kw: recognizer(scan_order='spatiotemporal_v2', **kw)),
    layer_norm=Flow(lambda **kw: recognizer(norm_cfg=dict(type='LN'), **kw)))
CAPTURED = ('masked_distillation', 'distilled_images', 'distilled_videos',
            'recognition', 'recomputed', 'temporal', 'layer_norm')


class Watch(Hook):
    """Keep the losses and the step; look at a batch between epochs."""
    priority = 'LOWEST'

    def __init__(self, stop: int = -1) -> None:
        self.losses: List[Dict[str, Tensor]] = []
        self.step: Optional[GraphedStep] = None
        self.stop = stop

    def before_train_iter(self, runner: Runner, *args: Any, **_: Any) -> None:
        if runner.iter == self.stop:
            raise KeyboardInterrupt

    def after_train_iter(self, runner: Runner, *args: Any, **kw: Any) -> None:
        self.losses.append({
            k: v.detach().clone()
            for k, v in kw['outputs'].items() if k != 'grad_norm'
        })
        step = vars(runner.model).get('train_step')
        self.step = step if isinstance(step, GraphedStep) else None

    def after_train_epoch(self, runner: Runner) -> None:
        model = runner.model
        if not hasattr(model, 'cls_head'):
            return
        model.eval()
        clip = Labelled(4)[0]
        with torch.no_grad():
            model.val_step({k: [v] for k, v in clip.items()})
        model.train()


def run(folder: Path,
        flow: str,
        mode: str,
        wrapper: Optional[dict] = None,
        stop: int = -1,
        hooks: Any = (),
        **kwargs: Any) -> Any:
    """Train for three epochs of four batches, the last a smaller one.

    Returns:
        tuple: The newest checkpoint, and the hook ``Watch``.
    """
    torch.manual_seed(0)
    wrapper = dict(copy.deepcopy(BFLOAT16), **(wrapper or {}))
    if wrapper['type'] == 'OptimWrapper':
        del wrapper['dtype']
    clips = Labelled if flow not in FLOWS else Clips
    watch = Watch(stop)
    runner = Runner(
        model=ALL[flow].build(drop=0.3),
        work_dir=str(folder),
        experiment_name=f'graph-{next(_numbers)}',
        train_dataloader=dict(
            batch_size=4,
            num_workers=0,
            dataset=clips(ALL[flow].frames, 15),
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='pseudo_collate')),
        optim_wrapper=wrapper,
        param_scheduler=dict(type='ExponentialLR', gamma=0.9, by_epoch=False),
        default_hooks=dict(
            runtime_info=dict(type='mmvideomamba.LateRuntimeInfoHook'),
            checkpoint=dict(
                type='mmvideomamba.SafeCheckpointHook',
                by_epoch=False,
                interval=1)),
        custom_hooks=[
            dict(type='mmvideomamba.ResumeHook'),
            dict(type='mmvideomamba.FiniteGuardHook'),
            dict(type='mmvideomamba.CUDAGraphHook', mode=mode), watch, *hooks
        ],
        randomness=dict(seed=0),
        default_scope='mmaction',
        log_level='WARNING',
        train_cfg=dict(by_epoch=True, max_epochs=3),
        **kwargs)
    try:
        runner.train()
    except KeyboardInterrupt:
        pass
    return read_checkpoint((folder / 'last_checkpoint').read_text()), watch


def assert_same(one: Any, other: Any) -> None:
    """Compare two checkpoints and losses, bit by bit."""
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert not differences(one[0][part], other[0][part], part)
    assert len(one[1].losses) == len(other[1].losses)
    for x, y in zip(one[1].losses, other[1].losses):
        assert x.keys() == y.keys()
        # The host's own are of different dtypes.
        assert all(torch.equal(x[k].float(), y[k].float()) for k in x)


@pytest.mark.parametrize('case', CASES.values(), ids=CASES)
def test_recognition(case: Dict[str, Any], tmp_path: Path) -> None:
    runs = [
        run(tmp_path / mode, 'recognition', mode, dict(case))
        for mode in ('off', 'auto')
    ]
    assert_same(*runs)
    step = runs[1][1].step
    assert runs[0][1].step is None
    assert step is not None and not step.reason and step.losses.graphs
    assert (step.update.recording is None) == ('RMSprop' in str(case))


@pytest.mark.parametrize('flow', ALL)
def test_flows(flow: str, tmp_path: Path) -> None:
    runs = [run(tmp_path / mode, flow, mode) for mode in ('off', 'auto')]
    assert_same(*runs)
    step = runs[1][1].step
    assert step is not None
    if flow in CAPTURED:
        assert not step.reason and step.losses.graphs
        assert step.update.recording is not None
    else:
        assert step.left and 'text' in step.reason


def test_resumed_training(tmp_path: Path) -> None:
    """Cut after captures, within an accumulation."""
    wrapper = dict(accumulative_counts=2, dtype='float16')
    expected = run(tmp_path / 'whole', 'recognition', 'auto', wrapper)
    run(tmp_path / 'cut', 'recognition', 'auto', wrapper, stop=9)
    found = run(tmp_path / 'cut', 'recognition', 'auto', wrapper, resume=True)
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert not differences(found[0][part], expected[0][part], part)


def test_averaged_weights(tmp_path: Path) -> None:
    ema = [dict(type='EMAHook', momentum=0.1)]
    runs = [
        run(tmp_path / mode, 'recognition', mode, hooks=ema)
        for mode in ('off', 'auto')
    ]
    assert_same(*runs)
    one, other = (x[0]['ema_state_dict'] for x in runs)
    assert not differences(one, other, 'ema')


def test_no_waiting_in_a_replayed_step() -> None:
    """Neither a batch nor new learning rates make the host wait."""
    model = recognizer(drop=0.3).to(DEVICE).train()
    wrapper = wrapper_of(model, clip_grad=dict(max_norm=1.))
    step = graphed(model, wrapper, trusted=())
    clips = [Labelled(4)[i] for i in range(4)]
    batch = {k: [x[k] for x in clips] for k in clips[0]}
    for _ in range(8):
        step(copy.deepcopy(batch), optim_wrapper=wrapper)
    assert step.losses.graphs and step.update.recording is not None
    prepared = step._prepare(copy.deepcopy(batch))
    torch.cuda.set_sync_debug_mode('error')
    try:
        for group in wrapper.optimizer.param_groups:
            group['lr'] *= 0.5
        step._finish(step.losses.run(prepared))
    finally:
        torch.cuda.set_sync_debug_mode('default')


def test_two_models_in_turns() -> None:
    """Graphs of two models do not touch each other's memory."""
    alone: List[nn.Module] = []
    for _ in range(2):
        model = StepNet(with_norm=True).to(DEVICE).train()
        wrapper = wrapper_of(model)
        train(graphed(model, wrapper), wrapper, batches([6] * 12))
        alone.append(model)
    models = [StepNet(with_norm=True).to(DEVICE).train() for _ in range(2)]
    wrappers = [wrapper_of(m) for m in models]
    steps = [graphed(m, w) for m, w in zip(models, wrappers)]
    data = batches([6] * 12)
    rates = [[g['lr'] for g in w.optimizer.param_groups] for w in wrappers]
    assert rates[0] == rates[1]
    for i in range(12):
        for step, wrapper in zip(steps, wrappers):
            # As in `train`: seed and learning rate of the iteration.
            torch.manual_seed(100 + i)
            for group in wrapper.optimizer.param_groups:
                group['lr'] = float(torch.tensor(group['lr'] * 0.9))
            step(dict(data[i]), optim_wrapper=wrapper)
    for model in models:
        assert not differences(model.state_dict(), alone[0].state_dict(), '')
    assert all(s.losses.graphs and s.update.recording is not None
               for s in steps)


class _Waiting(StepNet):

    def forward(self, *args: Any, **kwargs: Any) -> Dict[str, Tensor]:
        losses = super().forward(*args, **kwargs)
        losses['loss_cls'] = losses['loss_cls'] * (2. if losses['size'].item()
                                                   > 0 else 1.)
        return losses


class _Copying(StepNet):

    def forward(self, *args: Any, **kwargs: Any) -> Dict[str, Tensor]:
        losses = super().forward(*args, **kwargs)
        losses['loss_cls'] = losses['loss_cls'] * torch.tensor([1.5]).to(
            losses['size'].device)[0]
        return losses


@pytest.mark.parametrize('kind', [_Waiting, _Copying])
def test_a_step_that_waits_leaves(kind: type) -> None:
    models = []
    for graphs in (False, True):
        model: Any = kind().to(DEVICE).train()
        wrapper = wrapper_of(model)
        step: Any = model.train_step
        if graphs:
            step = graphed(
                model,
                wrapper,
                trusted=('step_graph_run', 'test_gpu_step_graph'))
        train(step, wrapper, batches([6] * 8))
        models.append(model)
    assert 'waits for the device' in step.reason
    assert 'test_gpu_step_graph.py' in step.reason
    assert not differences(models[0].state_dict(), models[1].state_dict(), '')


def test_failed_capture_leaves_and_draws_go_on(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error within a capture, random numbers are as before."""
    models = []
    for graphs in (False, True):
        model = StepNet().to(DEVICE).train()
        wrapper = wrapper_of(model)
        step: Any = model.train_step
        if graphs:
            step = graphed(model, wrapper)
            compute = step.work.losses

            def failing(batch: Any) -> Any:
                losses = compute(batch)
                if torch.cuda.is_current_stream_capturing():
                    losses.values.cpu()
                return losses

            monkeypatch.setattr(step.work, 'losses', failing)
        train(step, wrapper, batches([6] * 8))
        models.append(model)
    assert 'the capture ended in' in step.reason
    assert not differences(models[0].state_dict(), models[1].state_dict(), '')


def test_graphs_that_must_be(tmp_path: Path) -> None:
    with warnings.catch_warnings(), pytest.raises(ValueError, match='mode='):
        warnings.simplefilter('ignore')
        run(tmp_path, 'retrieval', 'on')
