"""Time VideoMamba against a ViT of the same width on the CPU.

    python benchmarks/cpu_models.py --out benchmarks/results/cpu_models.md

Both models see the same clip in the same run, in turns; the table gives the
median and the ratio, in float32 and in bfloat16 under autocast, on a single
thread and on all. ``--quick`` leaves out all but float32 on all threads.
"""
import argparse
import platform
import statistics
import time
from pathlib import Path
from typing import Callable, Dict, Hashable, List, Optional, TypeVar

import torch
from vit import ViT
from wrapped_page import wrapped

import mmvideomamba
from mmvideomamba.models import VideoMamba
from mmvideomamba.ops import use_backend

# Flags of processors that decide about float32 and bfloat16.
FLAGS = ('avx2', 'fma', 'avx512f', 'avx512_bf16', 'amx_bf16', 'asimd', 'sve',
         'bf16')

Name = TypeVar('Name', bound=Hashable)


def step(model: torch.nn.Module,
         x: torch.Tensor,
         train: bool,
         dtype: torch.dtype = torch.float32) -> None:
    """Run the model once; with ``train``, backward too."""
    low = dtype != torch.float32
    with torch.autocast('cpu', dtype if low else None, enabled=low):
        if not train:
            with torch.inference_mode():
                model(x)
            return
        model.zero_grad()
        loss = model(x)[-1].float().square().mean()
    loss.backward()


def measure(runs: Dict[Name, Callable], repeat: int) -> Dict[Name, float]:
    """Return the median seconds of each, run in turns after a warm-up."""
    times: Dict[Name, List[float]] = {name: [] for name in runs}
    for i in range(repeat + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if i:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(t) for name, t in times.items()}


def cpu_info(field: str) -> str:
    """Return the first value of a field of /proc/cpuinfo, or ''."""
    info = Path('/proc/cpuinfo')
    if info.exists():
        for line in info.read_text().splitlines():
            name, _, value = line.partition(':')
            if name.strip() == field:
                return value.strip()
    return ''


def cpu_name() -> str:
    """Return the processor's name."""
    return cpu_info('model name') or platform.processor()


def cpu_report() -> str:
    """Return family and model of the processor, and the flags in FLAGS."""
    flags = (cpu_info('flags') or cpu_info('Features')).split()
    numbers = [cpu_info(name) for name in ('cpu family', 'model')]
    known = f' (family {numbers[0]}, model {numbers[1]})' if all(
        numbers) else ''
    return (f'{cpu_name()}{known}, flags: '
            f'{", ".join(f for f in FLAGS if f in flags) or "unknown"}')


def bf16_report() -> str:
    """Say whether the processor multiplies matrices of bfloat16."""
    supported = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return ('the processor has a bfloat16 unit'
            if supported else 'the processor has no bfloat16 unit')


def show(lines: List[str], out: Optional[Path]) -> None:
    """Print a report, and write a file if named."""
    table = wrapped('\n'.join(lines))
    print(table)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(table + '\n')


def rows(args: argparse.Namespace) -> List[str]:
    """Run everything; return the rows of the table."""
    torch.manual_seed(0)
    mamba = VideoMamba(
        args.arch,
        img_size=args.img_size,
        num_frames=args.frames,
        drop_path_rate=0.)
    vit = ViT(mamba.embed_dims, num_frames=args.frames, img_size=args.img_size)
    x = torch.randn(args.batch, 3, args.frames, args.img_size, args.img_size)

    def with_backend(name: str, train: bool, dtype: torch.dtype) -> Callable:

        def run() -> None:
            with use_backend(name):
                step(mamba, x, train, dtype)

        return run

    lines = []
    most = torch.get_num_threads()
    settings = [(n, dtype) for dtype in (torch.float32, torch.bfloat16)
                for n in sorted({most, 1}, reverse=True)]
    for threads, dtype in settings[:1] if args.quick else settings:
        torch.set_num_threads(threads)
        low = dtype != torch.float32
        for mode, train in (('inference', False), ('training step', True)):
            runs = {'ViT': lambda: step(vit, x, train, dtype)}
            for name in args.backends:
                runs[f'VideoMamba, {name}'] = with_backend(name, train, dtype)
            # Without a unit for bfloat16, seconds each.
            result = measure(runs, 1 if low else args.repeat)
            for name, seconds in result.items():
                lines.append(
                    f'| {str(dtype)[6:]} | {threads} | {mode} | {name} | '
                    f'{seconds * 1e3:.0f} | {seconds / result["ViT"]:.2f} |')
                print(lines[-1], flush=True)
    torch.set_num_threads(most)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--arch', default='tiny')
    parser.add_argument('--frames', type=int, default=8)
    parser.add_argument('--img-size', type=int, default=224)
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--repeat', type=int, default=7)
    parser.add_argument('--backends', nargs='+', default=['numba'])
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--out', type=Path, help='markdown file to write')
    args = parser.parse_args()
    table = rows(args)
    show([
        '# Models on a CPU',
        '',
        f'    python benchmarks/cpu_models.py --arch {args.arch} '
        f'--frames {args.frames} --img-size {args.img_size} '
        f'--batch {args.batch} --repeat {args.repeat}'
        f'{" --quick" if args.quick else ""}',
        '',
        f'{cpu_report()}; mmvideomamba {mmvideomamba.__version__}, torch '
        f'{torch.__version__}, Python {platform.python_version()}; '
        f'{time.strftime("%Y-%m-%d")}. Models in turns, a warm-up each; '
        f'median of {args.repeat}, of bfloat16 one. ViT: 12 layers of the '
        'same width, joint attention through `scaled_dot_product_attention`. '
        f'bfloat16 is autocast; {bf16_report()}.',
        '',
        '| dtype | threads | mode | model | ms | ratio to ViT |',
        '|---|---|---|---|---|---|',
        *table,
    ], args.out)


if __name__ == '__main__':
    main()
