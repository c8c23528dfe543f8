"""Time a training step of VideoMamba whose layers are fused, or called.

    python benchmarks/called_layers.py [--before FOLDER]

The rows: all layers plain, so that one op computes a mixer; a hook on each
in_proj; hooks on all layers; mmpretrain's LoRA on all projections. With
--before, the fused rows of an older checkout of the project stand next to
them, measured in processes of their own, in turns with this checkout. The
share of the check whether layers are plain is measured apart: its own time,
and steps with and without it in turns.
"""
import argparse
import importlib
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Dict, List, Tuple
from unittest import mock

from wrapped_page import wrapped

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
import torch
from gpu_common import Clock, cell, device_name, table, versions
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from mmvideomamba.models import VideoMamba
from mmvideomamba.models.layers import bimamba_mixer

# Name of the row, arch, frames, clips.
SIZES: Dict[str, Tuple[object, int, int]] = {
    'Ti 8f b8': ('tiny', 8, 8),
    'Ti 8f b64': ('tiny', 8, 64),
    'Ti 64f b8': ('tiny', 64, 8),
    'M 8f b32': ('middle', 8, 32),
}
TINY: Dict[str, Tuple[object, int, int]] = {
    'small': (dict(embed_dims=32, num_layers=2), 2, 2),
}
PROJECTIONS = ('in_proj', 'x_proj', 'x_proj_b', 'dt_proj', 'dt_proj_b',
               'out_proj')
ROUNDS = 5


def _hooked(names: Tuple[str, ...]) -> Callable[[dict], nn.Module]:

    def build(sizes: dict) -> nn.Module:
        model = VideoMamba(**sizes)
        for path, module in model.named_modules():
            if path.split('.')[-1] in names:
                module.register_forward_hook(lambda *_: None)
        return model

    return build


def _adapted(sizes: dict) -> nn.Module:
    init_default_scope('mmpretrain')
    MMLogger.get_current_instance().setLevel('WARNING')
    return MODELS.build(
        dict(
            type='mmpretrain.LoRAModel',
            module=dict(type='mmvideomamba.VideoMamba', **sizes),
            alpha=16,
            rank=16,
            targets=[dict(type=f'.*{name}$') for name in PROJECTIONS]))


KINDS: Dict[str, Callable[[dict], nn.Module]] = {
    'fused': _hooked(()),
    'hook on in_proj': _hooked(('in_proj', )),
    'hooks on all': _hooked((*PROJECTIONS, 'conv1d', 'conv1d_b', 'proj')),
    'LoRA on all projections': _adapted,
}


class Step:
    """A training step of a backbone, in bfloat16 on a GPU.

    Args:
        size (tuple): Arch, frames and clips.
        kind (str): A name in ``KINDS``.
        clock (Clock): Knows the device.
        side (int): Side of a frame in pixels.
    """

    def __init__(self, size: Tuple[object, int, int], kind: str, clock: Clock,
                 side: int) -> None:
        arch, frames, clips = size
        torch.manual_seed(0)
        sizes = dict(arch=arch, num_frames=frames, img_size=side)
        self.model = KINDS[kind](sizes).to(clock.device).train()
        self.x = torch.randn(clips, 3, frames, side, side, device=clock.device)
        self.optimizer = torch.optim.AdamW(
            [p for p in self.model.parameters() if p.requires_grad],
            fused=clock.device.type == 'cuda')

    def __call__(self) -> None:
        """Run forward, backward and the optimizer."""
        kind = self.x.device.type
        with torch.autocast(kind, torch.bfloat16, enabled=kind == 'cuda'):
            y, = self.model(self.x)
        y.float().square().mean().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def rows(args: argparse.Namespace) -> List[List[str]]:
    """Measure all kinds at all sizes; return lines of the table."""
    clock, lines = Clock(args), []
    for name, size in (TINY if args.tiny else SIZES).items():
        found = {}
        for kind in KINDS:
            step = Step(size, kind, clock, 32 if args.tiny else 224)
            try:
                found[kind] = clock.measure(step)
            except torch.OutOfMemoryError:
                found[kind] = dict(note='out of memory')
            del step
            clock.free()
        for kind, entry in found.items():
            ratio = entry.get('ms', math.nan) / found['fused']['ms']
            lines.append([
                name, kind,
                cell(entry), f'{ratio:.2f}',
                cell(entry, 'gib', 2)
            ])
    return lines


def turns(args: argparse.Namespace) -> List[List[str]]:
    """Compare the fused step of two checkouts, process by process."""
    names = list(TINY if args.tiny else SIZES)
    found: Dict[Tuple[str, str], List[float]] = {}
    for _ in range(args.rounds):
        for tree in (args.before, Path(__file__).parents[1]):
            command = [sys.executable, __file__, '--fused-only']
            command += ['--device', args.device] + ['--tiny'] * args.tiny
            out = subprocess.run(
                command,
                env=dict(
                    os.environ,
                    PYTHONPATH=os.pathsep.join(
                        [str(tree),
                         os.environ.get('PYTHONPATH', '')])),
                check=True,
                capture_output=True,
                text=True).stdout
            for line in out.splitlines():
                name, _, ms = line.rpartition('=')
                if name in names:
                    found.setdefault((str(tree), name), []).append(float(ms))
    lines = []
    for name in names:
        before, now = (
            found[str(tree), name]
            for tree in (args.before, Path(__file__).parents[1]))
        ratios = [b / a for a, b in zip(before, now)]
        lines.append([
            name, f'{statistics.median(before):.2f}',
            f'{statistics.median(now):.2f}',
            f'{statistics.median(ratios):.3f}',
            f'{min(ratios):.3f} to {max(ratios):.3f}'
        ])
    return lines


def check_cost(args: argparse.Namespace) -> List[List[str]]:
    """Measure the check itself, and steps without it in turns."""
    # Not there in an older checkout, which --fused-only imports.
    layerwise_scan = importlib.import_module(
        'mmvideomamba.models.layers.layerwise_scan')
    clock = Clock(args)
    name, size = next(iter((TINY if args.tiny else SIZES).items()))
    step = Step(size, 'fused', clock, 32 if args.tiny else 224)
    mixers = [
        m for m in step.model.modules()
        if isinstance(m, bimamba_mixer.BiMambaMixer)
    ]

    def without() -> None:
        with mock.patch.object(bimamba_mixer, 'is_plain', lambda *_: True), \
                mock.patch.object(layerwise_scan, 'is_plain',
                                  lambda *_: True), \
                mock.patch.object(bimamba_mixer, 'being_traced',
                                  lambda _: ''):
            step()

    times: Dict[str, List[float]] = dict(step=[], without=[], check=[])
    for _ in range(3 * args.repeat):
        times['step'].append(clock.once(step))
        times['without'].append(clock.once(without))
        start = time.perf_counter()
        for mixer in mixers:
            bimamba_mixer.being_traced(step.x)
            for layer in (mixer.in_proj, mixer.out_proj):
                bimamba_mixer.is_plain(layer, nn.Linear)
            for end in ('', '_b'):
                mixer._direction(end).is_plain()
        times['check'].append(1e3 * (time.perf_counter() - start))
    step_ms, without_ms, check_ms = (
        statistics.median(times[k]) for k in ('step', 'without', 'check'))
    return [[
        name, f'{step_ms:.2f}', f'{without_ms:.2f}', f'{check_ms:.3f}',
        f'{100 * check_ms / step_ms:.2f} %'
    ]]


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--repeat', type=int, default=10)
    parser.add_argument('--budget', type=float, default=3.)
    parser.add_argument('--rounds', type=int, default=ROUNDS)
    parser.add_argument('--tiny', action='store_true')
    parser.add_argument(
        '--before', type=Path, help='folder of an older checkout')
    parser.add_argument(
        '--fused-only', action='store_true', help='used by --before')
    args = parser.parse_args()
    if args.fused_only:
        clock = Clock(args)
        for name, size in (TINY if args.tiny else SIZES).items():
            step = Step(size, 'fused', clock, 32 if args.tiny else 224)
            print(f'{name}={clock.measure(step)["ms"]}', flush=True)
            del step
            clock.free()
        return
    device = device_name(args.device)
    if args.device == 'cpu':
        device = platform.machine()
    found = ', '.join(f'{k} {v}' for k, v in versions().items())
    print(
        wrapped(
            '# Layers that are called\n\n'
            f'    python {" ".join(sys.argv)}\n\n{device}; {found}; '
            f'{time.strftime("%Y-%m-%d")}. Training step with AdamW, frames '
            'of 224 pixels, bfloat16; medians.\n'))
    head = ['size', 'layers', 'ms', 'of fused', 'peak GiB']
    print(table(head, rows(args)), '\n', flush=True)
    head = ['size', 'ms', 'ms without the check', 'ms of the check', 'share']
    print(table(head, check_cost(args)), '\n', flush=True)
    if args.before:
        head = ['size', 'ms before', 'ms now', 'ratio', 'ratios of the rounds']
        print(table(head, turns(args)))


if __name__ == '__main__':
    main()
