import copy
import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmengine.config import Config
from preloaded_python import Python

from mmvideomamba.analysis import build_model, estimate_training_memory
from mmvideomamba.analysis import training_memory as module
from mmvideomamba.analysis.training_memory import (STEPS, step_memory,
                                                   training_sizes)
from mmvideomamba.command_line import find_config
from mmvideomamba.ops import use_backend

TINY = 'videomamba-tiny_1xb8-u8-25e_custom-rgb'
MIB = 2**20
ROOT = Path(__file__).parents[2]
# A forked process for each config, so that all start from the same imports:
# two steps with one clip (the first step creates the optimizer's state), then
# one step with a batch; prints the peaks of both.
SCRIPT = """
import os
import sys
import mmvideomamba
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmvideomamba.analysis import build_model

for path in sys.argv[1:]:
    if os.fork():
        if os.wait()[1]:
            sys.exit(1)
        continue
    cfg = Config.fromfile(path)
    model = build_model(cfg).train()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    backbone = cfg.model.backbone
    side = backbone.img_size
    for clips, steps in ((1, 2), (cfg.train_dataloader.batch_size, 1)):
        samples = [ActionDataSample().set_gt_label(0) for _ in range(clips)]
        for _ in range(steps):
            clip = torch.zeros(1, 3, backbone.num_frames, side, side).byte()
            model.train_step(
                dict(inputs=[clip] * clips, data_samples=samples), wrapper)
        for line in open('/proc/self/status'):
            if line.startswith('VmHWM:'):
                print('peak', int(line.split()[1]) * 1024, flush=True)
    os._exit(0)
"""
SIZES = ((dict(embed_dims=96,
               num_layers=6), 8, 112, 10), (dict(embed_dims=192,
                                                 num_layers=4), 16, 64, 12))


@pytest.fixture
def cfg() -> Any:
    """Return the recipe for own videos."""
    return Config.fromfile(find_config(TINY))


def resize(cfg: Config, arch: dict, frames: int, side: int,
           clips: int) -> None:
    """Change model and batch of a recipe."""
    backbone = dict(arch=arch, num_frames=frames, img_size=side)
    cfg.model.backbone.update(backbone)
    cfg.model.cls_head.in_channels = arch['embed_dims']
    cfg.train_dataloader.update(batch_size=clips, num_workers=0)
    cfg.val_dataloader.num_workers = 0


@pytest.mark.skipif(
    not Path('/proc/self/status').exists(), reason='peaks are read on Linux')
def test_measured_steps(tmp_path: Path) -> None:
    """Memory of the clips of a batch equals the estimate, to 15 %.

    The estimate's constant part counts a runner with all its imports, more
    than the script's.
    """
    cfgs = []
    for number, sizes in enumerate(SIZES):
        cfg: Any = Config.fromfile(find_config(TINY))
        resize(cfg, *sizes)
        cfg.dump(tmp_path / f'{number}.py')
        cfgs.append(cfg)
    paths = sorted(map(str, tmp_path.glob('*.py')))
    script = tmp_path / 'script'
    script.write_text(SCRIPT)
    done = Python([script, *paths], tmp_path).wait()
    assert done.returncode == 0, done.stderr
    out = done.stdout
    peaks = [
        int(line.split()[1]) for line in out.splitlines()
        if line.startswith('peak')
    ]
    for cfg, one, batch in zip(cfgs, peaks[::2], peaks[1::2]):
        estimate = estimate_training_memory(cfg, 'cpu') or 0
        cfg.train_dataloader.batch_size = 1
        share = estimate - (estimate_training_memory(cfg, 'cpu') or 0)
        assert share > 150 * MIB
        assert batch - one == pytest.approx(share, rel=0.15)
        assert 0.6 * estimate < batch < 1.1 * estimate


@pytest.mark.parametrize('arch', ['tiny', 'small', 'middle', 'base'])
def test_weights(cfg: Config, arch: str) -> None:
    cfg.model.backbone.update(arch=arch, frozen_stages=2)
    cfg.model.cls_head.in_channels = dict(
        tiny=192, small=384, middle=576, base=768)[arch]
    with torch.device('meta'):
        model = build_model(cfg)
    sizes = training_sizes(cfg)
    assert sizes is not None
    parts = list(model.parameters())
    assert sizes.weights == sum(p.numel() for p in parts)
    learned = sum(p.numel() for p in parts if p.requires_grad)
    assert sizes.learned == learned < sizes.weights
    layers = model.get_submodule('backbone.layers')
    assert sizes.blocks == len(list(layers.children())) - 2


def test_what_takes_more(cfg: Config) -> None:
    sizes: Any = training_sizes(cfg)
    assert (sizes.state, sizes.copies, sizes.recomputed) == (8, 0, 0)
    assert sizes.tokens == 8 * (8 * 14 * 14 + 1)
    base = estimate_training_memory(cfg, 'cpu') or 0

    def more(**changes: Any) -> float:
        changed = copy.deepcopy(cfg)
        changed.merge_from_dict({
            key.replace('__', '.'): value
            for key, value in changes.items()
        })
        return (estimate_training_memory(changed, 'cpu') or 0) - base

    assert more(custom_hooks=[dict(type='EMAHook')]) == 4 * sizes.weights
    assert more(launcher='pytorch') == 4 * sizes.weights
    assert more(
        optim_wrapper__optimizer=dict(
            type='SGD', lr=1, momentum=0.9,
            _delete_=True)) == -4 * sizes.weights
    assert more(
        optim_wrapper__optimizer=dict(type='SGD', lr=1,
                                      _delete_=True)) == -8 * sizes.weights
    recomputed = more(model__backbone__checkpoint_layers=24)
    assert -base < recomputed < more(model__backbone__checkpoint_layers=12) < 0
    assert more(model__backbone__frozen_stages=24) < recomputed
    clips = more(train_dataloader__dataset__num_repeats=2)
    assert clips == pytest.approx(more(train_dataloader__batch_size=16), rel=0)
    fewer = more(train_dataloader__num_workers=0)
    assert fewer == -4 * (module.WORKER + 2 * sizes.pixels)


def test_half_precision(cfg: Config) -> None:
    sizes: Any = training_sizes(cfg)
    full = step_memory(sizes, STEPS['cuda', 'float32'])
    half = step_memory(sizes, STEPS['cuda', 'half'])
    assert 0.4 * full < half < 0.9 * full


@pytest.mark.parametrize('name', [
    'videomamba-tiny_lora_1xb8-u8-25e_custom-rgb',
    'videomamba-tiny_attentive-probe_1xb8-u8-25e_custom-rgb',
    'umt-videomamba-tiny_clip-b16_32xb64-u8-800e_kinetics400-rgb',
    'videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt',
    'videomamba-nano_distill-micro_1xb8-u8-25e_quickstart-rgb',
])
def test_no_guess_of_other_models(name: str) -> None:
    cfg = Config.fromfile(find_config(name))
    assert estimate_training_memory(cfg, 'cpu') is None


@pytest.mark.parametrize('changes', [
    {
        'model.backbone.mixer_cfg': dict(d_state=32)
    },
    {
        'model.neck': dict(type='Other')
    },
    {
        'model.backbone.type': 'SwinTransformer3D'
    },
    {
        'optim_wrapper.type': 'AmpOptimWrapper'
    },
    {
        'optim_wrapper.optimizer.type': 'Lion'
    },
    {
        'optim_wrapper.type': 'ApexOptimWrapper'
    },
    {
        'train_dataloader.batch_size': None
    },
    {
        'compile': True
    },
])
def test_no_guess_of_other_trainings(cfg: Config, changes: dict) -> None:
    assert estimate_training_memory(cfg, 'cpu') is not None
    cfg.merge_from_dict(changes)
    assert estimate_training_memory(cfg, 'cpu') is None


def test_no_guess_of_objects_and_devices(cfg: Config) -> None:
    assert estimate_training_memory(cfg, 'meta') is None
    with use_backend('torch'):
        assert estimate_training_memory(cfg, 'cpu') is None
    for key in ('model', 'train_dataloader', 'optim_wrapper'):
        changed = Config(dict(cfg.to_dict(), **{key: 'an object'}))
        assert estimate_training_memory(changed, 'cpu') is None


def test_image_classifier() -> None:
    cfg = Config.fromfile(find_config('videomamba-micro_1xb32-15e_digits'))
    sizes: Any = training_sizes(cfg)
    with torch.device('meta'):
        model = build_model(cfg)
    assert sizes.weights == sum(p.numel() for p in model.parameters())
    tokens = model.get_submodule('backbone').get_parameter('pos_embed')
    assert sizes.tokens == cfg.train_dataloader.batch_size * tokens.shape[1]


@pytest.mark.parametrize('wrapper', ['OptimWrapper', 'AmpOptimWrapper'])
def test_less_to_keep_on_a_gpu(cfg: Config, wrapper: str,
                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, '_own_kernels', lambda device: True)
    cfg.optim_wrapper.type = wrapper
    found = []
    for name in (None, 'checkpoint_layers', 'frozen_stages'):
        changed = copy.deepcopy(cfg)
        if name is not None:
            changed.model.backbone[name] = 24
        found.append(estimate_training_memory(changed, 'cuda') or 0)
    assert found[0] > found[1] > found[2] > 200 * MIB


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the benchmark that fits the constants."""
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))
    return importlib.import_module('training_memory_fit')


def test_computed_is_measured_on_a_cpu(fits: ModuleType) -> None:
    """The constants give the measured rows to 5 %."""
    file = ROOT / 'benchmarks/results/which_model_cpu.json'
    entries = [
        e for e in json.loads(file.read_text())['entries']
        if '-train-' in e['case'] and 'note' not in e
    ]
    assert len(entries) >= 10
    for entry in entries:
        case = fits.Case.parse(entry['case'])
        sizes: Any = training_sizes(fits.recipe(case, 'cpu'))
        found = step_memory(sizes, STEPS['cpu', 'float32'])
        assert found / 2**30 == pytest.approx(
            entry['gib'], rel=0.05), entry['case']


def test_constants_of_a_gpu(fits: ModuleType) -> None:
    """The constants are the fit; the page names both tolerances."""
    rows = fits.rows(ROOT / 'benchmarks/results')
    assert len(rows) >= 20
    fitted = fits.fit(rows)
    for kind, step in fitted.items():
        assert STEPS['cuda', kind] == pytest.approx(step, rel=0.01)
    steps = {kind: STEPS['cuda', kind] for kind in fitted}
    for row in rows:
        assert abs(fits.deviation(row, steps)) < 0.09, row.case
    left_out = fits.left_out(rows)
    assert [case for case, found in left_out.items() if found is None] == [
        f'tiny-64-8-train-{how}-{precision}' for how in ('cp', 'frozen')
        for precision in ('bfloat16', 'float32')
    ]
    known = [abs(x) for x in left_out.values() if x is not None]
    assert max(known) < 0.14


@pytest.mark.parametrize('name, clips, row',
                         [('TINY_8F', 8, 'Tiny 8f, 8 clips'),
                          ('TINY_64F', 8, 'Tiny 64f, 8 clips'),
                          ('TINY_8F', 64, 'Tiny 8f, 64 clips'),
                          ('MIDDLE_8F', 32, 'Middle 8f, 32 clips')])
def test_trainings_outside_the_fit(fits: ModuleType, name: str, clips: int,
                                   row: str) -> None:
    """Other recipes, measured by training_step.py, are met to 11 %."""
    parts = importlib.import_module('recipe_parts')
    cfg = parts.load(parts.Case(getattr(parts, name), clips), 'cuda', False)
    cfg.train_dataloader.batch_size = clips
    # The clips of the benchmark are without repeats.
    cfg.train_dataloader.dataset.num_repeats = 1
    sizes: Any = training_sizes(cfg)
    page = ROOT / 'benchmarks/results/training_step.md'
    line, = (
        x for x in page.read_text().splitlines()
        if x.startswith(f'| {row} | default settings |'))
    reserved = float(line.split('|')[-3])
    found = step_memory(sizes, STEPS['cuda', 'half']) / 2**30
    assert found == pytest.approx(reserved, rel=0.11)


def test_page_holds_the_tables() -> None:
    result = (ROOT / 'benchmarks/results/which_model.md').read_text()
    page = (ROOT / 'docs/which_model.md').read_text()
    assert page.endswith(result.partition('\n')[2])
