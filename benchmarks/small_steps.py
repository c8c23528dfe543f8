"""Time models with a short and with a long memory of earlier tokens.

    python benchmarks/small_steps.py --budget 0.3

A fresh model takes steps near 0.69, a trained model perhaps smaller
steps, and some kernels end early where nothing is remembered (docs/ops.md,
"Few programs"). Every size is timed with fresh weights and with the biases of
the steps lowered, in turns: inference, inference as a CUDA graph, and a
training step (forward and backward) as a CUDA graph, where launches do not
hide the kernels.
"""
import argparse
import math
import re
from typing import Callable, Dict, List, NamedTuple, Tuple, Union

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
import torch
from gpu_common import Clock, Entry, cell, page, parse, table
from torch import Tensor, nn

from mmvideomamba.models import VideoMamba
from mmvideomamba.models.backbones import graphed

# Softplus of the lowered biases.
STEP = 1e-3


class Size(NamedTuple):
    """A model and a batch of clips.

    Args:
        name (str): For the table.
        arch (str or dict): Of VideoMamba.
        frames (int): Of a clip.
        clips (int): Of a batch.
    """
    name: str
    arch: Union[str, dict]
    frames: int
    clips: int


SIZES = tuple(
    Size(name, arch, frames, clips)
    for name, arch, frames, batches in (('Tiny', 'tiny', 8, (64, 8, 1)),
                                        ('Tiny', 'tiny', 64, (8, 1)),
                                        ('Middle', 'middle', 8, (32, 8, 1)),
                                        ('Middle', 'middle', 64, (4, 1)))
    for clips in batches)
TINY = (Size('Micro', dict(embed_dims=32, num_layers=1), 2, 2), )
HOWS = ('inference', 'inference, graph', 'training step, graph')


def lower_steps(model: nn.Module, step: float = STEP) -> int:
    """Let a model remember for long.

    Args:
        model (nn.Module): The model, changed in place.
        step (float): Of a token for a zero input. Defaults to ``STEP``.

    Returns:
        int: Number of changed biases, two a layer.
    """
    changed = 0
    for name, parameter in model.named_parameters():
        if re.search(r'dt_proj\w*\.bias$', name):
            nn.init.constant_(parameter, math.log(math.expm1(step)))
            changed += 1
    return changed


def inference(model: nn.Module, x: Tensor) -> Callable[[], None]:
    """Return a forward pass in bfloat16."""

    def run() -> None:
        with torch.inference_mode(), torch.autocast(x.device.type,
                                                    torch.bfloat16):
            model(x)

    return run


def training(model: nn.Module, x: Tensor) -> Callable[[], None]:
    """Return forward and backward in bfloat16, on a GPU as a CUDA graph."""

    def run() -> None:
        model.zero_grad(set_to_none=True)
        with torch.autocast(x.device.type, torch.bfloat16):
            y, = model(x)
        y.float().square().mean().backward()

    if x.device.type != 'cuda':
        return run
    here, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(here)
    with torch.cuda.stream(side):
        for _ in range(2):
            run()
    here.wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def build(size: Size, small: bool, side: int,
          device: torch.device) -> Tuple[nn.Module, Tensor]:
    """Build a model and draw clips for it.

    Args:
        size (Size): Of both.
        small (bool): Whether the steps are lowered.
        side (int): Of a frame in pixels.
        device (torch.device): Of both.
    """
    torch.manual_seed(0)
    model = VideoMamba(
        size.arch, img_size=side, num_frames=size.frames, drop_path_rate=0.)
    if small:
        lower_steps(model)
    x = torch.randn(size.clips, 3, size.frames, side, side, device=device)
    return model.to(device), x


def measure(size: Size, small: bool, how: str, clock: Clock,
            side: int) -> Entry:
    """Return an entry of the table; of an error, a note.

    Args:
        size (Size): Of the model and the clips.
        small (bool): Whether the steps are lowered.
        how (str): Of ``HOWS``.
        clock (Clock): Knows the device.
        side (int): Of a frame in pixels.
    """
    try:
        model, x = build(size, small, side, clock.device)
        if how == 'training step, graph':
            return clock.measure(training(model.train(), x))
        model.eval()
        if 'graph' in how and clock.device.type == 'cuda':
            model = graphed(model)
        return clock.measure(inference(model, x))
    except torch.OutOfMemoryError:
        return dict(note='out of memory')
    except RuntimeError as error:
        # A kernel or capture that fails costs a row, not the others.
        return dict(note=str(error).splitlines()[0][:80])


def rows(args: argparse.Namespace) -> List[List[str]]:
    """Measure all sizes; return the lines of the table."""
    clock, lines = Clock(args), []
    for size in TINY if args.tiny else SIZES:
        for how in HOWS:
            found: Dict[bool, Entry] = {}
            for small in (False, True):
                found[small] = measure(size, small, how, clock,
                                       32 if args.tiny else 224)
                clock.free()
            fresh, lowered = found[False], found[True]
            ratio, rate = '', ['', '']
            if 'ms' in fresh and 'ms' in lowered:
                ratio = f'{lowered["ms"] / fresh["ms"]:.3f}'
                rate = [
                    f'{1e3 * size.clips / x["ms"]:.0f}'
                    for x in (fresh, lowered)
                ]
            lines.append([
                f'{size.name} {size.frames}f',
                str(size.clips), how,
                cell(fresh, digits=2),
                cell(lowered, digits=2), ratio, *rate
            ])
            print(' | '.join(lines[-1]), flush=True)
    return lines


def main() -> None:
    """Measure, and write and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    args = parse(parser)
    lines = rows(args)
    text = page(
        'Models that remember for long', args.device,
        'bfloat16 autocast, 224 x 224 pixels, medians. Small steps: the '
        f'biases of the steps lowered to softplus {STEP:g}; fresh: as '
        'initialised, near 0.69. Training step: forward and backward.',
        table([
            'model', 'clips', 'what', 'fresh ms', 'small steps ms', 'ratio',
            'fresh clips/s', 'small steps clips/s'
        ], lines))
    if not args.tiny:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / 'small_steps.md').write_text(text)
    print('\n' + text)


if __name__ == '__main__':
    main()
