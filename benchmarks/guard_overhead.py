"""Time the guard against bad losses and gradients.

    python benchmarks/guard_overhead.py --out FILE.md

The model of a config, with random clips, trains with and without
``FiniteGuardHook`` in turns, in one process. Timed is the step alone, without
loading: a part of a real training's time. On a CPU processor time is taken, so
that other load on the machine does not show.
"""
import argparse
import logging
import platform
import time
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, Dict, List

from wrapped_page import wrapped

import mmvideomamba  # isort: skip  # heals the hosts, goes first
import torch
from cpu_models import cpu_name
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope

from mmvideomamba.engine.hooks import FiniteGuardHook

CONFIGS = Path(__file__).parents[1] / 'configs'
QUICKSTART = 'quickstart/videomamba-micro_1xb8-u8-25e_quickstart-rgb.py'


def draw_batch(cfg: Config) -> Dict[str, List[Any]]:
    """Draw a batch of clips."""
    side, samples = cfg.img_size, []
    size = cfg.train_dataloader.batch_size
    for i in range(size):
        sample = ActionDataSample(metainfo=dict(img_shape=(side, side)))
        samples.append(sample.set_gt_label(i % cfg.num_classes))
    clips = torch.randint(
        256, (size, 1, 3, cfg.num_frames, side, side), dtype=torch.uint8)
    return dict(inputs=list(clips), data_samples=samples)


class Training:
    """A training without a loop.

    Args:
        config (str): Path below configs.
        device (str): Of the model.
    """

    def __init__(self, config: str, device: str) -> None:
        self.on_gpu = device != 'cpu'
        cfg = Config.fromfile(CONFIGS / config)
        init_default_scope(cfg.default_scope)
        self.batch = draw_batch(cfg)
        model = MODELS.build(cfg.model)
        model.init_weights()
        model = model.to(device).train()
        self.runner = SimpleNamespace(
            model=model,
            optim_wrapper=build_optim_wrapper(model, cfg.optim_wrapper),
            message_hub=MessageHub.get_instance('guard'),
            logger=logging.getLogger('guard'),
            hooks=[],
            iter=0)

    def block(self, guarded: bool, steps: int) -> float:
        """Return the seconds of a step."""
        runner, hook = self.runner, FiniteGuardHook()
        if guarded:
            hook.before_train(runner)
        self.wait()
        clock = time.perf_counter if self.on_gpu else time.process_time
        start = clock()
        for _ in range(steps):
            hook.before_train_iter(runner, 0, self.batch)
            outputs = runner.model.train_step(self.batch, runner.optim_wrapper)
            hook.after_train_iter(runner, 0, self.batch, outputs)
            runner.iter += 1
        self.wait()
        seconds = clock() - start
        if guarded:
            hook.after_train(runner)
        return seconds / steps

    def wait(self) -> None:
        """Wait for the device."""
        if self.on_gpu:
            torch.cuda.synchronize()


def main() -> None:
    """Time blocks of steps in turns and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--config', default=QUICKSTART)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--blocks', type=int, default=40)
    parser.add_argument('--steps', type=int, default=5)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--out', type=Path, help='also write a file')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    # On a GPU the guard switches an optimizer to fused kernels for good.
    trainings = {x: Training(args.config, args.device) for x in (False, True)}
    for guarded, training in trainings.items():
        training.block(guarded, args.steps)
    seconds: Dict[bool, List[float]] = {False: [], True: []}
    for number in range(args.blocks):
        # Neither is always first.
        for guarded in (False, True) if number % 2 else (True, False):
            seconds[guarded].append(trainings[guarded].block(
                guarded, args.steps))
    ratios = [a / b for a, b in zip(seconds[True], seconds[False])]
    device = cpu_name() if args.device == 'cpu' else \
        torch.cuda.get_device_name()
    text = wrapped(f'''# The guard against bad losses

    python benchmarks/guard_overhead.py --blocks {args.blocks} --steps {args.steps} --threads {args.threads} --device {args.device}

{device}, threads: {args.threads}; mmvideomamba {mmvideomamba.__version__}, torch {torch.__version__}, Python {platform.python_version()}; {time.strftime('%Y-%m-%d')}. `{args.config}`, random clips, step alone, without loading, {'wall' if training.on_gpu else 'processor'} time; medians of {args.blocks} blocks of {args.steps} steps each, in turns in one run.

| ms a step without guard | with guard | ratio of the medians | median of the ratios |
|---|---|---|---|
| {1e3 * median(seconds[False]):.2f} | {1e3 * median(seconds[True]):.2f} | {median(seconds[True]) / median(seconds[False]):.4f} | {median(ratios):.4f} |
''')  # noqa: E501
    print(text)
    if args.out is not None:
        args.out.write_text(text)


if __name__ == '__main__':
    main()
