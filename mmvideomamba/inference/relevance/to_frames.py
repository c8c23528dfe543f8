"""Relevance of tokens as relevance of pixels."""
import torch.nn.functional as F
from torch import Tensor


def to_frames(relevance: Tensor,
              t: int,
              h: int,
              w: int,
              smooth: bool = True) -> Tensor:
    """Spread the relevance of tokens over the pixels of a clip.

    All frames of a tubelet get the relevance of the tubelet.

    Args:
        relevance (Tensor): Of tokens, shape (m, t', h', w').
        t (int): Frames of the clip, 1 for an image.
        h (int): Height of the frames, in pixels.
        w (int): Width of the frames, in pixels.
        smooth (bool): Interpolate linearly between the centres of patches;
            else all pixels of a patch are equal. Defaults to True.

    Returns:
        Tensor: Shape (m, t, h, w).

    Raises:
        ValueError: If there are fewer frames or pixels than tokens.
    """
    grid = relevance.shape[1:]
    if len(grid) != 3 or any(n > s for n, s in zip(grid, (t, h, w))):
        raise ValueError(
            f'tokens of shape {tuple(relevance.shape)}, (m, t, h, w), do not '
            f'fit a clip of {t} frames of {h}x{w} pixels')
    # (m, t', h', w') to (m, 1, t, h', w'), then to (m, t, h, w).
    x = F.interpolate(relevance.unsqueeze(1), (t, *grid[1:]), mode='nearest')
    mode = 'bilinear' if smooth else 'nearest'
    return F.interpolate(x.squeeze(1), (h, w), mode=mode)
