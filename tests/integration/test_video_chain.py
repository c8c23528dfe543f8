"""Each stage of the recipes starts from the checkpoint of the stage before.

Image model, 8 frames, 16 frames, larger frames, long videos with classes and
with numbers: the recipes themselves, made small, in the hosts' own tools.
"""
import copy
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Dict, List
from unittest import mock

import mmengine
import numpy as np
import pytest
import torch
from host_tools import ROOT, run_tool, run_tool_here
from mmengine.config import Config
from mmengine.registry import DefaultScope
from test_image_classifier import make_config, pictures  # noqa: F401

pytestmark = pytest.mark.slow

RECIPES = ROOT / 'configs' / 'recognition'
KINETICS = 'kinetics400/videomamba-tiny_{}_kinetics400-rgb.py'
LVU = 'lvu/videomamba-tiny_k400-u32-pre_8xb8-u32-70e_lvu-{}-60s-rgb.py'
PRETRAIN_TOOLS = Path(find_spec('mmpretrain').origin).parent / '.mim/tools'
CLASSES = 2
WATCHED = 'backbone.layers.1.mixer.in_proj.weight'
PARTS = ('train', 'val', 'test')


def row_of(kind: str, name: str, label: str) -> List[str]:
    """Return the columns of a clip, see the fixture ``clips``."""
    if kind == 'short':
        return [name, label]
    seconds = (6 + int(name[2:-4]) // 2) / 10
    value = f'{int(label) - 0.4}' if kind == 'numbers' else label
    return [name, value, f'{seconds}']


@pytest.fixture
def lists(clips: Path) -> Path:
    """Write the lists of the clips in the formats of the recipes."""
    folder = clips / 'chain'
    folder.mkdir(exist_ok=True)
    for split, source in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        names = [
            line.split()
            for line in (clips /
                         f'data/{source}.txt').read_text().splitlines()
        ]
        for kind in ('short', 'long', 'numbers'):
            rows = [row_of(kind, *one) for one in names]
            path = folder / kind
            path.mkdir(exist_ok=True)
            (path / f'{split}.csv').write_text('\n'.join(map(','.join, rows)))
    return folder


def small_model(cfg: Config, size: int, frames: int) -> None:
    """Make the model of a recipe small, in place."""
    model = cfg.model
    model.backbone.update(
        arch=dict(embed_dims=32, num_layers=2),
        img_size=size,
        num_frames=frames)
    model.cls_head.in_channels = 32
    if 'num_classes' in model.cls_head:
        model.cls_head.num_classes = CLASSES
        for augment in model.data_preprocessor.blending.augments:
            augment.num_classes = CLASSES


def small_data(cfg: Config, size: int, frames: int, lists: Path,
               kind: str) -> None:
    """Point the loaders of a recipe to the clips, in place."""
    for part in PARTS:
        loader = cfg[f'{part}_dataloader']
        loader.update(
            batch_size=4 if part == 'train' else 1,
            num_workers=0,
            persistent_workers=False)
        data = loader.dataset
        data.update(
            data_root='',
            ann_file=str(lists / kind / f'{part}.csv'),
            data_prefix=dict(video=str(lists.parent / 'data')))
        if data.num_classes is not None:
            data.num_classes = CLASSES
        if 'window' in data:
            data.update(window=0.5, stride=0.3)
        for step in data.pipeline:
            if 'clip_len' in step:
                step.clip_len = frames
            if 'scale' in step:
                short = part != 'train' and step.type == 'Resize'
                step.scale = (-1, size) if short else size
            if 'crop_size' in step:
                step.crop_size = size


def stage(name: str, folder: Path, lists: Path, start: Path, **kwargs) -> Path:
    """Train a small form of a recipe for an epoch with the stock tool.

    Args:
        name (str): Recipe.
        folder (Path): Working folder.
        lists (Path): From the fixture.
        start (Path): Checkpoint of the stage before.
        **kwargs: ``frames``, ``size``, ``kind`` (list), ``whole`` (whether
            the head's weights are kept too).

    Returns:
        Path: The config; the same folder holds ``epoch_1.pth``.
    """
    cfg = Config.fromfile(RECIPES / name)
    frames, size = kwargs['frames'], kwargs['size']
    small_model(cfg, size, frames)
    small_data(cfg, size, frames, lists, kwargs['kind'])
    if kwargs.get('whole'):
        cfg.model.backbone.pop('init_cfg')
        cfg.model.cls_head.pop('init_cfg')
        cfg.load_from = str(start)
    else:
        cfg.model.backbone.init_cfg.checkpoint = str(start)
    cfg.optim_wrapper.type = 'OptimWrapper'  # autocast needs a GPU
    cfg.optim_wrapper.pop('dtype')
    cfg.optim_wrapper.pop('accumulative_counts', None)
    cfg.train_cfg.max_epochs = 1
    cfg.param_scheduler = [dict(type='ConstantLR', factor=1.)]
    folder.mkdir()
    path = folder / f'{folder.name}.py'
    cfg.dump(path)
    run_tool_here('train.py', path, '--work-dir', folder)
    return path


def tensors(folder: Path) -> Dict[str, torch.Tensor]:
    file = torch.load(folder / 'epoch_1.pth', weights_only=True)
    return file['state_dict']


def goes_on(folder: Path, source: Path, key: str = WATCHED) -> None:
    """Check a stage against the weights of the stage before.

    Two steps at the recipes' rates move a weight by less than 5e-3; another
    start would differ by 0.05.
    """
    torch.testing.assert_close(
        tensors(folder)[key], tensors(source)[key], atol=5e-3, rtol=0)


def train_images(pictures: Path, folder: Path) -> Path:  # noqa: F811
    """Train an image model with mmpretrain's tool."""
    cfg = make_config(pictures, folder)
    for part in ('train', 'val'):  # the tool's default needs workers
        cfg[f'{part}_dataloader'].persistent_workers = False
    folder.mkdir()
    path = folder / 'image.py'
    Config(copy.deepcopy(cfg.to_dict())).dump(path)
    with mock.patch('host_tools.TOOLS', PRETRAIN_TOOLS), \
            DefaultScope.overwrite_default_scope('mmpretrain'):
        run_tool_here('train.py', path, '--work-dir', folder)
    return folder / 'epoch_1.pth'


def test_chain(
        lists: Path,
        pictures: Path,  # noqa: F811
        tmp_path_factory: pytest.TempPathFactory) -> None:
    work = tmp_path_factory.mktemp('chain')
    start = train_images(pictures, work / 'image')
    eight = stage(
        KINETICS.format('in1k-pre_8xb64-u8-70e'),
        work / 'eight',
        lists,
        start,
        frames=8,
        size=32,
        kind='short')
    sixteen = stage(
        KINETICS.format('in1k-pre_8xb64-u16-70e'),
        work / 'sixteen',
        lists,
        eight.parent / 'epoch_1.pth',
        frames=16,
        size=32,
        kind='short')
    large = stage(
        KINETICS.format('k400-u64-pre_16xb6-u64-10e-res384'),
        work / 'large',
        lists,
        sixteen.parent / 'epoch_1.pth',
        frames=16,
        size=48,
        kind='short',
        whole=True)
    shapes = {
        folder: {
            k: tuple(v.shape)
            for k, v in tensors(work / folder).items()
        }
        for folder in ('eight', 'sixteen', 'large')
    }
    temporal = 'backbone.temporal_pos_embedding'
    assert [shapes[f][temporal] for f in shapes] == [(1, 8, 32), (1, 16, 32),
                                                     (1, 16, 32)]
    assert shapes['large']['backbone.pos_embed'] == (1, 10, 32)
    goes_on(work / 'eight', work / 'image')
    goes_on(work / 'sixteen', work / 'eight')
    goes_on(work / 'large', work / 'sixteen')
    goes_on(work / 'large', work / 'sixteen', 'cls_head.fc_cls.weight')

    trunk = large.parent / 'epoch_1.pth'
    for task, kind, figure in (('director', 'long', 'acc/top1'),
                               ('like-ratio', 'numbers', 'regression/mse')):
        path = stage(
            LVU.format(task),
            work / kind,
            lists,
            trunk,
            frames=16,
            size=32,
            kind=kind)
        goes_on(path.parent, work / 'large')
        check_test(path, figure)


def check_test(path: Path, figure: str) -> None:
    """Test with all views; dump and log hold the same figure."""
    folder = path.parent
    dump = folder / 'dump.pkl'
    with mock.patch('sys.stdout'):
        run_tool_here('test.py', path, folder / 'epoch_1.pth', '--work-dir',
                      folder / 'test', '--dump', dump)
    logged, = (folder / 'test').glob('*/*.json')
    expected = mmengine.load(logged)[figure]
    assert math.isfinite(expected)
    samples = mmengine.load(dump)
    # 4 videos of 1 s: windows of 0.5 s from 0, 0.3 and 0.6 s.
    assert len(samples) == 12
    assert len({one['video_id'] for one in samples}) == 4
    found = run_tool('analysis_tools/eval_metric.py', path, dump, cwd=folder)
    assert found.returncode == 0, found.stderr
    assert figure in found.stdout
    if figure == 'regression/mse':
        errors = []
        for video in {one['video_id'] for one in samples}:
            own = [s for s in samples if s['video_id'] == video]
            mean = np.mean([s['pred_score'].item() for s in own])
            errors.append((mean - own[0]['gt_label'].item())**2)
        assert expected == pytest.approx(np.mean(errors), rel=1e-3)
