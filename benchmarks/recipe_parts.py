"""Recipes of this project for a benchmark: no files, and clips for free."""
import argparse
import json
from pathlib import Path
from statistics import median
from typing import Any, Dict, List, NamedTuple

import mmvideomamba  # isort: skip  # heals the host, goes first
from mmengine.config import Config
from mmengine.registry import HOOKS
from synthetic_training import StepTimer

# Of the checkout whose package is imported.
CONFIGS = Path(mmvideomamba.__file__).resolve().parents[1] / 'configs'
HOOK = 'mmvideomamba.CUDAGraphHook'
TINY_SIDE = 32

# Recipes of Kinetics-400, by size of the model and frames.
_KINETICS = 'recognition/kinetics400/videomamba'
TINY_8F = f'{_KINETICS}-tiny_in1k-pre_8xb64-u8-70e_kinetics400-rgb'
TINY_64F = f'{_KINETICS}-tiny_in1k-pre_16xb16-u64-70e_kinetics400-rgb'
MIDDLE_8F = f'{_KINETICS}-middle_in1k-pre_16xb32-u8-50e_kinetics400-rgb'
MIDDLE_64F = f'{_KINETICS}-middle_in1k-pre_16xb4-u64-50e_kinetics400-rgb'


class Case(NamedTuple):
    """A training of a recipe.

    Args:
        config (str): Path of the recipe in ``configs``, without the ending.
        clips (int): Of a step and GPU.
        windows (int): Timed windows of iterations. Defaults to 1.
    """
    config: str
    clips: int
    windows: int = 1


class Timing(NamedTuple):
    """Iterations of a timed training.

    Args:
        warm_up (int): Iterations before. Defaults to 10, enough for graphs.
        windows (int): Of ``StepTimer``. Defaults to 1.
        profiled (int): Profiled iterations. Defaults to 2.
    """
    warm_up: int = 10
    windows: int = 1
    profiled: int = 2


def shrink(model: Any) -> None:
    """Make the parts of a model tiny, in place.

    Args:
        model (ConfigDict): Config of a model.
    """
    vision = model.get('vision_encoder', model)
    vision.backbone.update(
        arch=dict(embed_dims=32, num_layers=2), img_size=TINY_SIDE)
    if vision.get('neck'):
        vision.neck.update(in_channels=32, out_channels=12)
    if 'cls_head' in model:
        model.cls_head.in_channels = 32
    teacher = model.get('teacher') or model.get('target_generator')
    if teacher:
        teacher.update(
            img_size=TINY_SIDE,
            arch=dict(
                width=16,
                num_layers=2,
                num_heads=2,
                patch_size=16,
                out_channels=12))
    if 'text_encoder' in model:
        model.text_encoder.update(
            encoder_width=32,
            fusion_layer=1,
            arch=dict(
                vocab_size=256,
                hidden_size=24,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32))
    if 'distill_head' in model:
        model.head.in_channels = model.distill_head.in_channels = 32
        model.distill_head.teacher.update(
            arch=dict(embed_dims=16, num_layers=2), img_size=TINY_SIDE)


def without_files(cfg: Any) -> None:
    """Let all parts of a config start with random weights, in place.

    Args:
        cfg (ConfigDict, list or Any): The config or a part.
    """
    if isinstance(cfg, dict):
        for key in ('weights', 'checkpoint', 'answer_file'):
            cfg.pop(key, None)
        if (cfg.get('init_cfg') or {}).get('type') == 'Pretrained':
            del cfg['init_cfg']
    if isinstance(cfg, (dict, list)):
        for part in cfg.values() if isinstance(cfg, dict) else cfg:
            without_files(part)


def in_float32(wrapper: Any) -> Dict[str, Any]:
    """Return the config of an optimizer wrapper without mixed precision.

    Args:
        wrapper (ConfigDict): The config; mmengine's wrapper for mixed
            precision wants a GPU.
    """
    found = dict(wrapper, type='OptimWrapper')
    for key in ('dtype', 'loss_scale'):
        found.pop(key, None)
    return found


def load(case: Case,
         device: str,
         tiny: bool,
         configs: Path = CONFIGS) -> Config:
    """Load a recipe without files.

    Args:
        case (Case): The recipe.
        device (str): 'cuda' or 'cpu'.
        tiny (bool): Whether the parts of the model are tiny.
        configs (Path): Folder of the recipes. Defaults to those of the
            imported package.

    Returns:
        Config: The recipe, with hooks, schedule and optimizer.
    """
    cfg = Config.fromfile(configs / f'{case.config}.py')
    without_files(cfg.model)
    if tiny:
        shrink(cfg.model)
    if device == 'cpu':
        cfg.optim_wrapper = in_float32(cfg.optim_wrapper)
    return cfg


def clips_of(cfg: Config) -> Dict[str, int]:
    """Return frames, side and classes of the clips of a recipe."""
    backbone = cfg.model.backbone
    classes = cfg.model.get('cls_head', {}).get('num_classes', 1)
    return dict(
        frames=backbone.num_frames, side=backbone.img_size, classes=classes)


def has_graphs() -> bool:
    """Tell whether the checkout captures training steps."""
    return HOOKS.get(HOOK) is not None


def set_graphs(cfg: Config, mode: str) -> None:
    """Set the switch of the captured steps in a config.

    Args:
        cfg (Config): The config.
        mode (str): Of the hook, or 'default' for no change.
    """
    if mode != 'default' and has_graphs():
        cfg.default_hooks.cuda_graph = dict(type=HOOK, mode=mode)


def make_short(cfg: Config, work_dir: Path, module: str,
               clock: Dict[str, Any]) -> None:
    """Let a training neither validate nor save, and add a clock, in place.

    Args:
        cfg (Config): What ``load`` returned.
        work_dir (Path): Of the training.
        module (str): Of the clock, on the module search path.
        clock (dict): Config of the hook.
    """
    for name in ('val', 'test'):
        for part in ('dataloader', 'cfg', 'evaluator'):
            cfg[f'{name}_{part}'] = None
    for key in ('val_begin', 'val_interval'):
        cfg.train_cfg.pop(key, None)
    never: Dict[str, Any] = dict(interval=10**6, save_last=False)
    cfg.default_hooks.checkpoint.update(never)
    cfg.default_hooks.checkpoint.pop('save_best', None)
    imports: List[str] = list(cfg.custom_imports['imports'])
    cfg.custom_imports = dict(
        imports=imports + [module], allow_failed_imports=False)
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), clock]
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = work_dir.name
    cfg.randomness = dict(seed=0)


def timed_training(cfg: Config,
                   case: Case,
                   timing: Timing,
                   work_dir: Path,
                   processes: int = 1,
                   workers: int = 0) -> Path:
    """Turn a recipe into a short, timed training, in place.

    Nothing is saved or validated; hooks, optimizer, schedule and further
    settings of the loader remain.

    Args:
        cfg (Config): What ``load`` returned.
        case (Case): Of the recipe.
        timing (Timing): Iterations.
        work_dir (Path): Of the training.
        processes (int): Of all nodes. Defaults to 1.
        workers (int): Of the loader. Defaults to 0.

    Returns:
        Path: The file that ``StepTimer`` writes.
    """
    file = work_dir / 'timed.json'
    for part in ('sampler', 'collate_fn', 'dataset'):
        # An update would join the old settings and the new.
        cfg.train_dataloader.pop(part, None)
    cfg.train_dataloader.update(
        batch_size=case.clips,
        num_workers=workers,
        persistent_workers=workers > 0,
        drop_last=True,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='pseudo_collate'),
        dataset=dict(
            type='SyntheticClips',
            length=StepTimer.iterations(*timing) * case.clips * processes,
            **clips_of(cfg)))
    clock = dict(type='StepTimer', file=str(file), **timing._asdict())
    make_short(cfg, work_dir, 'synthetic_training', clock)
    return file


def timed(file: Path) -> Dict[str, Any]:
    """Read the file of a ``StepTimer``.

    Args:
        file (Path): The JSON file.

    Returns:
        dict[str, float]: ``ms``, the median of the windows, memory in GiB,
        and the findings of ``DeviceWork``.
    """
    found = json.loads(file.read_text())
    work = found.pop('work', {})
    return dict(found, ms=median(found['ms']), **work)


def messages(work_dir: Path, word: str) -> List[str]:
    """Return the lines of a training's log with a word.

    Args:
        work_dir (Path): Of the training.
        word (str): In lower case.
    """
    return [
        line for file in sorted(work_dir.glob('*/*.log'))
        for line in file.read_text().splitlines()
        if ' - mmengine - ' in line and word in line.lower()
    ]


def add_options(parser: argparse.ArgumentParser, budget: float,
                unit: str) -> None:
    """Add the options common to benchmarks of trainings.

    Args:
        parser (ArgumentParser): Of the command line.
        budget (float): Default seconds after which nothing is begun.
        unit (str): Word for a measurement.
    """
    parser.add_argument(
        '--budget',
        type=float,
        default=budget,
        help=f'seconds after which no {unit} is begun')
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--tiny', action='store_true', help='tiny models')
    parser.add_argument('--out', type=Path, default=Path('benchmarks/results'))
