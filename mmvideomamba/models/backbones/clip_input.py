"""Checks of input clips, and the sum of position embeddings."""
from typing import Optional, Tuple, Union

import torch
from torch import Tensor

from ..layers import VisibleTokens, as_visible


def as_clip(x: Tensor, channels: int, frames: int, tubelet: int,
            size: Tuple[int, int]) -> Tensor:
    """Check clips or images, and return them as clips.

    Args:
        x (Tensor): Clips (b, channels, frames, h, w), or images
            (b, channels, h, w).
        channels (int): Channels of a frame.
        frames (int): Frames of a clip.
        tubelet (int): Frames of a tubelet; a clip of a single tubelet counts
            as an image.
        size (tuple[int, int]): Height and width, in pixels.

    Returns:
        Tensor: Shape (b, channels, frames, h, w), with a single frame for
        images.

    Raises:
        ValueError: If the shape does not fit the other arguments.
    """
    if x.dim() == 4:
        x = x.unsqueeze(2)
    if x.dim() != 5 or x.shape[1] != channels or tuple(x.shape[3:]) != size:
        raise ValueError(
            f'the input must have shape (b, {channels}, {frames}, {size[0]}, '
            f'{size[1]}), or (b, channels, h, w) for an image, but got '
            f'{tuple(x.shape)}')
    # A clip model takes images too: a single tubelet, with no temporal
    # embedding added.
    if x.shape[2] not in (frames, tubelet):
        raise ValueError(
            f'the clip has {x.shape[2]} frames, but num_frames is {frames}; '
            f'sample {frames} frames, or build the model with the other '
            'number (checkpoints adapt)')
    return x


def add_places(x: Tensor, places: Tensor, times: Optional[Tensor]) -> Tensor:
    """Add the spatial embedding, and for t > 1 the temporal embedding.

    Args:
        x (Tensor): Patches by tubelet, shape (b, t * h * w, c).
        places (Tensor): Spatial embedding, shape (1, h * w, c).
        times (Tensor, optional): Temporal embedding, shape (1, t, c). None
            for image models.

    Returns:
        Tensor: Shape (b, t * h * w, c).
    """
    n = places.shape[1]
    t = x.shape[1] // n
    if t > 1 and times is not None:
        # The two small tables are summed first: a single pass over the batch.
        # (1, 1, n, c) + (1, t, 1, c), flattened to (1, t * n, c).
        places = (places.unsqueeze(1) + times.unsqueeze(2)).flatten(1, 2)
        return x + places
    # (b, t, n, c) + (1, 1, n, c)
    return (x.unflatten(1, (t, n)) + places.unsqueeze(1)).flatten(1, 2)


def visible_tokens(mask: Union[Tensor, VisibleTokens], x: Tensor) -> Tensor:
    """Turn a mask into the positions of the visible tokens.

    Args:
        mask (Tensor | VisibleTokens): True where a token is dropped, bool,
            shape (b, n), as many dropped in each sample. On a GPU the host
            waits for a mask whose positions are not known.
        x (Tensor): Tokens, shape (b, n, c).

    Returns:
        Tensor: Positions, rising in each row, int64, shape (b, v).

    Raises:
        ValueError: If the mask has another dtype or shape, drops all tokens,
            or another number in each sample.
    """
    dropped = mask.mask if isinstance(mask, VisibleTokens) else mask
    if dropped.dtype != torch.bool or dropped.shape != x.shape[:2]:
        raise ValueError(
            f'mask must be bool of shape {tuple(x.shape[:2])}, True where '
            f'a token is dropped, but is {dropped.dtype} of shape '
            f'{tuple(dropped.shape)}')
    return as_visible(mask).positions
