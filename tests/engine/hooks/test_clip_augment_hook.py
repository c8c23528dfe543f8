"""Augmentation on the device trains as augmentation in the workers."""
from pathlib import Path
from typing import Any, List, Optional

import pytest
import torch
from clips_by_hand import clips_by_hand
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from torch import nn

from mmvideomamba.datasets.transforms.draw_clip import DrawClip
from mmvideomamba.engine import clip_maker
from mmvideomamba.engine.guard import replay_tool
from mmvideomamba.engine.guard.replay import Step
from mmvideomamba.engine.hooks import clip_augment_hook
from mmvideomamba.user_error import UserError

ROOT = Path(__file__).parents[3]
RECIPE = ROOT / ('configs/recognition/kinetics400/videomamba-tiny_in1k-pre_'
                 '8xb64-u8-70e_kinetics400-rgb.py')
SIDE, FRAMES = 32, 2


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the clips on the CPU."""
    monkeypatch.setattr(clip_maker, 'clip_augment', clips_by_hand)
    monkeypatch.setattr(clip_augment_hook, 'clip_augment_support',
                        lambda device: '')


def recipe(folder: Path, work_dir: Path, on: Optional[str]) -> Config:
    """Return the recipe of Kinetics-400, for tiny clips and an epoch."""
    cfg = Config.fromfile(RECIPE)
    cfg.model.backbone.update(
        arch=dict(embed_dims=16, num_layers=1),
        img_size=SIDE,
        num_frames=FRAMES,
        init_cfg=None)
    cfg.model.cls_head.update(num_classes=2, in_channels=16)
    cfg.model.data_preprocessor.pop('blending')
    pipeline = dict(cfg)['train_dataloader']['dataset']['pipeline']
    names = {x['type']: x for x in pipeline}
    names['UniformSample'].update(clip_len=FRAMES)
    names['mmvideomamba.ClipRandomResizedCrop'].update(scale=SIDE)
    names['mmvideomamba.ClipRandomErasing'].update(erase_prob=0.)
    cfg.train_dataloader.update(
        batch_size=2, num_workers=0, persistent_workers=False)
    cfg.train_dataloader.dataset.update(
        data_root=str(folder / 'data'),
        ann_file='train.txt',
        data_prefix=dict(video=''),
        delimiter=' ',
        num_classes=2)
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
    for key in ('val_dataloader', 'val_evaluator', 'val_cfg',
                'test_dataloader', 'test_evaluator', 'test_cfg',
                'param_scheduler', 'auto_scale_lr'):
        cfg[key] = None
    cfg.optim_wrapper.type = 'OptimWrapper'
    for key in ('dtype', 'loss_scale'):
        cfg.optim_wrapper.pop(key, None)
    cfg.default_hooks.checkpoint = None
    cfg.default_hooks.clip_augment.pop('on')
    if on:
        cfg.default_hooks.clip_augment.on = on
    cfg.work_dir = str(work_dir)
    cfg.randomness = dict(seed=7)
    return cfg


class NoteKeys(Hook):
    """Notes the keys of the batches."""

    def before_train_iter(self, runner: Runner, **kwargs: Any) -> None:
        self.keys = set(kwargs['data_batch'])


def names_of(runner: Runner) -> List[str]:
    """Return the steps of the training's pipeline."""
    return [
        type(x).__name__
        for x in runner.train_dataloader.dataset.pipeline.transforms
    ]


def trained(cfg: Config) -> List[torch.Tensor]:
    """Train, and return the weights."""
    runner = Runner.from_cfg(cfg)
    noted = NoteKeys()
    runner.register_hook(noted)
    steps = names_of(runner)
    runner.train()
    on_device = cfg.default_hooks.clip_augment.get('on') != 'workers'
    assert ('clip_draws' in noted.keys) == on_device
    # A later run may read the same data set in another way.
    assert names_of(runner) == steps
    assert not runner.model.data_preprocessor._forward_pre_hooks
    return [x.detach() for x in runner.model.parameters()]


def test_both_places_train_alike(clips, tmp_path):
    found = [
        trained(recipe(clips, tmp_path / str(on), on))
        for on in ('workers', 'device', None)
    ]
    assert all(map(torch.equal, found[0], found[1]))
    assert all(map(torch.equal, found[0], found[2]))


def test_workers_of_a_loop_by_iterations(clips, tmp_path):
    """The loop starts its workers before any hook runs."""
    cfg = recipe(clips, tmp_path, 'device')
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
    cfg.train_dataloader.num_workers = 1
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    trained(cfg)


def test_a_device_without_the_kernels(clips, tmp_path, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(UserError, match="on='device' .*CUDA.*on='workers'"):
        trained(recipe(clips, tmp_path, 'device'))
    # By itself, a training on a CPU keeps to the workers.
    runner = Runner.from_cfg(recipe(clips, tmp_path, None))
    hook, = [
        x for x in runner.hooks
        if isinstance(x, clip_augment_hook.ClipAugmentHook)
    ]
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    hook.before_run(runner)
    steps = runner.train_dataloader.dataset.pipeline.transforms
    assert not any(isinstance(x, DrawClip) for x in steps)


def test_a_step_without_counterpart(clips, tmp_path):
    cfg = recipe(clips, tmp_path, 'device')
    pipeline: Any = cfg.train_dataloader.dataset.pipeline
    place = [x['type'] for x in pipeline].index('Flip')
    pipeline.insert(place, dict(type='ColorJitter'))
    with pytest.raises(UserError, match='ColorJitter has no counterpart'):
        Runner.from_cfg(cfg).train()


class Validation(BaseLoop):

    def run(self) -> None:
        """Do nothing."""


def test_data_set_of_a_validation_too(clips, tmp_path):
    """By an object of a loader: the validation would read frames."""
    runner = Runner.from_cfg(recipe(clips, tmp_path, 'device'))
    loader = runner.train_dataloader
    runner._val_loop = Validation(runner, loader)
    with pytest.raises(UserError, match='validation reads the same data set'):
        clip_augment_hook.ClipAugmentHook('device').before_run(runner)
    steps = loader.dataset.pipeline.transforms
    assert not any(isinstance(x, DrawClip) for x in steps)


def test_replay_on_a_device_without_the_kernels(monkeypatch):
    """A file of the guard holds the frames and the draws of a batch."""
    monkeypatch.undo()
    step = Step(1, dict(inputs=[], clip_draws=[]), {})
    content = dict(config={}, state_dict={}, training=True)
    monkeypatch.setattr(replay_tool, 'read_replay', lambda path:
                        (content, [step], None))
    monkeypatch.setattr(replay_tool, 'build_model', lambda *_: nn.Identity())
    with pytest.raises(ValueError, match='--device cpu: .*GPU.*CUDA'):
        replay_tool.replay_file('x.pth', 'cpu')


def test_unknown_place():
    with pytest.raises(UserError, match="'workers', 'device'.*'gpu'"):
        clip_augment_hook.ClipAugmentHook(on='gpu')
