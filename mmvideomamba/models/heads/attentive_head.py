"""Head with attentive pooling of tokens, for mmaction2's recognizers."""
from typing import Any, Tuple

from torch import Tensor

from mmvideomamba.registry import MODELS
from ..layers import AttentivePool
from .videomamba_head import VideoMambaHead


@MODELS.register_module()
class AttentiveHead(VideoMambaHead):
    """Classify the tokens of a backbone: attentive pooling, a linear layer.

    The attentive probe of self-supervised models, on a frozen backbone with
    ``out_type='raw'`` (all tokens, class token included) or 'featmap' (patch
    tokens). Also a head for a backbone in training.

    Args:
        num_classes (int): Number of classes.
        in_channels (int): Channels c of the tokens.
        *args: Further arguments of ``VideoMambaHead``, from ``loss_cls`` on.
        num_heads (int): Heads of the attention. Defaults to 4.
        **kwargs: Of ``VideoMambaHead``, too, for example ``dropout_ratio``
            and ``average_clips``.

    Raises:
        ValueError: If ``num_heads`` does not divide ``in_channels``, or, in
            the first step, the backbone returns no tokens.

    Source: V-JEPA, arXiv:2404.08471, Section 4.2.
    """

    def __init__(self,
                 num_classes: int,
                 in_channels: int,
                 *args: Any,
                 num_heads: int = 4,
                 **kwargs: Any) -> None:
        super().__init__(num_classes, in_channels, *args, **kwargs)
        self.pool = AttentivePool(in_channels, num_heads)

    def forward(self, x: Tuple[Tensor, ...], **kwargs: Any) -> Tensor:
        """Score the classes.

        Args:
            x (tuple[Tensor]): Features of the backbone; the last entry,
                (b, n, c) or (b, c, t, h, w), is used.
            **kwargs: Passed on to ``VideoMambaHead.forward``.

        Returns:
            Tensor: Scores before softmax, shape (b, num_classes).

        Raises:
            ValueError: If the feature has no tokens.
        """
        return super().forward((self.pool(x[-1]), ), **kwargs)
