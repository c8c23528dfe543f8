"""Regression head for mmaction2's recognizers."""
from typing import Any, Dict

import torch
from torch import Tensor
from torch.nn import functional

from mmvideomamba.registry import MODELS
from mmvideomamba.upload import upload
from .videomamba_head import VideoMambaHead


@MODELS.register_module()
class VideoMambaRegressionHead(VideoMambaHead):
    """Predict a single number from the last feature of a backbone.

    A linear layer with a single output and the mean squared error. In a test
    the outputs of the views of a video are averaged.

    Args:
        in_channels (int): Channels c of the feature.
        **kwargs: ``dropout_ratio``, ``init_std`` and ``init_cfg`` of
            ``VideoMambaHead``.

    Source: VideoMamba, arXiv:2403.06977, Section 4.3.
    """

    # ``CheckConfigHook`` tells regression from classification by this flag.
    predicts_number = True

    def __init__(self, in_channels: int, **kwargs: Any) -> None:
        # 'prob' would be a softmax over a single output, always 1; the host's
        # default leaves the views apart.
        super().__init__(1, in_channels, average_clips='score', **kwargs)

    def loss_by_feat(self, cls_scores: Tensor, data_samples: list) -> Dict:
        """Compute the mean squared error.

        Args:
            cls_scores (Tensor): Predictions, shape (b, 1).
            data_samples (list[ActionDataSample]): With ``gt_label``, a float
                tensor of shape (1, ).

        Returns:
            dict: ``loss_mse``.

        Raises:
            ValueError: If a label is not a float tensor of shape (1, ).
        """
        for sample in data_samples:
            label = sample.gt_label
            if label.shape != (1, ) or not label.is_floating_point():
                raise ValueError(
                    f'the label {label.tolist()} is not one float; set '
                    'regression=True in the data set, and no blending of '
                    'classes in the data preprocessor')
        labels = torch.stack([sample.gt_label for sample in data_samples])
        labels = upload(labels, cls_scores.device).to(cls_scores.dtype)
        return dict(loss_mse=functional.mse_loss(cls_scores, labels))

    def predict_by_feat(self, cls_scores: Tensor, data_samples: list) -> list:
        """Average the views of each video.

        Args:
            cls_scores (Tensor): Predictions, shape (videos * views, 1).
            data_samples (list[ActionDataSample]): A sample per video.

        Returns:
            list[ActionDataSample]: With ``pred_score``, shape (1, ).
        """
        views = cls_scores.shape[0] // len(data_samples)
        means = self.average_clip(cls_scores.float(), num_segs=views)
        for sample, mean in zip(data_samples, means):
            sample.set_pred_score(mean)
        return data_samples
