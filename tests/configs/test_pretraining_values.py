"""Effective values of the pretraining recipes against the published ones."""
import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import MultiScaleCrop
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS as MODELS_REGISTRY
from mmengine.registry import PARAM_SCHEDULERS

from mmvideomamba.models import VideoMamba

CONFIGS = Path(__file__).parents[2] / 'configs/pretraining'
NAME = 'umt-videomamba-{}_clip-b16_32xb64-u8-800e_{}-rgb.py'

# Effective values shared by both published runs.
PUBLISHED = dict(
    gpus_times_batch=32 * 64,
    epochs=800,
    warmup_epochs=40,
    lr=1.5e-4 * 2048 / 256,
    min_lr=1e-5 * 2048 / 256,
    betas=(0.9, 0.95),
    weight_decay=0.05,
    clip_grad=None,
    layer_decay=1.,
    autocast='bfloat16',
    frames=8,
    tubelet=1,
    img_size=224,
    mask=('attention', 0.8),
    visible_tokens=1 + 8 * 40,
    teacher=('b16', 1, True, 'l2', 224),
    loss=('l2', 1.),
    tap='stream before the last block',
    crop=(224, (1, .875, .75, .66), 13, 1),
    flip=0.5,
    clips=1,
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    delimiter=',',
    kept_checkpoints=1,
)
# Model and rate of dropped paths. Only the middle model was published.
MODELS = dict(middle=(576, 32, 0.4), small=(384, 24, 0.2), tiny=(192, 24, 0.1))
RUNS = [(arch, data) for arch in MODELS for data in ('kinetics400', 'sthv2')]


def step(cfg: Config, kind: str) -> dict:
    """Find a transform of the training pipeline."""
    found = [
        s for s in cfg.train_dataloader.dataset.pipeline if s.type == kind
    ]
    assert len(found) == 1
    return found[0]


def effective(cfg: Config) -> dict:
    """Read the values of the published table out of a config."""
    optim, model = cfg.optim_wrapper, cfg.model
    teacher, student = model.target_generator, model.backbone
    warmup, cosine = cfg.param_scheduler
    crop = step(cfg, 'MultiScaleCrop')
    patches = (student.img_size // student.patch_size)**2
    visible = patches - int(patches * model.mask_ratio)
    keys = optim.paramwise_cfg.custom_keys
    taps = (list(student.out_indices), student.stream_indices)
    return dict(
        gpus_times_batch=cfg.auto_scale_lr.base_batch_size,
        epochs=cfg.train_cfg.max_epochs,
        warmup_epochs=warmup.end,
        lr=optim.optimizer.lr,
        min_lr=optim.optimizer.lr * cosine.eta_min_ratio,
        betas=tuple(optim.optimizer.betas),
        weight_decay=optim.optimizer.weight_decay,
        clip_grad=optim.get('clip_grad'),
        layer_decay=max(k.get('lr_mult', 1.) for k in keys.values()),
        autocast=optim.dtype,
        frames=student.num_frames,
        tubelet=student.get('tubelet_size', 1),
        img_size=student.img_size,
        mask=(model.mask_source, model.mask_ratio),
        visible_tokens=1 + student.num_frames * visible,
        teacher=(teacher.arch, teacher.num_levels, teacher.with_cls_token,
                 teacher.norm, teacher.get('img_size', 224)),
        loss=(model.head.loss.kind, model.head.loss.get('loss_weight', 1.)),
        tap='stream before the last block' if taps == ([], -2) else taps,
        crop=(crop.input_size, tuple(crop.scales), crop.num_fixed_crops,
              crop.max_wh_scale_gap),
        flip=step(cfg, 'Flip').flip_ratio,
        clips=step(cfg, 'mmvideomamba.SegmentSample').get('num_clips', 1),
        mean=tuple(model.data_preprocessor.mean),
        std=tuple(model.data_preprocessor.std),
        delimiter=cfg.train_dataloader.dataset.delimiter,
        kept_checkpoints=cfg.default_hooks.checkpoint.max_keep_ckpts)


def read(arch: str, data: str) -> Config:
    return Config.fromfile(CONFIGS / NAME.format(arch, data))


@pytest.mark.parametrize('arch,data', RUNS)
def test_values(arch: str, data: str) -> None:
    cfg = read(arch, data)
    assert effective(cfg) == {
        k: pytest.approx(v) if isinstance(v, float) else v
        for k, v in PUBLISHED.items()
    }
    dims, depth, rate = MODELS[arch]
    student = cfg.model.backbone
    assert VideoMamba.arch_zoo[student.arch] == dict(
        embed_dims=dims, num_layers=depth)
    assert student.drop_path_rate == rate
    assert cfg.model.neck.in_channels == dims
    assert cfg.model.neck.out_channels == 512
    assert cfg.train_dataloader.batch_size * 32 == 2048
    assert cfg.train_dataloader.dataset.data_root == f'data/{data}'


def test_learning_rate_in_each_iteration() -> None:
    """Linear from 0 over 40 epochs, then cosine, against the formula."""
    cfg = read('middle', 'kinetics400')
    per_epoch, peak, least = 3, PUBLISHED['lr'], PUBLISHED['min_lr']
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([weight], lr=cfg.optim_wrapper.optimizer.lr)
    built = [
        PARAM_SCHEDULERS.build(
            copy.deepcopy(one),
            default_args=dict(
                optimizer=OptimWrapper(optimizer), epoch_length=per_epoch))
        for one in cfg.param_scheduler
    ]
    found = []
    for _ in range(800 * per_epoch):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for one in built:
            one.step()
    warm, rest = 40 * per_epoch, 760 * per_epoch
    wanted = np.concatenate([
        np.linspace(0, peak, warm), least + 0.5 * (peak - least) *
        (1 + np.cos(np.pi * np.arange(rest) / rest))
    ])
    np.testing.assert_allclose(found, wanted, atol=2e-6 * peak)


def test_crop_sizes_and_places() -> None:
    """Four crop sizes, neighbours may be mixed, at 13 places."""
    crop = step(read('middle', 'kinetics400'), 'MultiScaleCrop')
    crop = MultiScaleCrop(**{k: v for k, v in crop.items() if k != 'type'})
    found = set()
    for _ in range(3000):
        results = dict(
            img_shape=(320, 426), imgs=[np.zeros((320, 426, 3), np.uint8)])
        found.add(tuple(crop(results)['crop_bbox'].tolist()))
    sizes = {(c[2] - c[0], c[3] - c[1]) for c in found}
    sides = (320, 280, 240, 211)
    assert sizes == {(a, b)
                     for i, a in enumerate(sides)
                     for j, b in enumerate(sides) if abs(i - j) <= 1}


def test_student_has_the_published_size() -> None:
    """73,941,504 parameters, decoder included."""
    cfg = read('middle', 'kinetics400').model
    parts = [MODELS_REGISTRY.build(cfg[name]) for name in ('backbone', 'neck')]
    found = sum(p.numel() for part in parts for p in part.parameters())
    assert found == 73941504
