"""Options and code on the page for users of the published repository."""
import argparse
import copy
import math
import pickle
import re
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Set
from unittest import mock
from uuid import uuid4

import cv2
import numpy as np
import pytest
import torch
from bad_videos import encode
from host_tools import ROOT
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmvideomamba.command_line.config_options import merge_options
from mmvideomamba.command_line.options import add_config_options
from mmvideomamba.config_check.top_level import key_faults
from mmvideomamba.config_check.types import type_faults

PAGE = (ROOT / 'docs/from_published.md').read_text()
VIDEO = ('recognition/kinetics400/videomamba-tiny_in1k-pre_8xb64-u8-70e_'
         'kinetics400-rgb.py')
IMAGE = 'classification/videomamba-tiny_8xb512-300e_in1k.py'
# Recipe of the tables of a section.
TABLES = {
    'Programs, files, runs':
    VIDEO,
    'Optimiser and schedule':
    VIDEO,
    'Videos':
    VIDEO,
    'Images':
    IMAGE,
    'Masked pretraining':
    'pretraining/umt-videomamba-middle_clip-b16_32xb64-u8-800e_'
    'kinetics400-rgb.py',
    'Videos and texts':
    'retrieval/videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt.py',
}


def sections(level: str) -> Dict[str, str]:
    """Return the text under each heading of the page."""
    parts = re.split(rf'^{level} (.*)$', PAGE, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def options_of(text: str) -> List[str]:
    """Return the entries KEY=VALUE of the tables in a text."""
    rows = [line for line in text.splitlines() if line.startswith('|')]
    return re.findall(r'`([\w.*]+=[^`\s]+)`', '\n'.join(rows))


def test_every_table_has_a_recipe() -> None:
    found = [name for name, text in sections('##').items() if options_of(text)]
    assert found == list(TABLES)
    assert all(len(options_of(sections('##')[name])) > 5 for name in found)


@pytest.mark.parametrize('name', TABLES)
def test_options_of_a_table(name: str) -> None:
    """Every option is taken, and every key known to the class."""
    parser = argparse.ArgumentParser()
    add_config_options(parser)
    original = Config.fromfile(ROOT / 'configs' / TABLES[name])
    options = options_of(sections('##')[name])
    # Options not ending in ``=None`` are merged together, each ``=None``
    # option alone.
    alone = [option for option in options if option.endswith('=None')]
    for words in ([x for x in options if x not in alone], *([x]
                                                            for x in alone)):
        cfg = copy.deepcopy(original)
        args = parser.parse_args(['x', '--cfg-options', *words])
        merge_options(cfg, args.cfg_options)
        faults = type_faults(cfg, cfg.default_scope) + key_faults(cfg)
        assert faults == []


def anchors_of(text: str) -> Set[str]:
    """Return the anchors given by a viewer to the headings of a page."""
    headings = re.findall(r'^#+ (.*)$', text, flags=re.M)
    return {
        re.sub(r'[^\w -]', '', head.lower()).replace(' ', '-')
        for head in headings
    }


def test_links() -> None:
    links = re.findall(r'\]\(([^)#]*)#?([^)]*)\)', PAGE)
    assert len(links) > 30
    for path, anchor in links:
        text = (ROOT / 'docs' / path).read_text() if path else PAGE
        assert not anchor or anchor in anchors_of(text), (path, anchor)


def blocks() -> Dict[str, tuple]:
    """Return recipe and text of each block of Python, by heading."""
    found = {}
    for name, text in sections('##+').items():
        codes = re.findall(r'```python\n(.*?)```', text, flags=re.S)
        for i, code in enumerate(codes):
            kind = re.match(r'# A child of an? (video|image) recipe', code)
            assert kind, code
            recipe = VIDEO if kind[1] == 'video' else IMAGE
            found[f'{name} {i}' if i else name] = recipe, code
    return found


class Watch(Hook):
    """Note learning rates, weight decays and weights after iterations."""
    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.decays: List[List[float]] = []
        self.weights: List[torch.Tensor] = []

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        groups = runner.optim_wrapper.optimizer.param_groups
        self.decays.append([group['weight_decay'] for group in groups])

    def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        weight = next(iter(runner.model.backbone.parameters()))
        self.weights.append(weight.detach().clone())


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two videos, four images and a set like CIFAR."""
    folder = tmp_path_factory.mktemp('data')
    lines = [f'{encode(folder / f"{x}.mp4", "-c:v", "mpeg4")},0' for x in 'ab']
    (folder / 'videos.csv').write_text('\n'.join(lines))
    (folder / 'train').mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (4, 3072), np.uint8)
    for i, pixels in enumerate(noise):
        cv2.imwrite(str(folder / f'train/{i}.png'), pixels.reshape(32, 32, 3))
    (folder / 'images.txt').write_text(''.join(f'{i}.png {i}\n'
                                               for i in range(4)))
    cifar = folder / 'cifar-100-python'
    cifar.mkdir()
    content = dict(data=noise, fine_labels=list(range(4)))
    names = dict(fine_label_names=[str(i) for i in range(100)])
    for name in ('train', 'test', 'meta'):
        (cifar / name).write_bytes(
            pickle.dumps(names if name == 'meta' else content))
    return folder


def shrink(cfg: Config, data: Path) -> None:
    """Let a config train a tiny model for two iterations on small files."""
    images = cfg.default_scope == 'mmpretrain'
    cfg.model.backbone.update(
        arch=dict(embed_dims=16, num_layers=1), img_size=32, init_cfg=None)
    head = cfg.model.head if images else cfg.model.cls_head
    head.in_channels = 16
    cfg.optim_wrapper.type = 'OptimWrapper'
    cfg.optim_wrapper.pop('dtype')
    loader = cfg.train_dataloader
    loader.update(batch_size=2 if images else 1, num_workers=0)
    loader.persistent_workers = False
    ann = dict(
        ann_file='images.txt', data_prefix='') if images else dict(
            ann_file='videos.csv', data_prefix=dict(video=''))
    if loader.dataset.type == 'CIFAR100':
        ann = {}
    for part in ('train', 'val', 'test'):
        dataset = cfg[f'{part}_dataloader'].dataset
        dataset.update(ann, data_root=str(data))
        for step in dataset.pipeline:
            for key in {'scale', 'crop_size'} & step.keys():
                step[key] = 32
    for part in ('val', 'test'):
        for key in ('dataloader', 'cfg', 'evaluator'):
            cfg.pop(f'{part}_{key}')
    cfg.default_hooks.checkpoint = None
    cfg.train_cfg = dict(by_epoch=True, max_epochs=1)


def check_accumulation(runner: Runner, watch: Watch) -> None:
    for scheduler in runner.param_schedulers:
        assert type(scheduler).__name__.startswith('PerUpdate')
    assert runner.param_schedulers[0].last_step == 1
    assert torch.equal(*watch.weights) is False


def check_ema(runner: Runner, watch: Watch) -> None:
    """The first update copies the weights, the second one averages."""
    hook, = (h for h in runner.hooks if isinstance(h, EMAHook))
    average = next(iter(hook.ema_model.module.backbone.parameters()))
    first, second = watch.weights
    torch.testing.assert_close(average, first * 0.9999 + second * 0.0001)


def check_decay(runner: Runner, watch: Watch) -> None:
    """Along a cosine from 0.1 to 0.01; weights without decay stay so."""
    steps = 2 * 70  # updates of all epochs
    for i, decays in enumerate(watch.decays):
        share = (1 + math.cos(math.pi * i / steps)) / 2
        assert sorted(set(decays)) == pytest.approx([0, 0.01 + 0.09 * share],
                                                    rel=1e-6)
    assert len(watch.decays) == 2


def check_optimizer(name: str) -> Callable:

    def check(runner: Runner, watch: Watch) -> None:
        assert type(runner.optim_wrapper.optimizer).__name__ == name

    return check


def check_wandb(runner: Runner, watch: Watch) -> None:
    wandb = sys.modules['wandb']
    assert wandb.init.call_args.kwargs['project'] == 'videomamba'
    logged: set = set().union(*(c.args[0] for c in wandb.log.call_args_list))
    assert {'loss', 'lr'} <= logged


def check_dense(runner: Runner, watch: Watch) -> None:
    """8 frames over 32 of a video with 10 frames per second."""
    dataset = runner.train_dataloader.dataset
    sample = dataset.get_data_info(0)
    for step in dataset.pipeline.transforms[:2]:
        sample = step(sample)
    expected = np.linspace(0, 31, 8).astype(int)
    # The clip is two frames longer than the video, and starts over.
    assert sample['total_frames'] == 30
    assert np.array_equal(sample['frame_inds'], expected % 30)


def check_trained(runner: Runner, watch: Watch) -> None:
    assert torch.equal(*watch.weights) is False


CHECKS: Dict[str, Callable] = {
    'Accumulation': check_accumulation,
    'EMA': check_ema,
    'Weight decay with an end': check_decay,
    'Other optimisers': check_optimizer('SGD'),
    'Other optimisers 1': check_optimizer('Lamb'),
    'wandb and TensorBoard': check_wandb,
    'Dense clips, and frames per second': check_dense,
    'ThreeAugment': check_trained,
    'CIFAR and iNaturalist': check_trained,
}


def test_every_block_is_checked() -> None:
    assert list(blocks()) == list(CHECKS)


@pytest.mark.parametrize('name', CHECKS)
def test_block(name: str, data: Path, tmp_path: Path,
               monkeypatch: pytest.MonkeyPatch) -> None:
    """A child config with the block trains for two iterations."""
    recipe, code = blocks()[name]
    path = tmp_path / 'child.py'
    path.write_text(f'_base_ = {str(ROOT / "configs" / recipe)!r}\n{code}')
    cfg = Config.fromfile(path)
    assert type_faults(cfg, cfg.default_scope) == []
    shrink(cfg, data)
    monkeypatch.setitem(sys.modules, 'wandb', mock.MagicMock())
    # Without the contents of CIFAR, without the check sums.
    monkeypatch.setattr('mmpretrain.datasets.cifar.check_md5', lambda *_: True)
    cfg.log_level = 'WARNING'
    # Runs of the same second would share a visualizer.
    cfg.experiment_name = uuid4().hex
    cfg.work_dir = str(tmp_path / 'work')
    watch = Watch()
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        runner = Runner.from_cfg(cfg)
        runner.register_hook(watch)
        runner.train()
        CHECKS[name](runner, watch)
    assert len(watch.weights) == 2
