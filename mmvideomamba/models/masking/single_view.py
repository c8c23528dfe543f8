"""Batches with an axis of views, of length 1."""
from torch import Tensor


def merge_single_view(inputs: Tensor) -> Tensor:
    """Merge the axis of a sample's only view, a clip, into the batch.

    Args:
        inputs (Tensor): Shape (b, 3, frames, h, w) or, from mmaction2's
            ``PackActionInputs``, (b, 1, 3, frames, h, w).

    Returns:
        Tensor: Shape (b, 3, frames, h, w).

    Raises:
        ValueError: If samples have several clips.
    """
    if inputs.dim() != 6:
        return inputs
    if inputs.shape[1] != 1:
        raise ValueError('the model takes one clip per sample, but got '
                         f'{inputs.shape[1]}; set num_clips=1')
    return inputs[:, 0]
