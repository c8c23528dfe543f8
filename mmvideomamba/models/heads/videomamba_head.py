"""Classification head for mmaction2's recognizers."""
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from mmaction.models.heads import BaseHead
from torch import Tensor, nn
from torch.nn import functional

from mmvideomamba.checkpoints import (Change, init_from_file, published_head,
                                      register_load_hook, unwrap)
from mmvideomamba.registry import MODELS
from mmvideomamba.upload import upload


@MODELS.register_module()
class VideoMambaHead(BaseHead):
    """Classify the last feature of a backbone with a linear layer.

    Args:
        num_classes (int): Number of classes.
        in_channels (int): Channels c of the feature.
        loss_cls (dict): Loss on the scores. Defaults to
            ``dict(type='CrossEntropyLoss')``.
        multi_class (bool): Whether a video has several classes, each with an
            independent probability, the sigmoid of the score. Needs another
            loss, for example ``dict(type='BCELossWithLogits')``. Defaults to
            False.
        *args: Further arguments of mmaction2's ``BaseHead``, from
            ``label_smooth_eps`` on.
        dropout_ratio (float): Dropout before the layer. Defaults to 0.
        init_std (float): Standard deviation of the initial weights. Defaults
            to 0.02.
        label_map (Sequence[int], optional): Rows to take from a larger
            published head, a row per class. Defaults to None: of a 710-class
            Kinetics head for 400 classes the first 400 rows are taken; other
            heads must have ``num_classes`` rows.
        **kwargs: Of ``BaseHead``, too, for example ``average_clips`` and
            ``label_smooth_eps``. Of ``topk`` only the k below the number of
            classes are shown in the log.

    Raises:
        ValueError: If ``label_map`` has another length, or ``multi_class``
            the loss of a single class.

    Source: VideoMamba, arXiv:2403.06977, Section 3.2.
    """

    def __init__(self,
                 num_classes: int,
                 in_channels: int,
                 loss_cls: dict = dict(type='CrossEntropyLoss'),
                 multi_class: bool = False,
                 *args: Any,
                 dropout_ratio: float = 0.,
                 init_std: float = 0.02,
                 label_map: Optional[Sequence[int]] = None,
                 **kwargs: Any) -> None:
        if multi_class and str(loss_cls.get('type')) == 'CrossEntropyLoss':
            raise ValueError(
                'multi_class=True: CrossEntropyLoss takes one class of a '
                "video; set loss_cls=dict(type='BCELossWithLogits')")
        super().__init__(num_classes, in_channels, loss_cls, multi_class,
                         *args, **kwargs)
        if label_map is not None and len(label_map) != num_classes:
            raise ValueError(f'label_map has {len(label_map)} rows for '
                             f'{num_classes} classes')
        # The best k of k classes or fewer always hold the label.
        given: Tuple[int, ...] = getattr(self, 'topk')
        self.topk = tuple(k for k in given if k < num_classes) or (1, )
        self.init_std = init_std
        self.label_map = label_map
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = nn.Linear(in_channels, num_classes)
        self._reset()
        register_load_hook(self)

    def _reset(self) -> None:
        nn.init.trunc_normal_(self.fc_cls.weight, std=self.init_std)
        nn.init.zeros_(self.fc_cls.bias)

    def init_weights(self) -> None:
        """Initialise at random, or from the file named by ``init_cfg``.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If the file cannot be used, or has no head.
        """
        init_from_file(self, super().init_weights)

    def fit_state_dict(self, state_dict: Dict[str, Tensor],
                       prefix: str) -> Tuple[Dict[str, Tensor], List[Change]]:
        """Pick and cut the head's weights before a load; see ``Loads``.

        Args:
            state_dict (dict[str, Tensor]): Any file with a head, or the
                head's part of a whole model.
            prefix (str): Name of the head in the whole model, or ''.

        Returns:
            tuple: Weights of the head, and the list of cut tensors.

        Raises:
            ValueError: If the file has no head, or the shape of the head in
                the file does not fit.
        """
        stored = f'{prefix}fc_cls.'
        if not prefix and 'fc_cls.weight' not in state_dict:
            stored, state_dict = _take_published_head(state_dict)
        weight = state_dict.get('fc_cls.weight')
        if weight is None:
            return state_dict, []
        rows = _rows(self, weight.shape[0])
        if weight.shape[1] != self.in_channels or (
                rows is None and weight.shape[0] != self.num_classes):
            raise ValueError(
                f'the checkpoint classifies {weight.shape[0]} classes from '
                f'{weight.shape[1]} channels, but the head is built for '
                f'{self.num_classes} classes from {self.in_channels}. To keep '
                'the trunk and start a new head, do not use load_from; set '
                "model.backbone.init_cfg=dict(type='Pretrained', "
                'checkpoint=FILE) instead')
        if rows is None:
            return state_dict, []
        cut = {f'fc_cls.{k}': stored + k for k in ('weight', 'bias')}
        fitted = {**state_dict, **{k: state_dict[k][rows] for k in cut}}
        return fitted, [
            Change(
                'cut', name, f'{tuple(state_dict[k].shape)} -> '
                f'{tuple(fitted[k].shape)}') for k, name in cut.items()
        ]

    def forward(self, x: Tuple[Tensor, ...], **kwargs: Any) -> Tensor:
        """Score the classes.

        Args:
            x (tuple[Tensor]): Features of the backbone; the last entry,
                (b, c), is used.
            **kwargs: Unused; the host hands the arguments of ``loss`` on.

        Returns:
            Tensor: Scores before softmax, shape (b, num_classes).

        Raises:
            ValueError: If the feature holds tokens, or a map.
        """
        feature = x[-1]
        if feature.dim() != 2:
            raise ValueError(
                f'{type(self).__name__} classifies features (b, c), but got '
                f"{tuple(feature.shape)}; set out_type='cls_token' or "
                "'avg_featmap' in the backbone, or take "
                'mmvideomamba.AttentiveHead, which pools tokens')
        return self.fc_cls(self.dropout(feature))

    def loss_by_feat(self, cls_scores: Tensor, data_samples: list) -> Dict:
        """Compute the loss, after checking the labels.

        Args:
            cls_scores (Tensor): Scores, shape (b, num_classes).
            data_samples (list[ActionDataSample]): With ``gt_label``, indices
                or soft labels.

        Returns:
            dict: Loss and, of indices, accuracies.

        Raises:
            ValueError: If a label on the CPU is not below ``num_classes``.
        """
        for sample in data_samples:
            self._check_label(sample)
        if cls_scores.dtype.itemsize < 4:
            cls_scores = cls_scores.float()
        labels = upload(
            torch.stack([x.gt_label for x in data_samples]), cls_scores.device)
        losses: Dict[str, Tensor] = {}
        # A class index per sample, also with a single class in all; otherwise
        # the label holds a probability for every class.
        if labels.shape != cls_scores.shape or not (labels.is_floating_point()
                                                    or self.num_classes > 1):
            labels = labels.flatten()
            losses = self._accuracies(cls_scores.detach(), labels)
        if self.label_smooth_eps:
            if labels.dim() == 1:
                labels = functional.one_hot(labels, self.num_classes)
            labels = ((1 - self.label_smooth_eps) * labels +
                      self.label_smooth_eps / self.num_classes)
        self._place_class_weight(cls_scores.device)
        loss = self.loss_cls(cls_scores, labels)
        losses.update(loss if isinstance(loss, dict) else dict(loss_cls=loss))
        return losses

    def _accuracies(self, scores: Tensor, labels: Tensor) -> Dict[str, Tensor]:
        """Count labels among the best k scores, for each of ``topk``.

        The host counts in numpy, and waits for the device. Among equal scores
        the last class counts as the best here; the host's sort leaves the
        order of more than 16 classes open.

        Args:
            scores (Tensor): Shape (b, num_classes).
            labels (Tensor): Shape (b, ).

        Returns:
            dict[str, Tensor]: 'top1_acc' and so on, float64 as the host's.
        """
        order = scores.argsort(dim=1, stable=True)  # (b, num_classes)
        places = (order == labels[:, None]).sum(0, dtype=torch.float64)
        # The best scores come last.
        return {
            f'top{k}_acc': places[-k:].sum() / len(labels)
            for k in self.topk
        }

    def _place_class_weight(self, device: torch.device) -> None:
        """Keep the weights of the classes on the device of the scores."""
        # mmaction2's losses keep class_weight as a plain attribute, which
        # model.to() leaves on the CPU, and copy the tensor in every step.
        weight = getattr(self.loss_cls, 'class_weight', None)
        if isinstance(weight, Tensor) and weight.device != device:
            self.loss_cls.class_weight = upload(weight, device)

    def average_clip(self, cls_scores: Tensor, num_segs: int = 1) -> Tensor:
        """Average the views of each video, as ``average_clips`` says.

        Args:
            cls_scores (Tensor): Scores, shape (videos * views, num_classes).
            num_segs (int): Views of a video. Defaults to 1.

        Returns:
            Tensor: Shape (videos, num_classes). Under ``average_clips=
            'prob'`` probabilities: by the softmax, or by the sigmoid of each
            class with ``multi_class``.
        """
        if not (self.multi_class and self.average_clips == 'prob'):
            return super().average_clip(cls_scores, num_segs)
        # (videos, views, num_classes)
        views = cls_scores.unflatten(0, (-1, num_segs))
        return views.sigmoid().mean(dim=1)

    def _check_label(self, sample: Any) -> None:
        label = sample.gt_label
        # A look at a label on a GPU would wait; there the loss fails by an
        # assertion of the device.
        if label.is_floating_point() or label.device.type != 'cpu':
            return
        if int(label.min()) < 0 or int(label.max()) >= self.num_classes:
            raise ValueError(
                f'label {label.tolist()} is out of range for num_classes='
                f'{self.num_classes}; correct the annotation file or '
                'cls_head.num_classes')


def _rows(head: VideoMambaHead, count: int) -> Optional[Tensor]:
    """Return the rows to take from a larger head; None takes all rows."""
    if head.label_map is not None and count != head.num_classes:
        rows = torch.as_tensor(head.label_map)
        if rows.min() < 0 or rows.max() >= count:
            raise ValueError(
                f'label_map takes rows {rows.min()} to {rows.max()}, but the '
                f'head in the checkpoint has {count}')
        return rows
    # Kinetics-710 joins the classes of Kinetics-400, 600 and 700; the rows of
    # Kinetics-400 come first.
    if count == 710 and head.num_classes == 400:
        return torch.arange(400)
    return None


def _take_published_head(
        state_dict: Dict[str, Any]) -> Tuple[str, Dict[str, Tensor]]:
    """Find the head of a whole model: name prefix and weights."""
    source = unwrap(state_dict)
    found = published_head(source)
    if not found:
        raise ValueError('the checkpoint has no head: neither fc_cls.* nor '
                         'head.* is in it')
    for part in ('weight', 'bias'):
        if part not in found:
            raise ValueError(f'the checkpoint has no head.{part}')
    stored = found['weight'][:-len('weight')]
    return stored, {f'fc_cls.{k}': source[name] for k, name in found.items()}
