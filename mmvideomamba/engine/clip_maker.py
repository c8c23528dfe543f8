"""Clips made on the device before the data preprocessor of a model."""
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmvideomamba.datasets.transforms.draw_clip import DRAWS
from mmvideomamba.ops.clip_augment import clip_augment


def has_draws(data: Any) -> bool:
    """Tell whether a batch has frames as decoded, and draws.

    Args:
        data (Any): Of a loader.

    Returns:
        bool: Whether the clips are still to be made.
    """
    return isinstance(data, dict) and DRAWS in data


def make_clips(data: Dict[str, Any],
               device: torch.device,
               non_blocking: bool = True) -> Dict[str, Any]:
    """Make the clips of a batch.

    Args:
        data (dict): ``inputs``, frames as decoded, uint8, each (t, h, w, 3),
            and ``clip_draws``, see ``DrawClip``; all further keys are kept.
        device (torch.device): Device of the clips.
        non_blocking (bool): Whether copies from pinned memory do not wait.
            Defaults to True.

    Returns:
        dict: ``inputs`` are clips of shape (1, 3, t, size, size), float32,
        0 to 255; the draws are taken out.
    """
    rest = {key: value for key, value in data.items() if key != DRAWS}
    frames: List[Tensor] = [
        x.to(device, non_blocking=non_blocking) for x in data['inputs']
    ]
    draws = torch.from_numpy(np.stack(data[DRAWS]))
    clips = clip_augment(frames, draws)
    # (n, 3, t, size, size) to n clips of (1, 3, t, size, size).
    return dict(rest, inputs=list(clips.unsqueeze(1)))


def _before_preprocessor(preprocessor: Any,
                         args: Tuple[Any, ...]) -> Optional[Tuple[Any, ...]]:
    """Make the clips of a batch with draws; other batches pass."""
    if not args or not has_draws(args[0]):
        return None
    return (make_clips(args[0], preprocessor.device), *args[1:])


def attach_clip_maker(preprocessor: nn.Module) -> RemovableHandle:
    """Let a data preprocessor take batches with draws.

    Args:
        preprocessor (BaseDataPreprocessor): Of a model.

    Returns:
        RemovableHandle: Takes the clip maker away.
    """
    return preprocessor.register_forward_pre_hook(_before_preprocessor)
