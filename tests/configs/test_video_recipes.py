"""Every published video recipe has a config with effective values."""
import copy
import functools
import json
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
import torch
from bad_videos import encode
from common import GOLDEN, official_weights
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import (MODELS, PARAM_SCHEDULERS, DefaultScope,
                               init_default_scope)
from mmengine.runner import Runner
from video_table import (CLASSES, FILES, FOLDER, LVU, ROWS, TABLE, classes_of,
                         every_recipe)

from mmvideomamba.models import VideoMamba

PARTS = ('train', 'val', 'test')
STEPS = 2  # updates of an epoch, in the tests of schedules
SCHEDULES = json.loads((GOLDEN / 'param_groups.json').read_text())['schedules']


@pytest.fixture(autouse=True, scope='module')
def scope():
    """Work in the host's scope, and leave the scope as it was."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@functools.lru_cache(maxsize=None)
def load(name: str) -> Config:
    """Read a config once; tests copy before changes."""
    return Config.fromfile(FOLDER / name)


def steps_of(cfg: Config, part: str) -> Dict[str, dict]:
    """Return the pipeline of a loader, by the plain names of its steps."""
    pipeline = cfg[f'{part}_dataloader'].dataset.pipeline
    return {step.type.split('.')[-1]: step for step in pipeline}


def sampler_of(row: dict) -> str:
    if row['data'] == 'sthv2':
        return 'SegmentSample'
    return 'UniformWindowSample' if row.get('window') else 'UniformSample'


def test_table_and_configs_are_one_to_one() -> None:
    assert len(ROWS) == len(TABLE) == 66
    assert {f'{path.parent.name}/{path.name}' for path in FILES} == set(ROWS)


@every_recipe
def test_lr_of_the_table_is_the_flag_times_clips(name: str) -> None:
    row = ROWS[name]
    clips = 2 * int(row['gpus']) * int(row['batch']) * int(row['steps'])
    assert float(row['lr']) == pytest.approx(
        float(row['lr_flag']) * clips / 256)


@every_recipe
def test_model(name: str) -> None:
    row, model = ROWS[name], load(name).model
    backbone, head = model.backbone, model.cls_head
    assert backbone.arch == row['arch']
    assert backbone.num_frames == int(row['frames'])
    assert backbone.img_size == int(row['size'])
    assert backbone.drop_path_rate == float(row['drop_path'])
    assert Path(backbone.init_cfg.checkpoint).name == f'{row["init"]}.pth'
    assert head.in_channels == VideoMamba.arch_zoo[row['arch']]['embed_dims']
    # The classes stay the same where only the frames get larger.
    assert ('init_cfg' in head) == (row['size'] != '224')
    assert head.get('init_cfg', backbone.init_cfg) == backbone.init_cfg
    classes = classes_of(row)
    blending = model.data_preprocessor.get('blending')
    if classes is None:
        assert head.type == 'mmvideomamba.VideoMambaRegressionHead'
        assert blending is None
        return
    assert head.num_classes == classes
    assert head.label_smooth_eps == 0.1
    assert head.average_clips == 'prob'
    assert [(a.type, a.alpha, a.num_classes)
            for a in blending.augments] == [('MixupBlending', 0.8, classes),
                                            ('CutmixBlending', 1.0, classes)]


@every_recipe
def test_data(name: str) -> None:
    row, cfg = ROWS[name], load(name)
    for part in PARTS:
        loader = cfg[f'{part}_dataloader']
        data = loader.dataset
        assert data.num_classes == classes_of(row)
        assert data.get('regression', False) == (classes_of(row) is None)
        assert data.delimiter == (' ' if row['data'] == 'sthv2' else ',')
        assert Path(data.data_root).name == row['data']
        if row['data'] == 'lvu':
            assert data.ann_file == f'{row["task"]}/{part}.csv'
            assert data.window == (60 if row['window'] else None)
            assert data.get('stride', 16) == 16
        assert data.get('num_repeats', 1) == (2 if part == 'train' else 1)
    train = cfg.train_dataloader
    assert train.batch_size == int(row['batch'])
    assert train.collate_fn.type == 'repeat_pseudo_collate'
    assert cfg.optim_wrapper.get('accumulative_counts', 1) == int(row['steps'])
    assert cfg.auto_scale_lr.base_batch_size == int(
        row['gpus']) * train.batch_size
    assert cfg.test_dataloader.batch_size == 1


@every_recipe
def test_pipelines(name: str) -> None:
    row, cfg = ROWS[name], load(name)
    size = int(row['size'])
    steps = {part: steps_of(cfg, part) for part in PARTS}
    for part in PARTS:
        sampler = list(steps[part])[1]
        assert sampler == sampler_of(row)
        assert steps[part][sampler].clip_len == int(row['frames'])
        assert steps[part][sampler].get('test_mode', False) == (
            part != 'train')
        clips = int(row['clips']) if part == 'test' else 1
        assert steps[part][sampler].get('num_clips', 1) == clips
        if part != 'train':
            assert steps[part]['ResizeShortEdge'].scale == size
    train = steps['train']
    augment = train['ClipRandAugment']
    assert row['rand_augment'] == (
        f'rand-m{augment.magnitude}-n{augment.num_layers}-'
        f'mstd{augment.magnitude_std}-inc1')
    assert train['ClipRandomResizedCrop'].scale == size
    assert train['ClipRandomErasing'].erase_prob == 0.25
    flip = train.get('Flip', dict(flip_ratio=0))
    assert flip['flip_ratio'] == (0 if row['data'] == 'sthv2' else 0.5)
    order = list(train)[2:]
    assert order == sorted(
        order,
        key=[
            'DecodeFrames', 'ClipRandAugment', 'ClipRandomResizedCrop', 'Flip',
            'ClipRandomErasing', 'FormatShape', 'PackActionInputs'
        ].index)
    for part, count in (('val', 1), ('test', 3)):
        crops = steps[part]['EvenCrops']
        assert (crops.crop_size, crops.get('num_crops', 3)) == (size, count)


def shrunk(cfg: Config) -> torch.nn.Module:
    """Build the model narrow, with two blocks and small frames."""
    model = copy.deepcopy(cfg.model)
    model.backbone.update(arch=dict(embed_dims=32, num_layers=2), img_size=32)
    model.cls_head.in_channels = 32
    return MODELS.build(model)


@every_recipe
def test_rates_of_a_run(name: str) -> None:
    """Learning rates from the first to the last step, and weight decay."""
    row, cfg = ROWS[name], load(name)
    optim = copy.deepcopy(cfg.optim_wrapper)
    counts = int(row['steps'])
    assert (optim.pop('type'), optim.pop('dtype')) == ('AmpOptimWrapper',
                                                       'bfloat16')
    assert 'clip_grad' not in optim
    model = shrunk(cfg)
    wrapper = build_optim_wrapper(model, dict(optim, type='OptimWrapper'))
    names = {id(p): n for n, p in model.named_parameters()}
    groups = {
        names[id(p)]: group
        for group in wrapper.optimizer.param_groups
        for p in group['params']
    }
    rates = run_schedule(cfg, wrapper, groups, STEPS * counts)
    lr, flag = float(row['lr']), float(row['lr_flag'])
    floor = lr * 1e-6 / flag
    epochs, warmup = int(row['epochs']), int(row['warmup'])
    depth = VideoMamba.arch_zoo[row['arch']]['num_layers']
    slow = float(row['layer_decay'])**(depth + 1)
    expected = published_rates(lr, floor, epochs, warmup).repeat(counts)
    for key, found in rates.items():
        embedding = key.startswith(
            ('backbone.patch_embed', 'backbone.pos_embed',
             'backbone.cls_token'))
        np.testing.assert_allclose(
            found, expected * (slow if embedding else 1.), rtol=1e-5)
    decay = float(row['weight_decay'])
    for key, group in groups.items():
        flat = dict(model.named_parameters())[key].dim() == 1
        kept = flat or key.endswith(
            ('cls_token', 'pos_embed', 'temporal_pos_embedding'))
        assert group['weight_decay'] == (0 if kept else decay), key
        assert group['betas'] == (0.9, 0.999)


def run_schedule(cfg: Config, wrapper: Any, groups: Dict[str, dict],
                 length: int) -> Dict[str, np.ndarray]:
    """Step a config's schedule to the end; return rates of some parameters.

    Args:
        cfg (Config): The config.
        wrapper (OptimWrapper): The optimizer.
        groups (dict[str, dict]): Group of each parameter.
        length (int): Iterations of an epoch.

    Returns:
        dict[str, np.ndarray]: Rates of each iteration.
    """
    schedulers = [
        PARAM_SCHEDULERS.build(
            copy.deepcopy(one),
            default_args=dict(optimizer=wrapper, epoch_length=length))
        for one in cfg.param_scheduler
    ]
    watched = ('backbone.pos_embed', 'backbone.patch_embed.proj.bias',
               'backbone.temporal_pos_embedding', 'cls_head.fc_cls.weight',
               'backbone.layers.0.mixer.A_log')
    rates: Dict[str, list] = {key: [] for key in watched}
    wrapper.optimizer.step()  # avoids a warning of the schedules
    for _ in range(cfg.train_cfg.max_epochs * length):
        for key in watched:
            rates[key].append(groups[key]['lr'])
        for scheduler in schedulers:
            scheduler.step()
    return {key: np.array(values) for key, values in rates.items()}


def published_rates(lr: float,
                    floor: float,
                    epochs: int,
                    warmup: int,
                    steps: int = STEPS) -> np.ndarray:
    """Return the learning rate of each step by the published rule."""
    first = np.linspace(floor, lr, warmup * steps)
    rest = (epochs - warmup) * steps
    cosine = (1 + np.cos(np.pi * np.arange(rest) / rest)) / 2
    return np.concatenate([first, floor + (lr - floor) * cosine])


def test_rule_of_the_schedule_is_the_golden_one() -> None:
    row = SCHEDULES['warm']
    found = published_rates(row['base'], row['final'], row['epochs'],
                            row['warmup_epochs'], row['iters_per_epoch'])
    # There the first value has another floor.
    warm = row['warmup_epochs'] * row['iters_per_epoch']
    np.testing.assert_allclose(found[warm:], row['values'][warm:], rtol=1e-12)
    first = np.linspace(row['start_warmup'], row['base'], warm)
    np.testing.assert_allclose(first, row['values'][:warm], rtol=1e-12)


@pytest.fixture(scope='session')
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny data set in the format of each recipe."""
    folder = tmp_path_factory.mktemp('recipes')
    encode(folder / 'a.mp4', '-c:v', 'mpeg4', frames=12)
    encode(folder / 'b.mp4', '-c:v', 'mpeg4', frames=70)
    lists = {name: (name, CLASSES[name]) for name in CLASSES}
    lists.update({
        f'lvu/{task}': ('lvu', count)
        for task, count in LVU.items()
    })
    for place, (name, count) in lists.items():
        write_lists(folder / place, folder / name / 'videos', name, count)
    return folder


def write_lists(folder: Path, videos: Path, name: str, count: Any) -> None:
    """Write annotation files of two videos; the second has the last label.

    Args:
        folder (Path): Of the annotation files.
        videos (Path): Of the videos.
        name (str): Data set.
        count (int | None): Classes; None for numbers.
    """
    folder.mkdir(parents=True)
    videos.mkdir(parents=True, exist_ok=True)
    for clip in 'ab':
        if not (videos / f'{clip}.mp4').exists():
            (videos / f'{clip}.mp4').symlink_to(videos.parents[1] /
                                                f'{clip}.mp4')
    labels = ('-0.75', '1.5') if count is None else ('0', str(count - 1))
    lines = [['a.mp4', labels[0], '1.2'], ['b.mp4', labels[1], '7.0']]
    separator = ' ' if name == 'sthv2' else ','
    for split in PARTS:
        (folder / f'{split}.csv').write_text('\n'.join(
            separator.join(line[:3 if name == 'lvu' else 2])
            for line in lines))


def small_loader(cfg: Config, row: dict, part: str, folder: Path) -> dict:
    """Return a loader of a config, on the fixture and with small frames."""
    loader = copy.deepcopy(cfg[f'{part}_dataloader'])
    loader.update(batch_size=2 if part == 'train' else 1, num_workers=0)
    loader.persistent_workers = False
    # Serialising collects garbage, and takes longer than all the rest.
    loader.dataset.update(
        data_root=str(folder / row['data']), serialize_data=False)
    if row.get('window'):
        loader.dataset.update(window=2., stride=1.)
    for step in loader.dataset.pipeline:
        for key in ('scale', 'crop_size'):
            if key in step:
                step[key] = (-1, 32) if isinstance(step[key], tuple) else 32
    return loader


@every_recipe
def test_a_step_and_a_prediction(name: str, fixtures: Path) -> None:
    """Loaders, model, loss and metric run on files of the same format."""
    row, cfg = ROWS[name], load(name)
    init_default_scope('mmaction')
    model = shrunk(cfg)
    frames = int(row['frames'])
    loaders = {
        part:
        Runner.build_dataloader(
            small_loader(cfg, row, part, fixtures), seed=0)
        for part in PARTS
    }
    batch = next(iter(loaders['train']))
    assert len(batch['inputs']) == 4
    assert batch['inputs'][0].shape == (1, 3, frames, 32, 32)
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    assert all(torch.isfinite(loss).all() for loss in losses.values())
    for part, views in (('val', 1), ('test', 3 * int(row['clips']))):
        batch = next(iter(loaders[part]))
        assert batch['inputs'][0].shape == (views, 3, frames, 32, 32)
    evaluator = Runner.build_evaluator(None, cfg.test_evaluator)
    batch = next(iter(loaders['val']))
    with torch.no_grad():
        found = model.eval().val_step(batch)
    evaluator.process(data_samples=found, data_batch=batch)
    assert evaluator.evaluate(1)


def test_larger_frames_take_trunk_and_head_of_a_file(tmp_path: Path) -> None:
    """As published: only the classes of another data set start anew."""
    name = ('kinetics400/videomamba-tiny_k400-u64-pre_16xb6-u64-10e-res384_'
            'kinetics400-rgb.py')
    cfg = copy.deepcopy(load(name))
    small = dict(embed_dims=32, num_layers=2)
    weights = official_weights(
        VideoMamba(small, img_size=48, num_frames=4), classes=400)
    torch.save(dict(model=weights), tmp_path / 'published.pth')
    for part in (cfg.model.backbone, cfg.model.cls_head):
        part.init_cfg.checkpoint = str(tmp_path / 'published.pth')
    model = shrunk(cfg)
    model.init_weights()
    found = model.state_dict()
    for key, source in (('backbone.layers.1.mixer.in_proj.weight',
                         'layers.1.mixer.in_proj.weight'),
                        ('cls_head.fc_cls.weight', 'head.weight'),
                        ('cls_head.fc_cls.bias', 'head.bias')):
        assert torch.equal(found[key], weights[source]), key
    assert found['backbone.temporal_pos_embedding'].shape == (1, 64, 32)
