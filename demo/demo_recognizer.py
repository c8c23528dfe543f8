#!/usr/bin/env python
"""Classify one video, and show what was seen and how it was scored.

Prints the best classes and writes, into the output folder, a picture (a strip
of frames above the scores) and a short annotated video.
"""
import argparse
import math
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
import cv2
import decord
import imageio_ffmpeg
import matplotlib
import numpy as np
import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmengine.config import Config, DictAction
from mmengine.fileio import list_from_file
from torch import nn

from mmvideomamba.datasets.transforms import DecodeFrames, OpenVideo

STRIP_FRAMES = 8  # in the picture
MAX_FRAMES = 300  # in the annotated video; longer videos are thinned out
VIDEO_HEIGHT = 288  # least height of the annotated video, in pixels

Scores = List[Tuple[str, float]]


def check_files(*paths: Tuple[str, str]) -> None:
    """Raise unless all files exist.

    Args:
        *paths (tuple[str, str]): What a file is, and its path.

    Raises:
        FileNotFoundError: If a file is missing; the message names it.
    """
    for name, path in paths:
        if not Path(path).is_file():
            raise FileNotFoundError(f'the {name} {path!r} does not exist or '
                                    'is no file')


def open_video(path: str) -> decord.VideoReader:
    """Open a video and check that its frames can be read to the end.

    Args:
        path (str): The video.

    Returns:
        decord.VideoReader: The open video.

    Raises:
        ValueError: If it cannot be read; the message says why.
    """
    sample = OpenVideo()(dict(filename=path))
    reader = sample['video_reader']
    DecodeFrames()(dict(sample, frame_inds=np.array([0, len(reader) - 1])))
    return reader


def load_names(path: Optional[str], num_classes: int) -> List[str]:
    """Read the names of the classes.

    Args:
        path (str, optional): File with a name a line; None numbers the
            classes.
        num_classes (int): Number of classes of the model.

    Returns:
        list[str]: One name per class.

    Raises:
        ValueError: If the file holds another number of names.
    """
    if path is None:
        return [f'class {i}' for i in range(num_classes)]
    names = [line.strip() for line in list_from_file(path) if line.strip()]
    if len(names) != num_classes:
        raise ValueError(
            f'the label file {path!r} names {len(names)} classes, but the '
            f'model of this config has {num_classes}')
    return names


def classify(model: nn.Module, video: str, names: Sequence[str],
             topk: int) -> Scores:
    """Score a video with the test pipeline of the model's config.

    Args:
        model (nn.Module): From ``init_recognizer``.
        video (str): The video.
        names (Sequence[str]): Names of the classes.
        topk (int): Number of classes to return, at most.

    Returns:
        list[tuple[str, float]]: Names and scores, the best first.
    """
    scores = inference_recognizer(model, video).pred_score.cpu()
    values, indices = scores.topk(min(topk, len(scores)))
    return [(names[i], float(v)) for i, v in zip(indices, values)]


def draw_picture(reader: decord.VideoReader, scores: Scores, title: str,
                 path: Path) -> None:
    """Draw a strip of frames above bars of the scores.

    Args:
        reader (decord.VideoReader): The video.
        scores (list[tuple[str, float]]): Names and scores, best first.
        title (str): Title of the picture.
        path (Path): The .png file to write.
    """
    matplotlib.use('Agg')
    from matplotlib import pyplot as plt
    indices = np.linspace(0, len(reader) - 1, STRIP_FRAMES).round().astype(int)
    frames = reader.get_batch(indices).asnumpy()
    figure = plt.figure(
        figsize=(12, 2.6 + 0.35 * len(scores)), layout='constrained')
    figure.suptitle(title)
    strip, chart = figure.subfigures(
        2, height_ratios=(1.6, 0.6 + 0.35 * len(scores)))
    for axes, frame, index in zip(
            strip.subplots(1, STRIP_FRAMES), frames, indices):
        axes.imshow(frame)
        axes.set_title(f'frame {index}', fontsize=8)
        axes.axis('off')
    names, values = zip(*scores)
    axes = chart.subplots()
    bars = axes.barh(names, values, color=['C0'] + ['0.7'] * len(names[1:]))
    axes.bar_label(bars, fmt='%.3f', padding=3)
    axes.set(xlim=(0, 1.1), xlabel='score')
    axes.invert_yaxis()
    axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def annotate(frame: np.ndarray, scores: Scores) -> np.ndarray:
    """Write the best classes under a frame.

    Args:
        frame (np.ndarray): RGB, shape (h, w, 3), uint8.
        scores (list[tuple[str, float]]): Names and scores, best first.

    Returns:
        np.ndarray: A larger frame of even sides, RGB, uint8.
    """
    scale = max(1., VIDEO_HEIGHT / frame.shape[0])
    height, width = (2 * round(side * scale / 2) for side in frame.shape[:2])
    panel = np.zeros((2 * (4 + 11 * len(scores)), width, 3), np.uint8)
    for row, (name, score) in enumerate(scores):
        y = 4 + 22 * row
        panel[y + 16:y + 19, :max(1, round(score * width))] = (64, 160, 255)
        cv2.putText(panel, f'{score:.2f} {name}', (4, y + 12),
                    cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1,
                    cv2.LINE_AA)
    frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.concatenate([frame, panel])


def read_frames(reader: decord.VideoReader, step: int) -> Iterator[np.ndarray]:
    """Read every n-th frame of a video.

    Args:
        reader (decord.VideoReader): The video.
        step (int): Distance of the frames.

    Yields:
        np.ndarray: RGB, shape (h, w, 3), uint8.
    """
    for index in range(0, len(reader), step):
        yield reader[index].asnumpy()


def write_video(reader: decord.VideoReader, scores: Scores,
                path: Path) -> None:
    """Write the annotated video, H.264, at the speed of the original.

    Args:
        reader (decord.VideoReader): The video.
        scores (list[tuple[str, float]]): Names and scores, best first.
        path (Path): The .mp4 file to write.
    """
    step = math.ceil(len(reader) / MAX_FRAMES)
    frames = (annotate(f, scores[:3]) for f in read_frames(reader, step))
    first = next(frames)
    writer = imageio_ffmpeg.write_frames(
        str(path), (first.shape[1], first.shape[0]),
        fps=reader.get_avg_fps() / step,
        macro_block_size=2)
    writer.send(None)
    writer.send(np.ascontiguousarray(first))
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()


def run(args: argparse.Namespace) -> None:
    """Check the input, classify the video, write the results.

    Args:
        args (argparse.Namespace): From ``parse_args``.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file or an argument cannot be used.
    """
    files = [('video', args.video), ('config', args.config)]
    if args.label_file is not None:
        files.append(('label file', args.label_file))
    check_files(*files, ('checkpoint', args.checkpoint))
    if args.topk < 1:
        raise ValueError(f'--topk must be at least 1, but is {args.topk}')
    reader = open_video(args.video)
    config = Config.fromfile(args.config)
    config.merge_from_dict(args.cfg_options or {})
    model = init_recognizer(config, args.checkpoint, device=args.device)
    names = load_names(args.label_file, model.cls_head.num_classes)
    scores = classify(model, args.video, names, args.topk)
    for name, score in scores:
        print(f'{score:.4f}  {name}')
    args.out_dir.mkdir(parents=True, exist_ok=True)
    stem = Path(args.video).stem
    picture = args.out_dir / f'{stem}_scores.png'
    draw_picture(reader, scores, Path(args.video).name, picture)
    video = args.out_dir / f'{stem}_annotated.mp4'
    write_video(reader, scores, video)
    print(f'picture: {picture}\nvideo:   {video}')


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line.

    Args:
        argv (Sequence[str], optional): Arguments. Defaults to None, those of
            the process.

    Returns:
        argparse.Namespace: The arguments.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('video', help='any file that decord reads')
    parser.add_argument('config', help='config the model was trained with')
    parser.add_argument('checkpoint', help='file written by the training')
    parser.add_argument(
        '--label-file', help='text file, the name of a class a line')
    parser.add_argument('--out-dir', type=Path, default=Path('work_dirs/demo'))
    parser.add_argument(
        '--device', default='cuda:0' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--topk', type=int, default=5, help='classes shown')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='changes of the config, such as model.backbone.cuda_graph=True')
    return parser.parse_args(argv)


def main() -> None:
    """Run the demo; an error of the user ends it with one line."""
    try:
        run(parse_args())
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error


if __name__ == '__main__':
    main()
