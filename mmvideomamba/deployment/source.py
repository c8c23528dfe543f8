"""The model of a command line, with a description."""
from typing import Any, Dict, Optional, Tuple

import torch
from mmengine.logging import print_log
from torch import nn

from mmvideomamba.inference.saved import describe, load
from mmvideomamba.models import VideoMamba


def load_model(source: str,
               config: Optional[str] = None) -> Tuple[nn.Module, dict]:
    """Load a whole model, or a saved backbone.

    Args:
        source (str): A saved folder, a checkpoint, the name of a published
            file or an id of the Hub; see ``inference.saved.load``.
        config (str, optional): Config of a checkpoint. Defaults to None, the
            config inside the checkpoint.

    Returns:
        tuple[nn.Module, dict]: The model, and the description.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the model cannot be loaded.
    """
    model: Any = load(source, config=config)
    return model, model.description


def load_backbone(source: str,
                  frames: Optional[int] = None) -> Tuple[nn.Module, dict]:
    """Load the backbone of a model.

    Args:
        source (str): As in ``load_model``; files of any training.
        frames (int, optional): Frames of a clip; the position embeddings are
            resized. Defaults to None, the model's number of frames.

    Returns:
        tuple[nn.Module, dict]: The backbone, and the description.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the backbone cannot be loaded.
    """
    sizes: Any = {} if frames is None else dict(num_frames=frames)
    model: Any = VideoMamba.from_pretrained(source, **sizes)
    return model, describe(model, None, model.origin)


def random_backbone(arch: str,
                    frames: Optional[int] = None,
                    img_size: int = 224) -> Tuple[nn.Module, dict]:
    """Build a backbone of random weights, to learn times and sizes.

    Args:
        arch (str): A name in ``VideoMamba.arch_zoo``.
        frames (int, optional): Frames of a clip. Defaults to None, 8.
        img_size (int): Side of a frame, in pixels. Defaults to 224.

    Returns:
        tuple[nn.Module, dict]: The backbone, and the description.

    Raises:
        ValueError: If the name is unknown or a size is not allowed.
    """
    arguments: Dict[str, Any] = dict(arch=arch, img_size=img_size)
    if frames is not None:
        arguments.update(num_frames=frames)
    # The same weights in each run.
    torch.manual_seed(0)
    model = VideoMamba(**arguments).eval()
    print_log(
        f'VideoMamba {arch}: no file is given, so the weights are '
        'random', 'current')
    return model, describe(model)
