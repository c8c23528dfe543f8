#!/usr/bin/env python
"""Classify a video, and show the frames and the scores.

Prints the best classes and writes, into the output folder, a picture (a strip
of frames above the scores) and a short annotated video.
"""
import argparse
from pathlib import Path
from typing import List, Optional, Sequence

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmengine.config import Config, DictAction
from torch import nn

from mmvideomamba.checkpoints import is_hub_file
from mmvideomamba.command_line import require_files, user_errors
from mmvideomamba.datasets.transforms.decode import open_whole_video
from mmvideomamba.inference.class_names import label_file_names
from mmvideomamba.inference.views import Views, check_views
from mmvideomamba.visualization.annotated_video import save_annotated_video
from mmvideomamba.visualization.score_chart import Scores, save_score_chart


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
    return label_file_names(path, num_classes)


def classify(model: nn.Module,
             video: str,
             names: Sequence[str],
             topk: int,
             views: Views = 'all') -> Scores:
    """Score a video with the test pipeline of the model's config.

    Args:
        model (nn.Module): From ``init_recognizer``.
        video (str): The video.
        names (Sequence[str]): Names of the classes.
        topk (int): Number of classes to return, at most.
        views (str | int): 'all', 'one' or a number of clips. Defaults to
            'all', those of the test pipeline.

    Returns:
        list[tuple[str, float]]: Names and scores, the best first.
    """
    scores = inference_recognizer(model, video, views=views).pred_score.cpu()
    values, indices = scores.topk(min(topk, len(scores)))
    return [(names[i], float(v)) for i, v in zip(indices, values)]


def run(args: argparse.Namespace) -> None:
    """Check the input, classify the video, write the results.

    Args:
        args (argparse.Namespace): From ``parse_args``.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file or an argument cannot be used.
    """
    files = dict(video=args.video, config=args.config)
    if not is_hub_file(args.checkpoint):
        files['checkpoint'] = args.checkpoint
    if args.label_file is not None:
        files['label_file'] = args.label_file
    require_files(**files)
    if args.topk < 1:
        raise ValueError(f'--topk must be at least 1, but is {args.topk}')
    views = check_views(args.views)
    reader = open_whole_video(args.video)
    config = Config.fromfile(args.config)
    config.merge_from_dict(args.cfg_options or {})
    model = init_recognizer(config, args.checkpoint, device=args.device)
    names = load_names(args.label_file, model.cls_head.num_classes)
    scores = classify(model, args.video, names, args.topk, views)
    for name, score in scores:
        print(f'{score:.4f}  {name}')
    args.out_dir.mkdir(parents=True, exist_ok=True)
    stem = Path(args.video).stem
    picture = args.out_dir / f'{stem}_scores.png'
    save_score_chart(reader, scores, Path(args.video).name, picture)
    video = args.out_dir / f'{stem}_annotated.mp4'
    save_annotated_video(reader, scores, video)
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
    parser.add_argument('video', help='a video file')
    parser.add_argument('config', help='config the model was trained with')
    parser.add_argument(
        'checkpoint',
        help='file written by the training, or the name of a published one')
    parser.add_argument(
        '--label-file', help='text file, the name of a class a line')
    parser.add_argument('--out-dir', type=Path, default=Path('work_dirs/demo'))
    parser.add_argument(
        '--device', default='cuda:0' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--topk', type=int, default=5, help='classes shown')
    parser.add_argument(
        '--views',
        default='all',
        metavar='all|one|N',
        help='views of the video that are scored: those of the test, a '
        'single one, or the middle of N clips')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='changes of the config, such as model.backbone.cuda_graph=True')
    return parser.parse_args(argv)


def main() -> None:
    """Run the demo; an error of the user ends with a message."""
    with user_errors():
        run(parse_args())


if __name__ == '__main__':
    main()
