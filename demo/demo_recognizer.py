#!/usr/bin/env python
"""Classify a video, and show the frames and the scores.

Prints the best classes and writes, into the output folder, a picture (the
model's input frames above the scores) and a short annotated video.
"""
import argparse
import importlib
from pathlib import Path
from typing import Optional, Sequence

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
from mmengine.config import DictAction

from mmvideomamba.command_line import require_files, user_errors


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line.

    Args:
        argv (Sequence[str], optional): Arguments. Defaults to None, the
            arguments of the process.

    Returns:
        argparse.Namespace: The arguments.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('video', help='a video file')
    parser.add_argument(
        'config',
        help='config the model was trained with, by path or name; or, without '
        'a checkpoint, the working folder of a training, or all else that '
        'mmvideomamba.load takes, such as a saved folder')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='file written by the training, the working folder (its best '
        'file), or the name of a published one')
    parser.add_argument(
        '--label-file',
        help='text file, the name of a class a line; without one, the names '
        'in the checkpoint or the config are taken')
    parser.add_argument('--out-dir', type=Path, default=Path('work_dirs/demo'))
    parser.add_argument(
        '--device',
        default=argparse.SUPPRESS,
        help='such as cpu (default: cuda:0 where there is a GPU)')
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
    args = parser.parse_args(argv)
    if 'device' not in args:
        cuda = importlib.import_module('torch').cuda
        args.device = 'cuda:0' if cuda.is_available() else 'cpu'
    return args


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    parse_args()

from mmengine.config import Config

from mmvideomamba.checkpoints import is_hub_file
from mmvideomamba.command_line import find_config
from mmvideomamba.datasets.transforms.decode import open_whole_video
from mmvideomamba.inference import Predictor, check_views
from mmvideomamba.visualization.annotated_video import save_annotated_video
from mmvideomamba.visualization.score_chart import save_score_chart


def require_checkpoint(path: Optional[str]) -> None:
    """Check that a checkpoint exists, before work begins.

    Args:
        path (str, optional): File, working folder or published name.

    Raises:
        FileNotFoundError: If the file is missing.
    """
    if path is None or is_hub_file(path) or Path(path).is_dir():
        return
    require_files(checkpoint=path)


def build_predictor(args: argparse.Namespace) -> Predictor:
    """Load the model.

    Args:
        args (argparse.Namespace): From ``parse_args``.

    Returns:
        Predictor: With the names of the label file, else of the checkpoint
        or the config.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file or an argument cannot be used.
    """
    views = check_views(args.views)
    source, config = args.checkpoint, None
    if source is None:
        source = args.config
        if args.cfg_options:
            raise ValueError('--cfg-options change a config: give CONFIG and '
                             'CHECKPOINT, not a saved model alone')
        if source.endswith('.py'):
            raise ValueError(
                f'{source} is a config and holds no weights: give '
                'the checkpoint after it, or the working folder '
                'of the training instead')
    else:
        config = Config.fromfile(find_config(args.config))
        config.merge_from_dict(args.cfg_options or {})
    return Predictor(
        source,
        args.device,
        views=views,
        config=config,
        classes=args.label_file)


def run(args: argparse.Namespace) -> None:
    """Check the input, classify the video, write the results.

    Args:
        args (argparse.Namespace): From ``parse_args``.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file or an argument cannot be used.
    """
    require_files(video=args.video)
    require_checkpoint(args.checkpoint)
    if args.topk < 1:
        raise ValueError(f'--topk must be at least 1, but is {args.topk}')
    reader = open_whole_video(args.video)
    found, = build_predictor(args).predict(args.video, args.topk)
    if found.error is not None:
        raise ValueError(found.error)
    if found.value is not None:
        raise ValueError(f'the model predicts a number, {found.value:.4f}, '
                         'and the pictures show classes')
    scores = list(zip(found.names, found.probabilities))
    for name, score in scores:
        print(f'{score:.4f}  {name}')
    args.out_dir.mkdir(parents=True, exist_ok=True)
    stem = Path(args.video).stem
    picture = args.out_dir / f'{stem}_scores.png'
    clips = found.frames or None
    save_score_chart(reader, scores, Path(args.video).name, picture, clips)
    video = args.out_dir / f'{stem}_annotated.mp4'
    save_annotated_video(reader, scores, video, clips)
    print(f'picture: {picture}\nvideo:   {video}')


def main() -> None:
    """Run the demo; an error of the user ends with a message."""
    with user_errors():
        run(parse_args())


if __name__ == '__main__':
    main()
