"""Export models of full size, and table sizes, graphs, differences and times.

    python benchmarks/exports.py --out benchmarks/results/exports.md

Tiny, small and middle; an image classifier, and recognizers of 8 to 64 frames
of 224 px, of random weights: times and graphs do not depend on weights. Each
case is a process of its own, exported with a dynamic batch, verified and timed
on a single view by ``mmvideomamba.deployment``. A case that needs more memory
than there is, by an estimate, is listed and left out; so is a case that fails.
``--cases tiny-8 middle-image`` chooses cases.
"""
import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

import torch
from mmengine.registry import MODELS, DefaultScope
from wrapped_page import wrapped

import mmvideomamba  # noqa: F401, heals the hosts
from mmvideomamba.deployment import FORMATS, export_model
from mmvideomamba.deployment.report import processor, versions
from mmvideomamba.inference.saved import describe
from mmvideomamba.models import VideoMamba

ARCHS = ('tiny', 'small', 'middle')
IMAGE = 'image'
FRAMES = (IMAGE, '8', '16', '32', '64')
CASES = [f'{arch}-{frames}' for arch in ARCHS for frames in FRAMES]
SIZE, PATCH = 224, 16
MEAN_STD = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


def build(case: str) -> Any:
    """Build a recognizer of 400 or a classifier of 1000 classes.

    Args:
        case (str): Of ``CASES``.

    Returns:
        nn.Module: In evaluation mode.
    """
    arch, frames = case.split('-')
    backbone = dict(
        type='mmvideomamba.VideoMamba',
        arch=arch,
        img_size=SIZE,
        num_frames=1 if frames == IMAGE else int(frames))
    width = VideoMamba.arch_zoo[arch]['embed_dims']
    if frames == IMAGE:
        scope, cfg = 'mmpretrain', dict(
            type='ImageClassifier',
            backbone=backbone,
            head=dict(
                type='LinearClsHead', num_classes=1000, in_channels=width),
            data_preprocessor=dict(to_rgb=True, **MEAN_STD))
    else:
        scope, cfg = 'mmaction', dict(
            type='Recognizer3D',
            backbone=backbone,
            cls_head=dict(
                type='mmvideomamba.VideoMambaHead',
                num_classes=400,
                in_channels=width,
                average_clips='prob'),
            data_preprocessor=dict(
                type='ActionDataPreprocessor',
                format_shape='NCTHW',
                **MEAN_STD))
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(scope):
        return MODELS.build(cfg).eval()


def gigabytes_needed(case: str) -> float:
    """Estimate the largest memory of a case.

    Ten copies of the weights (model, copies, graphs, files, runtimes), and
    of the four views of the check sixteen tensors as large as the input of
    the scan, besides the libraries.

    Args:
        case (str): Of ``CASES``.

    Returns:
        float: In 1e9 bytes.
    """
    arch, frames = case.split('-')
    sizes = VideoMamba.arch_zoo[arch]
    width, layers = sizes['embed_dims'], sizes['num_layers']
    tokens = 1 + (1 if frames == IMAGE else int(frames)) * (SIZE // PATCH)**2
    weights = layers * 6.5 * width**2 * 4
    scanned = 4 * tokens * 2 * width * 4
    return (1.5e9 + 10 * weights + 16 * scanned) / 1e9


def gigabytes_free() -> float:
    """Return the memory that is available, in 1e9 bytes."""
    lines = Path('/proc/meminfo').read_text().splitlines()
    free = next(x for x in lines if x.startswith('MemAvailable'))
    return int(free.split()[1]) * 1024 / 1e9


def run_case(case: str, args: argparse.Namespace) -> None:
    """Export a case and print the result as a line of JSON."""
    torch.set_num_threads(args.threads)
    model = build(case)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        export_model(
            model,
            describe(model),
            folder,
            formats=args.formats,
            rounds=args.rounds)
        report = json.loads(Path(folder, 'report.json').read_text())
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(kind).ru_maxrss for kind in kinds)
    print(
        json.dumps(
            dict(
                case=case,
                files=report['files'],
                seconds=report['seconds'],
                whole=time.perf_counter() - start,
                gigabytes=peak * 1024 / 1e9)))


def result_of(case: str, args: argparse.Namespace) -> Dict[str, Any]:
    """Run a case in a process; ``error`` says why there is no result."""
    needed, free = gigabytes_needed(case), gigabytes_free()
    if needed > free:
        return dict(
            case=case,
            error=f'left out: about {needed:.0f} GB needed, {free:.0f} GB '
            'available')
    command = [
        sys.executable, __file__, '--run', case, '--threads',
        str(args.threads), '--rounds',
        str(args.rounds), '--formats', *args.formats
    ]
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, timeout=args.limit)
    except subprocess.TimeoutExpired:
        return dict(case=case, error=f'longer than {args.limit} s')
    if run.returncode:
        lines = run.stderr.strip().splitlines() or ['no message']
        return dict(
            case=case, error=f'exit status {run.returncode}: {lines[-1]}')
    return json.loads(run.stdout.strip().splitlines()[-1])


def cells(result: Dict[str, Any], base: Dict[str, int]) -> List[List[str]]:
    """Turn a result into rows, one for each file.

    Args:
        result (dict): Of ``run_case``, or with an ``error``.
        base (dict[str, int]): Nodes of 8 frames, by architecture and format.

    Returns:
        list[list[str]]: Cells.
    """
    case = result['case']
    if 'error' in result:
        return [[case, result['error']] + [''] * 10]
    times = {k: 1000 * v for k, v in result['seconds'].items()}
    numba = times.get('eager numba')
    rows = []
    for file in result['files']:
        kind, own = file['kind'], 1000 * file['seconds']
        nodes = base.get(f'{case.split("-")[0]} {kind}')
        rows.append([
            case, kind, f'{file["size"] / 1e6:.0f}',
            str(file['nodes']),
            f'{file["nodes"] / nodes:.2f}' if nodes else '',
            f'{file["difference"]:.0e}', f'{own:.0f}',
            f'{numba:.0f}' if numba else '', f'{times["eager torch"]:.0f}',
            f'{own / numba:.2f}' if numba else '', f'{result["whole"]:.0f}',
            f'{result["gigabytes"]:.1f}'
        ])
    return rows


def table(results: List[Dict[str, Any]], args: argparse.Namespace) -> str:
    """Lay results out as Markdown."""
    base = {
        f'{r["case"].split("-")[0]} {f["kind"]}': f['nodes']
        for r in results if r['case'].endswith('-8')
        for f in r.get('files', [])
    }
    head = [
        'model', 'format', 'MB', 'nodes', 'nodes with 8 frames',
        'largest difference', 'ms', 'numba ms', 'torch ms', 'against numba',
        'whole export s', 'peak GB'
    ]
    rows = [row for r in results for row in cells(r, base)]
    found = ', '.join(f'{k} {v}' for k, v in versions().items())
    lines = [
        '# Full-size exports', '', f'    {args.command}', '',
        f'{processor()}, {args.threads} thread(s); {found}. A view of a video '
        f'or an image, dynamic batch; median of {args.rounds} round(s), files '
        'and eager backends in turns. The whole export has tracing, writing, '
        'the check on five views in each runtime, and the timing.', '',
        f'| {" | ".join(head)} |', '|---' * len(head) + '|'
    ]
    lines += [f'| {" | ".join(row)} |' for row in rows]
    return wrapped('\n'.join(lines) + '\n')


def main() -> None:
    """Run the cases, and write the table after each."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--cases', nargs='+', choices=CASES, default=CASES)
    parser.add_argument(
        '--formats', nargs='+', choices=FORMATS, default=['pt2', 'onnx'])
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument(
        '--limit', type=int, default=3600, help='seconds of a case')
    parser.add_argument('--out', type=Path)
    parser.add_argument('--run', choices=CASES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        run_case(args.run, args)
        return
    args.command = ' '.join(['python', *sys.argv])
    results: List[Dict[str, Any]] = []
    for case in args.cases:
        results.append(result_of(case, args))
        text = table(results, args)
        if args.out:
            args.out.write_text(text)
    print(text)


if __name__ == '__main__':
    main()
