"""Measure what frozen stages of VideoMamba-Tiny save in a training step.

    python benchmarks/frozen_stages.py --out benchmarks/results
"""
import argparse
from typing import Callable, List

import torch
from gpu_common import Clock, Entry, device_name, parse, table, versions
from wrapped_page import wrapped

from mmvideomamba.models import VideoMamba

STAGES = (-1, 0, 12, 24)
WORDS = {-1: 'none', 0: 'embeddings', 12: 'and 12 blocks', 24: 'all'}


def training_step(stages: int, args: argparse.Namespace) -> Callable:
    """Return a training step: 8 clips, a linear head, AdamW.

    Args:
        stages (int): ``frozen_stages``.
        args (argparse.Namespace): ``device`` and ``tiny``.
    """
    torch.manual_seed(0)
    side = 32 if args.tiny else 224
    model = VideoMamba(
        'tiny', img_size=side, frozen_stages=stages).to(args.device).train()
    head = torch.nn.Linear(model.embed_dims, 400).to(args.device)
    learning = [
        p for m in (model, head) for p in m.parameters() if p.requires_grad
    ]
    optimizer = torch.optim.AdamW(learning, lr=1e-5)
    x = torch.randn(8, 3, 8, side, side, device=args.device)
    labels = torch.randint(400, (8, ), device=args.device)
    half = torch.device(args.device).type == 'cuda'

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(
                torch.device(args.device).type, torch.bfloat16, half):
            scores = head(model(x)[-1])
        torch.nn.functional.cross_entropy(scores.float(), labels).backward()
        optimizer.step()

    return step


def main() -> None:
    """Measure in turns of stages, and write the table."""
    args = parse(
        argparse.ArgumentParser(
            description=__doc__.split('\n', maxsplit=1)[0]))
    clock = Clock(args)
    rows: List[List[str]] = []
    first: Entry = {}
    for stages in STAGES:
        entry = clock.measure(training_step(stages, args))
        clock.free()
        first = first or entry
        rows.append([
            f'{stages}', WORDS[stages], f'{entry["ms"]:.1f}',
            f'{entry["ms"] / first["ms"]:.2f}',
            f'{entry["gib"]:.2f}' if 'gib' in entry else ''
        ])
    found = ', '.join(f'{k} {v}' for k, v in versions().items())
    text = wrapped('\n'.join([
        '# Frozen stages', '', '    python benchmarks/frozen_stages.py', '',
        f'{device_name(args.device)}; {found}. VideoMamba-Tiny, 8 clips of 8 '
        'frames of 224 px, bfloat16 autocast, loss, backward and AdamW; '
        f'median of at most {args.repeat} steps.', '',
        table([
            'frozen_stages', 'frozen', 'ms a step', 'ratio',
            'GiB, largest at once'
        ], rows), ''
    ]))
    print(text)
    if not args.tiny:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / 'frozen_stages.md').write_text(text)


if __name__ == '__main__':
    main()
