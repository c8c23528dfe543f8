#!/usr/bin/env python
"""Draw mask, attention and alignment of a masked student on a video.

Writes a picture with a column for each frame: the frames, the patches
visible to the student, the teacher's attention, and the cosine of student and
teacher at each patch, masked and not.
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
        'config', help='config of the pretraining, path or name')
    parser.add_argument(
        'checkpoint',
        help='file written by the pretraining, or the working folder')
    parser.add_argument('--out', type=Path, help='picture to write')
    parser.add_argument(
        '--seed', type=int, default=0, help='of what is drawn at random')
    parser.add_argument(
        '--device',
        default=argparse.SUPPRESS,
        help='such as cpu (default: cuda:0 where there is a GPU)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='changes of the config, such as model.mask_ratio=0.5')
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
from mmengine.dataset import Compose
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import load_checkpoint, set_random_seed
from torch import nn

from mmvideomamba.command_line import find_config
from mmvideomamba.visualization import picture_of, save_picture


def build_model(config: Config, checkpoint: str, device: str) -> nn.Module:
    """Build the model of a pretraining config and load the weights.

    Args:
        config (Config): With a ``UMT`` as ``model``.
        checkpoint (str): File written by the pretraining; holds student and
            teacher.
        device (str): Where to run.

    Returns:
        nn.Module: The model.

    Raises:
        ValueError: If the config is of another model.
    """
    if config.model.type != 'mmvideomamba.UMT':
        raise ValueError(f'the config is of a {config.model.type}, which has '
                         'no teacher; give the config of a pretraining')
    model = MODELS.build(config.model)
    load_checkpoint(model, checkpoint, map_location='cpu', strict=True)
    return model.to(device)


def run(args: argparse.Namespace) -> None:
    """Check the input, and draw.

    Args:
        args (argparse.Namespace): From ``parse_args``.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file cannot be used.
    """
    require_files(video=args.video)
    if not Path(args.checkpoint).is_dir():
        require_files(checkpoint=args.checkpoint)
    config = Config.fromfile(find_config(args.config))
    config.merge_from_dict(args.cfg_options or {})
    init_default_scope(config.default_scope)
    model = build_model(config, args.checkpoint, args.device)
    set_random_seed(args.seed)  # of crop, frames and mask
    sample = dict(filename=args.video, start_index=0, modality='RGB', label=0)
    data = Compose(config.train_dataloader.dataset.pipeline)(sample)
    picture = picture_of(model, data['inputs'], data['data_samples'])
    out = args.out or Path(f'work_dirs/demo/{Path(args.video).stem}'
                           '_alignment.png')
    save_picture(picture, out)
    print(f'picture: {out}')


def main() -> None:
    """Run the demo; an error of the user ends with a message."""
    with user_errors():
        run(parse_args())


if __name__ == '__main__':
    main()
