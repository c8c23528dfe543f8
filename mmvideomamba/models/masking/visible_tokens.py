"""Patch tokens of a clip visible to a student: masks, True = dropped."""
from math import isfinite
from numbers import Real
from typing import Any, List, Optional, Sequence, Union

import numpy as np
import torch
from torch import Tensor

from mmvideomamba.upload import upload
from ..layers import VisibleTokens, as_visible, draw_distinct
from ..layers.visible_positions import counted, from_positions, known_count

# The mask of a model is drawn from the teacher's attention, or made by the
# data pipeline.
MASK_SOURCES = ('attention', 'data')


def visible_per_frame(num_patches: int, mask_ratio: Optional[float]) -> int:
    """Count the visible patches of a frame.

    Args:
        num_patches (int): Patches n of a frame.
        mask_ratio (float): Share of dropped patches; None is refused.

    Returns:
        int: ``n - int(n * mask_ratio)``.

    Raises:
        ValueError: If the ratio is not a number, or none or all would stay.
    """
    given: Any = mask_ratio  # also a number of numpy
    number = isinstance(given, Real) and isfinite(given)
    if mask_ratio is None or not number:
        raise ValueError('mask_ratio must be a number between 0 and 1, but '
                         f'got {mask_ratio!r}')
    masked = int(num_patches * mask_ratio)
    if not 0 < masked < num_patches:
        kept = 'every' if masked <= 0 else 'no'
        raise ValueError(
            f'mask_ratio={mask_ratio} leaves {kept} one of the {num_patches} '
            f'patches of a frame visible; take one from {1 / num_patches:.3f} '
            'to below 1')
    return num_patches - masked


def draw_mask_from_attention(attention: Tensor, num_frames: int,
                             mask_ratio: Optional[float]) -> Tensor:
    """Draw the visible patches, likelier with more attention.

    In each frame all patches are drawn in turn, without replacement, with
    the attention as weight; the first stay visible.

    Args:
        attention (Tensor): Weights, not negative, shape (b * t, n).
        num_frames (int): Token frames t.
        mask_ratio (float): Share of dropped patches in a frame.

    Returns:
        Tensor: True = dropped, bool, shape (b, t * n), as many in each frame.

    Raises:
        ValueError: If the ratio leaves no patch visible, or all of them.

    Source: Li et al., Unmasked Teacher, arXiv:2303.16058, Section 3.2.
    """
    n = attention.shape[1]
    visible = visible_per_frame(n, mask_ratio)
    # An underflowed weight of 0 could not be drawn.
    weights = attention.float().clamp_min(torch.finfo(torch.float32).tiny)
    order = draw_distinct(weights, n)
    mask = torch.ones_like(weights, dtype=torch.bool)
    mask.scatter_(1, order[:, :visible], False)
    return mask.view(-1, num_frames * n)


def draw_visible(attention: Tensor, num_frames: int,
                 mask_ratio: Optional[float]) -> VisibleTokens:
    """Draw as ``draw_mask_from_attention``; the positions come along.

    Args:
        attention (Tensor): Weights, not negative, shape (b * t, n).
        num_frames (int): Token frames t.
        mask_ratio (float): Share of dropped patches in a frame.

    Returns:
        VisibleTokens: Shapes (b, t * n) and (b, v).

    Raises:
        ValueError: If the ratio leaves no patch visible, or all of them.
    """
    mask = draw_mask_from_attention(attention, num_frames, mask_ratio)
    visible = visible_per_frame(attention.shape[1], mask_ratio)
    return known_count(mask, num_frames * visible)


def with_class_token(mask: Tensor) -> Tensor:
    """Put the class token, never dropped, in front.

    Args:
        mask (Tensor): True = dropped, shape (b, l).

    Returns:
        Tensor: Shape (b, 1 + l).
    """
    return torch.cat([torch.zeros_like(mask[:, :1]), mask], dim=1)


def visible_features(features: Tensor, mask: Union[Tensor,
                                                   VisibleTokens]) -> Tensor:
    """Select the tokens that a mask keeps.

    Args:
        features (Tensor): Of all tokens, class token first, shape
            (k, b, 1 + l, c).
        mask (Tensor | VisibleTokens): True = dropped, as many v kept per
            clip, shape (b, l).

    Returns:
        Tensor: Shape (k, b, 1 + v, c).

    Raises:
        ValueError: If the clips keep different numbers, or none.
    """
    # (1, b, 1 + v, 1)
    index = as_visible(mask).with_class_token()[None, ..., None]
    return features.gather(
        2, index.expand(len(features), -1, -1, features.shape[-1]))


def masks_of(data_samples: Optional[Sequence[Any]], num_tokens: int) -> Tensor:
    """Take the masks made by the data pipeline.

    Args:
        data_samples (Sequence, optional): With ``mask``, see
            ``stack_masks``.
        num_tokens (int): Patch tokens l of a clip.

    Returns:
        Tensor: True = dropped, bool, shape (b, l).

    Raises:
        ValueError: If a sample has no mask, or a wrong mask.
    """
    masks: List[Any] = [
        getattr(sample, 'mask', None) for sample in data_samples or []
    ]
    if not masks or any(mask is None for mask in masks):
        raise ValueError(
            "the masks are to come from the data (source 'data'), but the "
            'data samples have no mask: put '
            "dict(type='mmvideomamba.TokenMask', ...) into the pipeline and "
            "'mask' into algorithm_keys of PackActionInputs")
    return stack_masks(masks, num_tokens)


def visible_of(data_samples: Optional[Sequence[Any]], num_tokens: int,
               device: torch.device) -> VisibleTokens:
    """Take the masks of the data pipeline to a device, without waiting.

    Masks on the CPU are looked at there. Of masks on a GPU the samples have
    ``mask_positions`` from ``NoteMaskPositions``, or the host waits.

    Args:
        data_samples (Sequence, optional): With ``mask``, see
            ``stack_masks``, or ``mask_positions``.
        num_tokens (int): Patch tokens l of a clip.
        device (torch.device): Device of the model.

    Returns:
        VisibleTokens: Shapes (b, l) and (b, v).

    Raises:
        ValueError: If a sample has no mask, or a wrong mask.
    """
    samples = data_samples or []
    rows: List[Any] = [
        getattr(sample, 'mask_positions', None) for sample in samples
    ]
    noted = bool(rows) and all(row is not None for row in rows)
    if noted and not any(_on_host(sample) for sample in samples):
        return from_positions(rows, num_tokens)
    found = counted(masks_of(data_samples, num_tokens))
    return VisibleTokens(*(upload(x, device) for x in found))


def _on_host(sample: Any) -> bool:
    """Tell whether a sample has a mask that the host can read."""
    mask = getattr(sample, 'mask', None)
    return mask is not None and torch.as_tensor(mask).device.type == 'cpu'


class NoteMaskPositions:
    """Note the positions of masks in the samples that a model is to get.

    A forward hook of a data preprocessor. The masks are checked on the CPU,
    where the data pipeline made them; the samples get ``mask_positions``,
    int64, shape (v, ), on the device. So the step of the model needs no look
    at a mask, and can be captured as a CUDA graph.

    Args:
        num_tokens (int): Patch tokens l of a clip.
    """

    def __init__(self, num_tokens: int) -> None:
        self.num_tokens = num_tokens

    def __call__(self, module: Any, args: Any, output: Any) -> None:
        """Note the positions; samples without masks stay as they are.

        Args:
            module (BaseDataPreprocessor): The data preprocessor.
            args (tuple): Unused.
            output (dict): With ``data_samples``.

        Raises:
            ValueError: If a mask is wrong.
        """
        samples = output.get('data_samples') or []
        # A mask on a GPU would make the host wait.
        if samples and all(map(_on_host, samples)):
            found = visible_of(samples, self.num_tokens, module.device)
            for sample, row in zip(samples, found.positions):
                sample.set_field(row, 'mask_positions')


def stack_masks(masks: Sequence[Union[Tensor, np.ndarray]],
                num_tokens: int) -> Tensor:
    """Stack the masks of the samples of a batch.

    Args:
        masks (Sequence[Tensor | np.ndarray]): For each sample a mask,
            True = dropped, bool, shape (l, ).
        num_tokens (int): Patch tokens l of a clip.

    Returns:
        Tensor: Shape (b, l).

    Raises:
        ValueError: If a mask has another length or dtype, leaves no token or
            every token visible, or the samples keep different numbers.
    """
    tensors = [torch.as_tensor(mask) for mask in masks]
    for mask in tensors:
        if mask.dtype != torch.bool or mask.shape != (num_tokens, ):
            raise ValueError(
                f'a mask of the data pipeline is {mask.dtype} of shape '
                f'{tuple(mask.shape)}, but the student has {num_tokens} patch '
                'tokens; give the mask transform the grid of the student')
    kept = [int((~mask).sum()) for mask in tensors]
    if len(set(kept)) > 1:
        raise ValueError('every sample of a batch must keep the same '
                         f'number of tokens, but the masks keep {kept}')
    if kept and kept[0] in (0, num_tokens):
        raise ValueError(f'the masks keep {kept[0]} of {num_tokens} tokens; '
                         'change the mask ratio')
    return torch.stack(tensors)
