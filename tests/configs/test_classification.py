"""The image recipes have the effective values of the published runs."""
import copy
from pathlib import Path
from typing import NamedTuple, Optional

import mmpretrain.datasets  # noqa: F401
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import (DATA_SAMPLERS, MODELS, PARAM_SCHEDULERS,
                               TRANSFORMS, DefaultScope)
from torch import nn

FOLDER = Path(__file__).parents[2] / 'configs/classification'


class Run(NamedTuple):
    """A row of the table of published runs; lr is per 512 images."""
    arch: str
    size: int
    gpus: int
    batch: int
    lr: float
    min_lr: float
    warmup_lr: float
    epochs: int
    warmup: int
    decay: float
    drop_path: float
    clip: Optional[float]
    params: int
    distilled: bool = False

    @property
    def name(self) -> str:
        """Return the name of the config."""
        start = {224: '', 448: '_res224-pre', 576: '_res448-pre'}[self.size]
        start = '_distill-small' if self.distilled else start
        size = '' if self.size == 224 else f'-res{self.size}'
        return (f'videomamba-{self.arch}{start}_{self.gpus}xb{self.batch}-'
                f'{self.epochs}e_in1k{size}')


RUNS = [
    Run('tiny', 224, 8, 512, 5e-4, 1e-5, 1e-6, 300, 5, .1, 0, 5., 7148008),
    Run('small', 224, 8, 512, 5e-4, 1e-5, 1e-6, 300, 5, .05, .15, None,
        25796584),
    Run('middle', 224, 16, 128, 5e-4, 5e-6, 5e-7, 300, 20, .05, .5, 5.,
        74439592, True),
    Run('base', 224, 16, 128, 5e-4, 5e-6, 5e-7, 300, 20, .05, .5, 5., 97894504,
        True),
    Run('tiny', 448, 8, 256, 5e-6, 5e-6, 1e-6, 30, 5, 1e-8, 0, None, 7260904),
    Run('tiny', 576, 8, 128, 5e-6, 5e-6, 1e-6, 10, 2, 1e-8, 0, None, 7359208),
    Run('small', 448, 8, 64, 5e-6, 5e-6, 1e-6, 30, 5, 1e-8, .15, None,
        26022376),
    Run('small', 576, 8, 64, 5e-6, 5e-6, 1e-6, 10, 2, 1e-8, .15, None,
        26218984),
    Run('middle', 448, 16, 32, 5e-6, 5e-6, 1e-6, 30, 5, 1e-8, .5, None,
        74556136),
    Run('middle', 576, 16, 32, 5e-6, 5e-6, 1e-6, 10, 2, 1e-8, .5, None,
        74851048),
]
# Effective peaks, as stated in the spec next to the flags.
PEAKS = [4e-3, 4e-3, 2e-3, 2e-3, 2e-5, 1e-5, 5e-6, 5e-6, 5e-6, 5e-6]

FILL = dict(pad_val=[104, 116, 124], interpolation='bicubic')  # BGR

every_run = pytest.mark.parametrize('run', RUNS, ids=lambda run: run.name)


def load(run: Run) -> Config:
    return Config.fromfile(FOLDER / f'{run.name}.py')


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


def test_the_table_is_whole() -> None:
    """Every recipe on ImageNet has a row, and every row a recipe."""
    found = {path.stem for path in FOLDER.glob('*in1k*.py')}
    assert found == {run.name for run in RUNS}


@pytest.mark.parametrize('run, peak', list(zip(RUNS, PEAKS)))
def test_optimizer(run: Run, peak: float) -> None:
    cfg = load(run)
    optim = cfg.optim_wrapper
    total = run.gpus * run.batch
    assert optim.optimizer.lr == pytest.approx(run.lr * total / 512, rel=1e-9)
    assert optim.optimizer.lr == pytest.approx(peak, rel=1e-9)
    assert optim.optimizer.type == 'AdamW'
    assert tuple(optim.optimizer.betas) == (0.9, 0.999)
    assert optim.optimizer.get('eps', 1e-8) == 1e-8
    assert optim.optimizer.weight_decay == run.decay
    assert (optim.get('clip_grad') or {}).get('max_norm') == run.clip
    assert optim.type == 'AmpOptimWrapper' and optim.dtype == 'bfloat16'
    assert cfg.auto_scale_lr.base_batch_size == total


@every_run
def test_schedule(run: Run) -> None:
    cfg = load(run)
    assert cfg.train_cfg.max_epochs == run.epochs
    optim = torch.optim.SGD([nn.Parameter(torch.zeros(1))],
                            cfg.optim_wrapper.optimizer.lr)
    scheduler = PARAM_SCHEDULERS.build(
        copy.deepcopy(cfg.param_scheduler),
        default_args=dict(optimizer=optim, epoch_length=3))
    found = []
    for _ in range(run.epochs):
        found.append(optim.param_groups[0]['lr'])
        optim.step()
        scheduler.step()
    peak = cfg.optim_wrapper.optimizer.lr
    assert found[:2] == [run.warmup_lr] * 2
    step = (peak - run.warmup_lr) / run.warmup
    assert found[2] == pytest.approx(run.warmup_lr + step)
    t = run.epochs - 2
    last = run.min_lr + (peak -
                         run.min_lr) / 2 * (1 + np.cos(np.pi * t / run.epochs))
    assert found[-1] == pytest.approx(last)
    if run.size > 224 and run.arch != 'tiny':
        assert found[1 + run.warmup:] == pytest.approx(
            [5e-6] * (run.epochs - run.warmup - 1))


@every_run
def test_model(run: Run) -> None:
    cfg = load(run)
    model = cfg.model
    assert model.backbone.arch == run.arch
    assert model.backbone.img_size == run.size
    assert model.backbone.num_frames == 1
    assert model.backbone.drop_path_rate == run.drop_path
    assert model.head.loss == dict(
        type='LabelSmoothLoss', label_smooth_val=0.1, mode='original')
    assert [dict(a) for a in model.train_cfg.augments] == [
        dict(type='Mixup', alpha=0.8),
        dict(type='CutMix', alpha=1.0)
    ]
    assert model.train_cfg.get('probs') is None  # 0.5 each
    assert (model.type == 'mmvideomamba.DistilledClassifier') == run.distilled
    if run.distilled:
        head = model.distill_head
        assert head.teacher.arch == 'small'
        assert head.get('loss_weight', 1.) == 1.
        assert cfg.get('load_from') is None
    elif run.size > 224:
        start = '224' if run.size == 448 else '224to448'
        assert cfg.load_from == (
            f'checkpoints/videomamba_{run.arch[0]}16_in1k_res{start}.pth')


@every_run
def test_number_of_parameters(run: Run) -> None:
    """Of the whole size, as published, the teacher left out."""
    model = MODELS.build(copy.deepcopy(load(run).model))
    assert sum(p.numel() for p in model.parameters()) == run.params


@every_run
def test_data(run: Run) -> None:
    cfg = load(run)
    train, val = cfg.train_dataloader, cfg.val_dataloader
    assert train.batch_size == run.batch and train.drop_last
    assert val.batch_size == cfg.test_dataloader.batch_size
    assert val.batch_size == run.batch * 3 // 2
    crop, flip, augment, erase = train.dataset.pipeline[1:5]
    assert crop == dict(
        type='RandomResizedCrop',
        scale=run.size,
        backend='pillow',
        interpolation='bicubic')
    built = TRANSFORMS.build(dict(crop))
    assert built.crop_ratio_range == (0.08, 1.0)
    assert built.aspect_ratio_range == (3 / 4, 4 / 3)
    assert flip.prob == 0.5 and flip.direction == 'horizontal'
    assert (erase.erase_prob, erase.mode) == (0.25, 'rand')
    assert (erase.min_area_ratio, erase.max_area_ratio) == (0.02, 1 / 3)
    sampler = train.sampler
    if run.arch == 'tiny':
        assert augment.type == 'AutoAugment'
        assert sampler == dict(type='DefaultSampler', shuffle=True)
    else:
        assert augment.type == 'RandAugment'
        assert augment.hparams == FILL
        assert (augment.policies, augment.num_policies, augment.total_level,
                augment.magnitude_level,
                augment.magnitude_std) == ('timm_increasing', 2, 10, 9, 0.5)
        assert (sampler.type, sampler.num_repeats) == ('RepeatAugSampler', 3)
    for loader in (val, cfg.test_dataloader):
        resize, center = loader.dataset.pipeline[1:3]
        assert resize.scale == int(run.size / 0.875)
        assert (resize.edge, resize.backend,
                resize.interpolation) == ('short', 'pillow', 'bicubic')
        assert center.crop_size == run.size
    assert cfg.data_preprocessor.mean == [123.675, 116.28, 103.53]
    assert cfg.data_preprocessor.std == [58.395, 57.12, 57.375]
    assert cfg.data_preprocessor.to_rgb


# AutoAugment "v0" in the notation of the spec: name, probability, level.
V0 = """
Eq .8/1+ShY .8/4 · Col .4/9+Eq .6/3 · Col .4/1+Rot .6/8 · Sol .8/3+Eq .4/7
· Sol .4/2+Sol .6/2 · Col .2/0+Eq .8/8 · Eq .4/8+SolAdd .8/3
· ShX .2/9+Rot .6/8 · Col .6/1+Eq 1/2 · Inv .4/9+Rot .6/0 · Eq 1/9+ShY .6/3
· Col .4/7+Eq .6/0 · Post .4/6+AutoC .4/7 · Sol .6/8+Col .6/9
· Sol .2/4+Rot .8/9 · Rot 1/7+TrY .8/9 · ShX 0/0+Sol .8/4 · ShY .8/0+Col .6/4
· Col 1/0+Rot .6/2 · Eq .8/4+Eq 0/8 · Eq 1/4+AutoC .6/2 · ShY .4/7+SolAdd .6/7
· Post .8/2+Sol .6/10 · Sol .6/8+Eq .6/1 · Col .8/6+Rot .4/5
"""
OPS = {
    'Eq': ('Equalize', {}),
    'AutoC': ('AutoContrast', {}),
    'Inv': ('Invert', {}),
    'ShX': ('Shear', dict(magnitude=.03, direction='horizontal')),
    'ShY': ('Shear', dict(magnitude=.03, direction='vertical')),
    'TrY': ('Translate', dict(magnitude=.045, direction='vertical')),
    'Rot': ('Rotate', dict(angle=3.)),
    'Col': ('ColorTransform', dict(magnitude=.18)),
    'Sol': ('Solarize', dict(thr=25.6)),
    'SolAdd': ('SolarizeAdd', dict(magnitude=11.)),
    'Post': ('Posterize', dict(bits=.4)),
}


def parse(text: str) -> dict:
    """Turn 'Rot .6/8' into the config of the host's transform."""
    name, rest = text.split()
    prob, level = rest.split('/')
    kind, per_level = OPS[name]
    op = dict(type=kind, prob=float(prob))
    for key, value in per_level.items():
        op[key] = value if key == 'direction' else value * int(level)
        if name in ('Sol', 'SolAdd', 'Post'):
            op[key] = int(op[key])
    if kind in ('Shear', 'Translate', 'Rotate'):
        op.update(FILL)
    if name == 'Col':  # the host's value: 0.1 + 0.18 per level - 1
        op.update(magnitude=op['magnitude'] - 0.9, random_negative_prob=0.)
    return op


def test_autoaugment_v0() -> None:
    cfg = load(RUNS[0])
    wanted = [[parse(op) for op in pair.split('+')] for pair in V0.split('·')]
    found = cfg.train_dataloader.dataset.pipeline[3].policies
    assert len(found) == len(wanted) == 25
    for pair, want in zip(found, wanted):
        assert len(pair) == 2
        for op, expected in zip(pair, want):
            assert op.keys() == expected.keys()
            for key, value in expected.items():
                if isinstance(value, (str, list)):
                    assert op[key] == value
                else:
                    assert op[key] == pytest.approx(value), (op, expected)
                    assert type(op[key]) is type(value)


def test_autoaugment_v0_runs_on_the_host() -> None:
    """All pairs run, and the corner case of 0 bits gives a black picture."""
    cfg = load(RUNS[0]).train_dataloader.dataset.pipeline[3]
    augment = TRANSFORMS.build(copy.deepcopy(cfg))
    img = np.random.RandomState(0).randint(0, 256, (32, 40, 3), np.uint8)
    for pair in augment.transforms:
        for op in pair.transforms:
            op.prob = 1.
        out = pair(dict(img=img.copy()))['img']
        assert out.shape == img.shape and out.dtype == np.uint8
    black = augment.transforms[22].transforms[0]
    assert black.bits == 0 and not black(dict(img=img.copy()))['img'].any()
    for pair, place in ((0, 1), (2, 1), (15, 1)):
        op = augment.transforms[pair].transforms[place]
        assert (op.interpolation, op.pad_val) == ('bicubic', (104, 116, 124))


def test_repeated_augmentation_of_the_host() -> None:
    """Three copies of a picture; the epoch has the usual length."""
    sampler = DATA_SAMPLERS.build(
        dict(
            load(RUNS[1]).train_dataloader.sampler, dataset=range(90), seed=0))
    found = list(sampler)
    assert len(found) == 90
    assert found[:30:3] == found[1:30:3] == found[2:30:3]
    assert len(set(found)) == 30


@every_run
def test_decayed_weights(run: Run) -> None:
    """All but 1-D ones and the embeddings; A_log and convolutions are."""
    cfg = load(run)
    for part in (cfg.model.backbone, cfg.model.get('distill_head',
                                                   {}).get('teacher', {})):
        part.update(arch=dict(embed_dims=16, num_layers=1), img_size=32)
    cfg.model.head.in_channels = 16
    if run.distilled:
        cfg.model.distill_head.in_channels = 16
    optim = dict(cfg.optim_wrapper, type='OptimWrapper')
    optim.pop('dtype')
    model = MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, optim).optimizer.param_groups
    names = {id(p): name for name, p in model.named_parameters()}
    found = {names[id(p)]: g for g in groups for p in g['params']}
    assert found.keys() == set(names.values())
    for name, parameter in model.named_parameters():
        plain = parameter.dim() == 1 or name.endswith(
            ('cls_token', 'pos_embed'))
        assert found[name]['weight_decay'] == (0 if plain else run.decay)
        assert found[name]['lr'] == cfg.optim_wrapper.optimizer.lr
    assert found['backbone.layers.0.mixer.A_b_log']['weight_decay'] > 0


def test_smoothing_of_mixed_targets() -> None:
    """The host smooths after mixing, the published run before: the same."""
    cfg = load(RUNS[0])
    head = MODELS.build(dict(cfg.model.head, num_classes=5, in_channels=8))
    scores, share = torch.randn(4, 5), 0.3
    labels = torch.eye(5)[[0, 1, 2, 3]], torch.eye(5)[[3, 2, 1, 0]]
    mixed = share * labels[0] + (1 - share) * labels[1]
    smooth = [0.9 * y + 0.1 / 5 for y in labels]
    target = share * smooth[0] + (1 - share) * smooth[1]
    wanted = -(target * scores.log_softmax(1)).sum(1).mean()
    assert torch.allclose(head.loss_module(scores, mixed), wanted)
