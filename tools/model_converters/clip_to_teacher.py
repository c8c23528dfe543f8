#!/usr/bin/env python
"""Take the image tower out of a CLIP file, for CLIPTeacher.

Reads OpenAI's archives (ViT-B-16.pt), files of open_clip and Hugging Face
(.pt, .bin, .safetensors) and published multimodal VideoMamba files, and
writes the tower alone, in float32, under OpenAI's names. A config cannot name
OpenAI's TorchScript archives, nor training files with a stored command line:
convert both first. All other files may also be named in a config directly.
The number of heads and the activation, shown by no tensor, are read from the
config next to the file, and written into the new file.
"""
import argparse
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
from mmvideomamba.command_line import user_errors


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument(
        'source', type=Path, help='file of CLIP, or folder of Hugging Face')
    parser.add_argument('target', type=Path, help='file to write')
    return parser


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    build_parser().parse_args()

import torch
from torch import Tensor

from mmvideomamba.checkpoints import (SETTINGS, check_clip_config,
                                      describe_tower, is_torchscript,
                                      read_clip_config, read_clip_tower,
                                      read_torchscript, read_weights,
                                      stored_clip_config)


def load_file(path: Path) -> dict:
    """Read the tensors of a file; code in the file is not run.

    Args:
        path (Path): The file.

    Returns:
        dict: Tensors by key, or a dict of tensors below another key.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file cannot be read.
    """
    if path.is_file() and is_torchscript(path):
        return read_torchscript(path)
    return read_weights(path, allow=[argparse.Namespace])


def settings_of(file: dict, source: Path,
                tower: Dict[str, Tensor]) -> Dict[str, Any]:
    """Find the settings shown by no tensor.

    Args:
        file (dict): Content of the file.
        source (Path): File, or folder of Hugging Face.
        tower (dict[str, Tensor]): The image tower in the file.

    Returns:
        dict: ``num_heads`` and ``act`` besides the sizes, or empty.

    Raises:
        ValueError: If the config next to the file is of another tower.
    """
    found = describe_tower(tower)
    config = stored_clip_config(file, source)
    if not config.values:
        config = read_clip_config(source) or config
    check_clip_config(config, dict(config.values, **found))
    if config.values:
        return config.values
    if source.is_file() and is_torchscript(source) and (found['width'] %
                                                        64) == 0:
        # OpenAI's archives: heads of 64 channels.
        return dict(found, num_heads=found['width'] // 64, act='quick_gelu')
    return {}


def convert(source: Path, target: Path) -> Dict[str, Tensor]:
    """Write the image tower of a file.

    Args:
        source (Path): File of any publisher, or folder of Hugging Face.
        target (Path): File to write.

    Returns:
        dict[str, Tensor]: The tower.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file holds no image tower of CLIP.
    """
    file = load_file(source)
    try:
        tower = read_clip_tower(file)
        settings = settings_of(file, source, tower)
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error
    tower = {
        k: v.float().contiguous()
        for k, v in tower.items() if v.is_floating_point()
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save({'state_dict': tower, SETTINGS: settings}, target)
    if not settings:
        print(f'{source}: no config lies next to the file; check arch (number '
              'of heads) and act (activation) in your config')
    return tower


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Convert; an error of the user ends with a message.

    Args:
        argv (Sequence[str], optional): Arguments. Defaults to None, the
            arguments of the process.
    """
    args = build_parser().parse_args(argv)
    with user_errors():
        tower = convert(args.source, args.target)
    print(f'{args.target}: {len(tower)} tensors, {describe_tower(tower)}')


if __name__ == '__main__':
    main()
