"""Distance between a student's features and the teacher's."""
from typing import Optional

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmvideomamba.loss_weight import check_loss_weight
from mmvideomamba.registry import MODELS


@MODELS.register_module()
class AlignmentLoss(BaseModule):
    """Mean distance of two sets of features.

    Args:
        kind (str): 'l2', ``2 - 2 <s, t>``, the squared distance of features
            of length 1; 'mse', the mean squared error; 'smooth_l1', Huber's
            with beta 1. Defaults to 'l2'.
        normalize (bool): Whether to bring both sets of features to length 1
            first. Defaults to False: the caller passes features of length 1.
        loss_weight (float): Factor. Defaults to 1.

    Raises:
        ValueError: If the kind is unknown, or the factor no weight of a loss.

    Source: Li et al., Unmasked Teacher, arXiv:2303.16058, Section 3.2.
    """

    kinds = ('l2', 'mse', 'smooth_l1')

    def __init__(self,
                 kind: str = 'l2',
                 normalize: bool = False,
                 loss_weight: float = 1.) -> None:
        super().__init__()
        if kind not in self.kinds:
            raise ValueError(f'kind of AlignmentLoss must be one of '
                             f'{list(self.kinds)}, but got {kind!r}')
        self.kind, self.normalize = kind, normalize
        self.loss_weight = check_loss_weight('loss_weight of AlignmentLoss',
                                             loss_weight)

    def forward(self,
                pred: Tensor,
                target: Tensor,
                mask: Optional[Tensor] = None) -> Tensor:
        """Compute the loss.

        Args:
            pred (Tensor): Features of the student, shape (..., c).
            target (Tensor): Features of the teacher, same shape.
            mask (Tensor, optional): Must be None; an argument because the
                host's heads pass a mask. Defaults to None.

        Returns:
            Tensor: Scalar, float32 (float64 for float64).

        Raises:
            ValueError: If a mask is given.
        """
        if mask is not None:
            raise ValueError('AlignmentLoss takes features of visible tokens, '
                             'selected beforehand, and no mask')
        # Sums over channels and tokens lose digits in half precision.
        if pred.dtype.itemsize < 4:
            pred, target = pred.float(), target.float()
        if self.normalize:
            pred, target = (F.normalize(x, dim=-1) for x in (pred, target))
        if self.kind == 'l2':
            loss = (2 - 2 * (pred * target).sum(-1)).mean()
        elif self.kind == 'mse':
            loss = F.mse_loss(pred, target)
        else:
            loss = F.smooth_l1_loss(pred, target)
        return self.loss_weight * loss
