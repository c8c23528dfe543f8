"""Hook for lines about the start of a training."""
import copy
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, List, Optional, Tuple

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmvideomamba.analysis.training_memory import estimate_training_memory
from mmvideomamba.checkpoints.newest import LAST
from mmvideomamba.engine.inner_model import inner_model
from mmvideomamba.free_memory import free_bytes, held_bytes, processes_per_node
from mmvideomamba.registry import HOOKS
from .bad_media_loaders import loaders_of

GIB = 2**30
# A shorter wait for the first batch needs no line.
LEAST_FIRST = 3.
# On a GPU the first steps compile kernels and record graphs.
GPU_BASE = 5
# The projection comes at a step, or earlier after some seconds.
LAST_STEP, LAST_TIME = 10, 10.


@HOOKS.register_module()
class StartNoticeHook(Hook):
    """Tell model, memory and projected end at the start of a training.

    The host's log begins after 20 iterations, minutes for a large model on a
    CPU. The first process logs

    - before the first batch: model, parameters, device, clips of a step,
      steps and epochs, and the memory that ``estimate_training_memory`` finds
      next to the free memory, a warning with remedies if too little is free;
      a warning if the working folder holds an earlier training;
    - the wait for the first batch, if it took more than 3 s;
    - the time of the first step, which compiles kernels;
    - at step 10, or at a step 10 s after the first one, the time of a step
      and the projected end, without validations;
    - after the training, its best checkpoint.

    The hook waits for a GPU after steps 1, 5 and 10, or before, and never
    again.

    Args:
        enable (bool): Whether to log. Defaults to True.
    """

    # Behind the hooks that set up loaders and steps.
    priority = 'LOWEST'

    def __init__(self, enable: bool = True) -> None:
        self.enable = enable
        self.steps = 0
        self.watching = False
        self.begun = 0.
        # Step and moment that a projection counts from.
        self.base: Tuple[int, float] = (0, 0.)
        self.validating = 0.

    def before_train(self, runner: Runner) -> None:
        """Log the line about model, device, steps and memory.

        Args:
            runner (Runner): The runner.
        """
        self.steps = 0
        self.watching = self.enable and is_main_process()
        if not self.watching:
            return
        runner.logger.info(_first_line(runner))
        warning, line = _memory_line(runner)
        if warning:
            runner.logger.warning(line)
        elif line:
            runner.logger.info(line)
        earlier = _earlier(runner)
        if earlier:
            runner.logger.warning(earlier)
        self.begun = time.monotonic()

    def after_train(self, runner: Runner) -> None:
        """Log the best checkpoint.

        Args:
            runner (Runner): The runner.
        """
        best = runner.message_hub.runtime_info.get('best_ckpt')
        if self.enable and best and is_main_process():
            score = runner.message_hub.runtime_info.get('best_score')
            words = f' ({score:.4f})' if isinstance(score, float) else ''
            runner.logger.info(
                f'the best checkpoint is {best}{words}; tools and '
                f'mmvideomamba find it by the folder {runner.work_dir}')

    def before_train_iter(self,
                          runner: Runner,
                          batch_idx: int,
                          data_batch: Any = None) -> None:
        """Log the wait for the first batch.

        Args:
            runner (Runner): The runner.
            batch_idx (int): Number of the batch.
            data_batch (Any): Unused. Defaults to None.
        """
        if not self.watching or self.steps:
            return
        now = time.monotonic()
        waited, self.begun = now - self.begun, now
        if waited < LEAST_FIRST:
            return
        workers = sum(
            getattr(x, 'num_workers', 0)
            for x in loaders_of(runner.train_dataloader))
        why = ('the training loads its data itself'
               if not workers else f'{_count(workers, "worker")} started')
        runner.logger.info(f'first batch after {waited:.0f} s: {why}')

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Log the times of the first steps and the projected end.

        Args:
            runner (Runner): The runner.
            batch_idx (int): Number of the batch.
            data_batch (Any): Unused. Defaults to None.
            outputs (dict, optional): Unused. Defaults to None.
        """
        if not self.watching:
            return
        self.steps += 1
        device = next(runner.model.parameters()).device
        if self.steps == 1:
            now = _moment(device)
            self.base = (1, now)
            line = f'first step: {_brief(now - self.begun)}'
            if runner.max_iters - runner.iter > 1:
                line += (', slow by the compilation of kernels; a projection '
                         'of the end follows')
            runner.logger.info(line)
            return
        late = time.monotonic() - self.base[1] > LAST_TIME
        if self.steps >= LAST_STEP or late:
            self.watching = False
            steps = self.steps - self.base[0]
            spent = _moment(device) - self.base[1]
            self._project(runner, spent / steps)
        elif self.steps == GPU_BASE and device.type == 'cuda':
            self.base = (self.steps, _moment(device))

    def before_val(self, runner: Runner) -> None:
        """Note the moment: a validation is not a part of a step.

        Args:
            runner (Runner): Unused.
        """
        self.validating = time.monotonic()

    def after_val(self, runner: Runner) -> None:
        """Take the time of a validation out of the projection.

        Args:
            runner (Runner): Unused.
        """
        step, moment = self.base
        self.base = (step, moment + time.monotonic() - self.validating)

    def _project(self, runner: Runner, seconds: float) -> None:
        """Log a projected end."""
        # The host counts an iteration after the hooks.
        left = runner.max_iters - runner.iter - 1
        line = f'step {self.steps}: {_brief(seconds)} a step'
        if left > 0:
            end = timedelta(seconds=left * seconds)
            line += (f'; the training takes about {_duration(end)} more, '
                     f'until {_clock(end)}, without validations')
        runner.logger.info(line)


def _earlier(runner: Runner) -> str:
    """Return a warning of an earlier training in the folder, or ''."""
    folder = Path(runner.work_dir)
    if runner.iter or not (folder / LAST).is_file():
        return ''
    return (f'{folder} holds the checkpoints of an earlier training; this '
            'training starts anew, and the folder will stand for its best '
            'checkpoint, also if it is worse. --resume goes on with the '
            'earlier one, another --work-dir keeps both')


def _count(number: int, word: str) -> str:
    """Return a number with a word, in the plural but for 1."""
    return f'{number} {word}' + 's' * (number != 1)


def _moment(device: torch.device) -> float:
    """Return the time when the work of a device is done."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
    return time.monotonic()


def _brief(seconds: float) -> str:
    """Return a short time in words."""
    if seconds < 1:
        return f'{1e3 * seconds:.0f} ms'
    return f'{seconds:.1f} s'


def _duration(span: timedelta) -> str:
    """Return a long time in words, to two places."""
    seconds = round(span.total_seconds())
    if seconds < 60:
        return f'{seconds} s'
    minutes = round(seconds / 60)
    if minutes < 60:
        return f'{minutes} min'
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f'{hours} h {minutes} min'
    return f'{hours // 24} d {hours % 24} h'


def _clock(span: timedelta) -> str:
    """Return the time of day after a span, with the date if another day."""
    now = datetime.now()
    end = now + span
    return f'{end:%H:%M}' if end.date() == now.date() else (
        f'{end:%Y-%m-%d %H:%M}')


def _first_line(runner: Runner) -> str:
    """Return the line about what was begun."""
    model = inner_model(runner.model)
    parts = list(runner.model.parameters())
    learned = sum(p.numel() for p in parts if p.requires_grad)
    total = sum(p.numel() for p in parts)
    weights = f'{total / 1e6:.1f} M parameters'
    if learned < total:
        weights += f' ({learned / 1e6:.1f} M learn)'
    device = parts[0].device
    where = f'{device}'
    if device.type == 'cuda':
        where += f' ({torch.cuda.get_device_name(device)})'
    elif device.type == 'cpu':
        where = f'CPU ({_count(torch.get_num_threads(), "thread")})'
    name = type(model).__name__
    backbone = getattr(model, 'backbone', None)
    if backbone is not None:
        name += f' with {type(backbone).__name__}'
    return (f'training starts: {name}, {weights}, on {where}; '
            f'{_batch_words(runner)}; {_length_words(runner)}')


def _batch_words(runner: Runner) -> str:
    """Return the words for the clips of a step."""
    loaders = loaders_of(runner.train_dataloader)
    sizes = [getattr(loader, 'batch_size', None) for loader in loaders]
    known = [size for size in sizes if isinstance(size, int)]
    if len(known) != len(sizes):
        return 'batches of its own'
    recognizer = type(inner_model(
        runner.model)).__name__.startswith('Recognizer')
    word = 'clips' if recognizer else 'samples'
    dataset: Any = loaders[0].dataset
    repeats = getattr(dataset, 'num_repeats', 1)
    world = get_world_size()
    clips = max(known) * world * repeats
    words = f'{clips} {word} a step'
    if world > 1:
        words += f' of {world} processes'
    counts = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
    if counts > 1:
        words += f', {clips * counts} an update'
    return words


def _length_words(runner: Runner) -> str:
    """Return the words for the length of a training."""
    loop: Any = runner.train_loop
    if isinstance(loop, EpochBasedTrainLoop):
        words = f'{len(loop.dataloader)} steps x {loop.max_epochs} epochs'
    else:
        words = f'{runner.max_iters} steps'
    if runner.iter:
        words += f', resumed after step {runner.iter}'
    return words


def _memory_line(runner: Runner) -> Tuple[bool, str]:
    """Return whether memory is short, and the line, '' where none can be."""
    device = next(runner.model.parameters()).device
    need = estimate_training_memory(runner.cfg, device)
    free = free_bytes(str(device)) if need is not None else None
    if need is None or free is None:
        return False, ''
    free += held_bytes(str(device))
    if device.type == 'cpu':
        # All processes of the machine share its memory.
        need *= processes_per_node(get_world_size())
    place = 'memory' if device.type == 'cpu' else f'on {device}'
    line = (f'the training needs about {need / GIB:.1f} GiB of '
            f'{free / GIB:.1f} GiB free {place}')
    if need <= free:
        return False, line
    remedies = '; '.join(_remedies(runner, device, free))
    return True, f'{line}, and may run out of memory; to change: {remedies}'


def _remedies(runner: Runner, device: torch.device, free: int) -> List[str]:
    """Return the ways to take less memory, with their needs."""

    def need(cfg: Config) -> int:
        found = estimate_training_memory(cfg, device) or 0
        cpu = device.type == 'cpu'
        return found * (processes_per_node(get_world_size()) if cpu else 1)

    def words(cfg: Config) -> str:
        return f'about {need(cfg) / GIB:.1f} GiB' if need(cfg) else 'less'

    found = []
    clips = runner.cfg.train_dataloader.batch_size
    counts = runner.cfg.optim_wrapper.get('accumulative_counts', 1)
    for parts in (n for n in range(2, clips + 1) if clips % n == 0):
        smaller = copy.deepcopy(runner.cfg)
        smaller.train_dataloader.batch_size = clips // parts
        if need(smaller) <= free or parts == clips:
            found.append(f'train_dataloader.batch_size={clips // parts} '
                         f'optim_wrapper.accumulative_counts={counts * parts} '
                         f'({words(smaller)})')
            break
    again: Any = copy.deepcopy(runner.cfg)
    model: Any = inner_model(runner.model)
    layers = len(model.backbone.layers)
    again.model.backbone.checkpoint_layers = layers
    found.append(f'model.backbone.checkpoint_layers={layers} (blocks are '
                 f'computed twice; {words(again)})')
    found.append('a recipe with a smaller model, see docs/which_model.md')
    return found
