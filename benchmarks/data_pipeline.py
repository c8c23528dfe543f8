"""Time the training data of Kinetics-400 against mmaction2's UniFormer.

    pip install pytorchvideo
    python benchmarks/data_pipeline.py --out results.md

Both pipelines read the same files in turns, in one process on one core:
ours from our recipe (8 frames, RandAugment, crop in float32, erasing), theirs
from mmaction2's UniFormerV2 config (8 frames, RandAugment of pytorchvideo,
crop in uint8). Counted are clips per second of processor time, so that other
load on the machine does not show. With two copies of a video both decode it
once: decord leaves out frames that it has just read.
"""
import argparse
import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Callable, Dict, List

import mmvideomamba  # isort: skip  # heals the hosts, goes first
import cv2
import imageio_ffmpeg
import mmaction
import numpy as np
import torch
from cpu_models import cpu_name
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope

OURS = ('configs/recognition/kinetics400/'
        'videomamba-small_in1k-pre_8xb64-u8-50e_kinetics400-rgb.py')
THEIRS = ('.mim/configs/recognition/uniformerv2/'
          'uniformerv2-base-p16-res224_clip_8xb32-u8_kinetics400-rgb.py')
SIZE = (340, 256)
SECONDS, RATE = 10, 30


def make_videos(folder: Path, count: int) -> None:
    """Encode clips like those of Kinetics, short side 256 px, H.264.

    Blurred noise slides over the picture, each clip with its own speed.

    Args:
        folder (Path): Where to write; clips that are there are kept.
        count (int): How many.
    """
    rng = np.random.default_rng(0)
    width, height = SIZE
    for i in range(count):
        path = folder / f'{i}.mp4'
        noise = rng.integers(0, 256, (height * 2, width * 2, 3)).astype('u1')
        picture = cv2.GaussianBlur(noise, (0, 0), 2)
        picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
        shift = rng.integers(1, 4, 2)
        if path.exists():
            continue
        writer = imageio_ffmpeg.write_frames(
            str(path), SIZE, fps=RATE, codec='libx264', quality=6)
        writer.send(None)
        for t in range(SECONDS * RATE):
            y, x = t * shift % (height, width)
            frame = picture[y:y + height, x:x + width]
            writer.send(np.ascontiguousarray(frame))
        writer.close()
    for name, separator in (('train.csv', ','), ('train.txt', ' ')):
        (folder / name).write_text(''.join(f'{i}.mp4{separator}{i}\n'
                                           for i in range(count)))


def datasets(folder: Path) -> Dict[str, Any]:
    """Build the data sets to compare.

    Args:
        folder (Path): Of the videos.

    Returns:
        dict[str, Dataset]: Name to data set.
    """
    init_default_scope('mmaction')
    ours = Config.fromfile(Path(__file__).parents[1] /
                           OURS).train_dataloader.dataset
    ours.update(data_root=str(folder), data_prefix=dict(video=''))
    host = Path(mmaction.__file__).parent
    theirs = dict(
        type='VideoDataset',
        ann_file='train.txt',
        data_root=str(folder),
        data_prefix=dict(video=''),
        pipeline=Config.fromfile(host / THEIRS).train_pipeline)
    twice = dict(
        theirs, type='RepeatAugDataset', num_repeats=2, sample_once=True)
    return {
        'mmvideomamba, 1 copy': DATASETS.build({
            **ours, 'num_repeats': 1
        }),
        'mmaction2 UniFormerV2, 1 copy': DATASETS.build(theirs),
        'mmvideomamba, 2 copies': DATASETS.build(ours),
        'mmaction2 UniFormerV2, 2 copies': DATASETS.build(twice),
    }


def copies(sample: Any) -> int:
    """Return the number of clips that a data set gave for a video."""
    return len(sample) if isinstance(sample, list) else 1


def measure(sets: Dict[str, Any], rounds: int) -> Dict[str, List[float]]:
    """Read all videos in turns; clips per second of processor time."""
    found: Dict[str, List[float]] = {name: [] for name in sets}
    for turn in range(rounds + 1):
        for name, data in sets.items():
            start, clips = time.process_time(), 0
            for i in range(len(data)):
                clips += copies(data[i])
            if turn:  # the first is a warm-up
                found[name].append(clips / (time.process_time() - start))
    return found


def timed(step: Callable, times: List[float]) -> Callable:
    """Return a step that adds its processor time to a list."""

    def run(results: dict) -> dict:
        start = time.process_time()
        results = step(results)
        times.append(time.process_time() - start)
        return results

    return run


def by_step(data: Any, rounds: int) -> Dict[str, float]:
    """Return the mean milliseconds of each step for a clip."""
    times: Dict[str, List[float]] = defaultdict(list)
    steps = data.pipeline.transforms
    data.pipeline.transforms = [
        timed(step, times[f'{i} {type(step).__name__}'])
        for i, step in enumerate(steps)
    ]
    for _ in range(rounds):
        for i in range(len(data)):
            data[i]
    data.pipeline.transforms = steps
    return {name: 1e3 * statistics.mean(t) for name, t in times.items()}


def report(folder: Path, args: argparse.Namespace) -> str:
    """Measure and return the tables."""
    make_videos(folder, args.videos)
    sets = datasets(folder)
    rates = measure(sets, args.rounds)
    lines = [
        f'Command: `python benchmarks/data_pipeline.py --videos {args.videos} '
        f'--rounds {args.rounds}`', '',
        f'{cpu_name()}, one core; mmvideomamba {mmvideomamba.__version__}, '
        f'torch {torch.__version__}, OpenCV {cv2.__version__}, Python '
        f'{platform.python_version()}; {time.strftime("%Y-%m-%d")}. '
        f'{args.videos} H.264 videos of {SECONDS} s, {RATE} frames per second '
        f'and {SIZE[0]}x{SIZE[1]} px; 8 frames of 224 px per clip. Clips per '
        f'second of processor time, median of {args.rounds} rounds in turns '
        '(least and most).', '', '| pipeline | clips/s/core |', '|---|---|'
    ]
    for name, values in rates.items():
        lines.append(f'| {name} | {statistics.median(values):.2f} '
                     f'({min(values):.2f}, {max(values):.2f}) |')
    lines += ['', 'Processor time by step, for a clip without copies:', '']
    for name in list(sets)[:2]:
        steps = by_step(sets[name], args.rounds)
        lines += [f'| {name} | ms |', '|---|---|']
        lines += [f'| {step} | {ms:.1f} |' for step, ms in steps.items()]
        lines.append('')
    return '\n'.join(lines)


def main() -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--videos', type=int, default=8)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--folder', type=Path, help='keeps the videos')
    parser.add_argument('--out', type=Path)
    args = parser.parse_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    if hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    np.random.seed(0)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        table = report(folder, args)
    print(table)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(table)


if __name__ == '__main__':
    main()
