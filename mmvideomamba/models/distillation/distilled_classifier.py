"""Self-distillation of image classifiers."""
from typing import Any, Dict, List, Union

from mmpretrain.models import ImageClassifier
from torch import Tensor, nn

from mmvideomamba.registry import MODELS
from .token_distill_head import build_distill_head, class_and_all_tokens


@MODELS.register_module()
class DistilledClassifier(ImageClassifier):
    """Train an image classifier with labels and a frozen teacher.

    The classification loss and the loss of ``distill_head`` are added. In all
    else the class is mmpretrain's ``ImageClassifier``, with the same parameter
    names: a plain ``ImageClassifier`` loads the trained weights and leaves
    out the ``distill_head``.

    Args:
        *args: Arguments of ``ImageClassifier``. The backbone must have the
            ``out_type`` 'cls_token'.
        distill_head (dict | nn.Module): ``TokenDistillHead`` with a teacher.
        **kwargs: Of ``ImageClassifier``, too.

    Raises:
        ValueError: If teacher and backbone do not fit; both are named.

    Source: VideoMamba, arXiv:2403.06977, Section 3.3 (self-distillation).
    """

    def __init__(self, *args: Any, distill_head: Union[dict, nn.Module],
                 **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.distill_head = build_distill_head(distill_head, self.backbone)

    def loss(self, inputs: Tensor, data_samples: List) -> Dict[str, Tensor]:
        """Compute both losses from a single pass of student and teacher.

        Args:
            inputs (Tensor): Images for both models, after a mixup or CutMix
                of the data preprocessor, shape (b, 3, h, w).
            data_samples (list[DataSample]): With labels or scores.

        Returns:
            dict: Losses of the head, and ``loss_distill``.
        """
        feats, tokens = class_and_all_tokens(self.backbone, inputs)
        if self.with_neck:
            feats = self.neck(feats)
        losses = self.head.loss(feats, data_samples)
        losses['loss_distill'] = self.distill_head.loss(tokens, inputs)
        return losses
