"""Time and memory of a step of masked distillation against the mask ratio.

    python benchmarks/masked_pretraining.py \
        --out benchmarks/results/masked_pretraining.md

Forward and backward of the student, forward of the teacher, no optimizer;
the ratios in turns, medians. Memory is what autograd keeps of the forward
pass for the backward pass, on a GPU also the peak of what is allocated.
"""
import argparse
import platform
import time
from pathlib import Path
from typing import Callable, Dict

import torch
from cpu_models import cpu_name, measure, show
from mmengine.registry import init_default_scope

import mmvideomamba
from mmvideomamba.models import UMT, VideoMamba


def build(args: argparse.Namespace, ratio: float) -> UMT:
    """Build the published model at another size and mask ratio."""
    init_default_scope('mmaction')
    torch.manual_seed(0)
    student = VideoMamba(
        args.arch,
        img_size=args.img_size,
        num_frames=args.frames,
        drop_path_rate=0.,
        out_type='raw',
        out_indices=(),
        stream_indices=-2)
    return UMT(
        backbone=student,
        target_generator=dict(
            type='mmvideomamba.CLIPTeacher',
            arch=args.teacher,
            img_size=args.img_size),
        neck=dict(
            type='mmvideomamba.UMTDecoder',
            in_channels=student.embed_dims,
            out_channels=512),
        head=dict(
            type='mmpretrain.MIMHead',
            loss=dict(type='mmvideomamba.AlignmentLoss')),
        # UMT refuses to drop nothing; see `losses`.
        mask_ratio=ratio or 0.5,
        data_preprocessor=dict(type='mmaction.ActionDataPreprocessor'))


def losses(model: UMT, x: torch.Tensor, ratio: float,
           teacher: bool) -> torch.Tensor:
    """Compute the loss; without a mask for ratio 0.

    Without ``teacher`` a constant stands in for it: what is left is the
    student's own cost.
    """
    if ratio and teacher:
        return model.loss(x, None)['loss']
    t, h, w = model.backbone.grid
    mask = None
    if ratio:
        kept = h * w - int(h * w * ratio)
        mask = torch.arange(t * h * w, device=x.device) % (h * w) >= kept
        mask = mask.expand(len(x), -1)
    student = model.neck(model.backbone(x, mask), mask)
    target = torch.ones_like(student)
    if teacher:
        target = model.target_generator(x).features
    return model.head.loss(student, target)


def kept_for_backward(model: UMT, run: Callable[[], torch.Tensor]) -> float:
    """Return the MiB that autograd keeps besides the weights."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    sizes: Dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        loss = run()
    del loss
    return sum(sizes.values()) / 2**20


def peak(run: Callable[[], None]) -> str:
    """Return the peak of allocated GiB on a GPU."""
    if not torch.cuda.is_available():
        return '-'
    torch.cuda.reset_peak_memory_stats()
    run()
    return f'{torch.cuda.max_memory_allocated() / 2**30:.2f}'


def bench(args: argparse.Namespace) -> list:
    """Measure all ratios; return the rows of the table."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    x = torch.randn(args.batch, 3, args.frames, args.img_size, args.img_size)
    x = x.to(device)
    models = {r: build(args, r).to(device) for r in args.ratios}
    amp = torch.autocast(device, torch.bfloat16, enabled=device == 'cuda')

    def step(ratio: float, teacher: bool) -> Callable[[], None]:

        def run() -> None:
            models[ratio].zero_grad()
            with amp:
                loss = losses(models[ratio], x, ratio, teacher)
            loss.backward()
            if device == 'cuda':
                torch.cuda.synchronize()

        return run

    runs = {(r, t): step(r, t) for r in args.ratios for t in (False, True)}
    seconds = measure(runs, args.repeat)
    first = args.ratios[0]
    rows = []
    for ratio in args.ratios:
        t, h, w = models[ratio].backbone.grid
        tokens = 1 + t * (h * w - int(h * w * ratio))
        with amp:
            kept = kept_for_backward(
                models[ratio], lambda: losses(models[ratio], x, ratio, False))
        alone, whole = seconds[ratio, False], seconds[ratio, True]
        rows.append(f'| {ratio} | {tokens} | {alone * 1e3:.0f} | '
                    f'{alone / seconds[first, False]:.2f} | '
                    f'{whole * 1e3:.0f} | {kept:.0f} | '
                    f'{peak(runs[ratio, True])} |')
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--arch', default='tiny')
    parser.add_argument('--teacher', default='b16')
    parser.add_argument('--frames', type=int, default=8)
    parser.add_argument('--img-size', type=int, default=224)
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--repeat', type=int, default=3)
    parser.add_argument(
        '--ratios', type=float, nargs='+', default=[0., 0.5, 0.8, 0.9])
    parser.add_argument('--out', type=Path, help='markdown file to write')
    args = parser.parse_args()
    where = (f'{cpu_name()}, {torch.get_num_threads()} threads, float32')
    if torch.cuda.is_available():
        where = f'{torch.cuda.get_device_name()}, bfloat16'
    lines = [
        '# Masked distillation by mask ratio',
        '',
        f'    python benchmarks/masked_pretraining.py --arch {args.arch}'
        f' --teacher {args.teacher} --frames {args.frames} --img-size '
        f'{args.img_size} --batch {args.batch} --repeat {args.repeat}',
        '',
        f'{where}; mmvideomamba {mmvideomamba.__version__}, torch '
        f'{torch.__version__}, Python {platform.python_version()}; '
        f'{time.strftime("%Y-%m-%d")}. Median of {args.repeat}, in turns.',
        '',
        '| mask ratio | tokens of the student | student step ms | share | '
        'step with teacher ms | kept for backward MiB | peak GiB |',
        '|---|---|---|---|---|---|---|',
        *bench(args),
    ]
    show(lines, args.out)


if __name__ == '__main__':
    main()
