"""Self-distillation of video recognizers."""
from typing import Any, Dict, List, Union

from mmaction.models import Recognizer3D
from torch import Tensor, nn

from mmvideomamba.registry import MODELS
from .token_distill_head import build_distill_head, class_and_all_tokens


@MODELS.register_module()
class DistilledRecognizer3D(Recognizer3D):
    """Train a video recognizer with labels and a frozen teacher.

    As ``DistilledClassifier``, on clips: the teacher takes as many frames of
    the same size, and cuts the clip into the same tubelets.

    Args:
        *args: Arguments of ``Recognizer3D``, no neck among them.
        distill_head (dict | nn.Module): ``TokenDistillHead`` with a teacher.
        **kwargs: Of ``Recognizer3D``, too.

    Raises:
        ValueError: If teacher and backbone do not fit, or there is a neck.

    Source: VideoMamba, arXiv:2403.06977, Section 3.3, where images are
    distilled.
    """

    def __init__(self, *args: Any, distill_head: Union[dict, nn.Module],
                 **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.with_neck:
            raise ValueError('DistilledRecognizer3D takes no neck, but got a '
                             f'{type(self.neck).__name__}')
        self.distill_head = build_distill_head(distill_head, self.backbone)

    def loss(self, inputs: Tensor, data_samples: List,
             **kwargs: Any) -> Dict[str, Tensor]:
        """Compute both losses from a single pass of student and teacher.

        Args:
            inputs (Tensor): Clips as both models get them, shape
                (b, views, 3, t, h, w).
            data_samples (list[ActionDataSample]): With labels.
            **kwargs: Passed on to the loss of the head.

        Returns:
            dict: Losses of the head, and ``loss_distill``.
        """
        # (b * views, 3, t, h, w)
        clips = inputs.flatten(0, 1)
        feats, tokens = class_and_all_tokens(self.backbone, clips)
        losses = self.cls_head.loss(feats, data_samples, **kwargs)
        losses['loss_distill'] = self.distill_head.loss(tokens, clips)
        return losses
