"""The recipe for own videos on this machine, by the name 'auto'."""
import argparse
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional

import torch
from mmengine.device import get_device
from mmengine.logging import print_log

from mmvideomamba.engine.usable_cores import usable_cores
from mmvideomamba.free_memory import free_bytes
from .kept_config import kept_configs

AUTO = 'auto'
TINY = 'videomamba-tiny_1xb8-u8-25e_custom-rgb'
MICRO = 'videomamba-micro_1xb8-u8-25e_custom-rgb'
GIB = 2**30
# Clips of an update, in both recipes.
CLIPS = 8
# GiB of a training of Tiny in float32 on a GPU, by clips at once, with a
# reserve for other programs; measured in benchmarks/results/which_model.md.
GPU_NEEDS = {8: 3., 4: 2., 2: 1.5, 1: 1.2}
# A step of Tiny on a CPU, from the same page: GiB, with the workers, and
# seconds of one core.
CPU_NEED, CPU_CORE_SECONDS = 7.3, 15.
# Cores of the measurement; the gain from more cores was not measured.
CPU_CORES = 2


class Pick(NamedTuple):
    """A recipe for a machine.

    Attributes:
        recipe (str): Name of the config; for a test, working folder.
        options (dict): Changes of the config as in ``--cfg-options``.
        reason (str): Lines for the user.
    """
    recipe: str
    options: Dict[str, Any]
    reason: str


def pick_recipe(device: str, free: Optional[int], cores: int) -> Pick:
    """Pick a recipe for own videos.

    A GPU trains VideoMamba-Tiny, with as many of 8 clips at once as free
    memory holds and the rest by accumulation. Any other device trains the
    quickstart's model, of 48 px.

    Args:
        device (str): Kind of the device, 'cuda' or 'cpu' for instance.
        free (int, optional): Free bytes of the device, None if unknown.
        cores (int): Usable cores of the CPU.

    Returns:
        Pick: Recipe, changes and reason.
    """
    if device != 'cuda':
        return Pick(MICRO, {}, _cpu_reason(device, cores))
    room = None if free is None else free / GIB
    # With unknown memory the training finds out.
    fits = [n for n, need in GPU_NEEDS.items() if room is None or need <= room]
    if not fits:
        return Pick(
            MICRO, {},
            f'{MICRO}, because VideoMamba-Tiny takes {GPU_NEEDS[1]} GiB '
            f'of GPU memory and {room:.1f} GiB are free. To train Tiny on the '
            f'CPU, name {TINY}.py and set CUDA_VISIBLE_DEVICES=-1.')
    clips = max(fits)
    free_words = '' if room is None else f' with {room:.1f} GiB free'
    words = f'{TINY}, because there is a GPU{free_words}'
    options = {}
    if clips < CLIPS:
        options = {
            'train_dataloader.batch_size': clips,
            'optim_wrapper.accumulative_counts': CLIPS // clips
        }
        words += (f'; {clips} of {CLIPS} clips fit at once, and '
                  f'{CLIPS // clips} steps make an update')
    return Pick(
        TINY, options, f'{words}. Other models and clip lengths: '
        'docs/which_model.md; a small model for a trial: '
        f'{MICRO}.py.')


def _cpu_reason(device: str, cores: int) -> str:
    """Return the lines about a machine without a GPU of NVIDIA's kind."""
    spread = min(cores, CPU_CORES)
    seconds = CPU_CORE_SECONDS / spread
    few = '1 core' if spread == 1 else f'{spread} cores'
    plural = '' if cores == 1 else 's'
    where = ('there is no GPU'
             if device == 'cpu' else f'Tiny was not measured on {device}')
    return (f'{MICRO}, because {where} ({cores} usable CPU core{plural}).\n'
            f'VideoMamba-Tiny at 224 px would take about {CPU_NEED:.0f} GiB '
            f'and about {seconds:.0f} s a step on {few}; to train Tiny, name '
            f'{TINY}.py. All models: docs/which_model.md.')


def _trained(work_dir: Optional[str]) -> Optional[str]:
    """Return the working folder of the latest training, or None."""
    folders = ([Path(work_dir)] if work_dir else
               [Path('work_dirs', recipe) for recipe in (TINY, MICRO)])
    found = [(path.stat().st_mtime, path.parent) for folder in folders
             for path in kept_configs(folder)]
    return str(max(found)[1]) if found else None


def _lacks_videos(args: argparse.Namespace) -> bool:
    """Tell whether a training names no folder and lacks the default folder."""
    options = getattr(args, 'cfg_options', None) or {}
    return (getattr(args, 'data_root', '') is None
            and not any('data_root' in key for key in options)
            and not Path('data/custom').is_dir())


def auto_recipe(args: argparse.Namespace) -> Pick:
    """Pick the recipe of a command with the config name 'auto', and say so.

    A test takes the config kept in a working folder: ``--work-dir``, else the
    folder named as the checkpoint, else the folder used last. Without a
    training in the folder, a test picks as a training does.

    Args:
        args (argparse.Namespace): Parsed arguments; a test's have
            ``checkpoint``.

    Returns:
        Pick: Recipe, changes and reason.

    Raises:
        ValueError: If several processes would each pick separately, or if a
            training has no folder of videos.
    """
    if getattr(args, 'launcher', 'none') != 'none':
        raise ValueError(
            f'the config {AUTO} is picked for one process, but --launcher is '
            f'{args.launcher}; name a config, such as {TINY}.py')
    if hasattr(args, 'checkpoint'):
        work_dir = getattr(args, 'work_dir', None)
        # The checkpoint may be the working folder of a training.
        named = Path(args.checkpoint).is_dir()
        folder = _trained(work_dir or (args.checkpoint if named else None))
        if folder is not None:
            found = Pick(folder, {}, f'the one of the training in {folder}.')
            print_log(f'config {AUTO}: {found.reason}', 'current')
            return found
    elif _lacks_videos(args):
        raise ValueError(
            f'the config {AUTO} trains on your own videos: pass --data-root '
            'FOLDER, with the lists of tools/data/build_annotations.py FOLDER')
    device = torch.device(get_device()).type
    free = free_bytes(device) if device in ('cpu', 'cuda') else None
    found = pick_recipe(device, free, usable_cores())
    print_log(f'config {AUTO}: {found.reason}', 'current')
    return found
