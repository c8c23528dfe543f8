"""Time VideoMamba against a ViT of the same width on the CPU.

    python benchmarks/cpu_models.py --out benchmarks/results/cpu_models.md

Both models see the same clip in the same run, in turns; the table gives the
median and the ratio.
"""
import argparse
import platform
import statistics
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional

import torch
from vit import ViT

import mmvideomamba
from mmvideomamba.models import VideoMamba
from mmvideomamba.ops import use_backend


def step(model: torch.nn.Module, x: torch.Tensor, train: bool) -> None:
    """Run the model once; with ``train``, backward too."""
    if not train:
        with torch.inference_mode():
            model(x)
        return
    model.zero_grad()
    model(x)[-1].square().mean().backward()


def measure(runs: Dict[str, Callable], repeat: int) -> Dict[str, float]:
    """Return the median seconds of each, run in turns after a warm-up."""
    times: Dict[str, List[float]] = {name: [] for name in runs}
    for i in range(repeat + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if i:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(t) for name, t in times.items()}


def cpu_name() -> str:
    """Return the processor's name."""
    info = Path('/proc/cpuinfo')
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor()


def show(lines: List[str], out: Optional[Path]) -> None:
    """Print a report, and write it to a file if one is named."""
    table = '\n'.join(lines)
    print(table)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(table + '\n')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--arch', default='tiny')
    parser.add_argument('--frames', type=int, default=8)
    parser.add_argument('--img-size', type=int, default=224)
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--repeat', type=int, default=7)
    parser.add_argument('--backends', nargs='+', default=['numba', 'torch'])
    parser.add_argument('--out', type=Path, help='markdown file to write')
    args = parser.parse_args()
    torch.manual_seed(0)
    mamba = VideoMamba(
        args.arch,
        img_size=args.img_size,
        num_frames=args.frames,
        drop_path_rate=0.)
    vit = ViT(mamba.embed_dims, num_frames=args.frames, img_size=args.img_size)
    x = torch.randn(args.batch, 3, args.frames, args.img_size, args.img_size)

    def with_backend(name: str, train: bool) -> Callable:

        def run() -> None:
            with use_backend(name):
                step(mamba, x, train)

        return run

    lines = [
        f'Command: `python benchmarks/cpu_models.py --arch {args.arch} '
        f'--frames {args.frames} --img-size {args.img_size} '
        f'--batch {args.batch} --repeat {args.repeat}`',
        '',
        f'{cpu_name()}, {torch.get_num_threads()} threads, float32; '
        f'mmvideomamba {mmvideomamba.__version__}, torch '
        f'{torch.__version__}, Python {platform.python_version()}; '
        f'{time.strftime("%Y-%m-%d")}. Median of {args.repeat}, models in '
        'turns. ViT: 12 layers of the same width, joint attention through '
        '`scaled_dot_product_attention`.',
        '',
        '| mode | model | ms | ratio to ViT |',
        '|---|---|---|---|',
    ]
    for mode, train in (('inference', False), ('train step', True)):
        runs = {'ViT': lambda: step(vit, x, train)}
        for name in args.backends:
            runs[f'VideoMamba, {name}'] = with_backend(name, train)
        result = measure(runs, args.repeat)
        for name, seconds in result.items():
            lines.append(f'| {mode} | {name} | {seconds * 1e3:.0f} | '
                         f'{seconds / result["ViT"]:.2f} |')
    show(lines, args.out)


if __name__ == '__main__':
    main()
