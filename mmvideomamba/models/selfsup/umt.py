"""Masked distillation of a video student from an image teacher."""
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import torch
from mmengine.structures import BaseDataElement
from mmpretrain.models.selfsup import BaseSelfSupervisor
from torch import Tensor, nn

from mmvideomamba.registry import MODELS
from ..masking import (MASK_SOURCES, draw_attention_mask, masks_of, one_clip,
                       visible_features, visible_per_frame)


def _with_published_tap(backbone: Union[dict, nn.Module]) -> Any:
    """Let the config of a student that names no output have the published."""
    if isinstance(backbone, dict) and not ({'out_indices', 'stream_indices'}
                                           & backbone.keys()):
        return dict(backbone, out_indices=(), stream_indices=-2)
    return backbone


class Alignment(NamedTuple):
    """What the student sees, and how near it comes to its teacher.

    Args:
        mask (Tensor): True = dropped, bool, shape (b, t, h, w).
        attention (Tensor): Of the teacher's class token, (b, t, h, w).
        similarity (Tensor): Cosine of student and teacher at each patch,
            mean over levels, NaN where dropped, (b, t, h, w).
    """
    mask: Tensor
    attention: Tensor
    similarity: Tensor


@MODELS.register_module()
class UMT(BaseSelfSupervisor):
    """Unmasked teacher: align a masked student with a frozen teacher.

    The teacher sees all patches of a clip; the student sees few, and is
    trained to say of these, and of the clip's class token, what the teacher
    says. Only visible tokens enter the student. Nothing is reconstructed.

    Args:
        backbone (dict): The student, a ``VideoMamba`` with
            ``out_type='raw'``. A config with neither ``out_indices`` nor
            ``stream_indices`` gets the published choice,
            ``out_indices=(), stream_indices=-2``: the residual stream before
            the last block, not normed, so that the last block and the final
            norm are not trained at all, and are frozen here;
            ``out_indices=-1`` trains all.
        target_generator (dict): The teacher, such as ``CLIPTeacher``: called
            with clips, it returns ``features`` (k, b, 1 + t * n, c) and
            ``attention`` (b * t, n). Whatever it is, its parameters need no
            gradient here, and it stays in evaluation mode.
        neck (dict): The decoder, ``UMTDecoder``.
        head (dict): mmpretrain's ``MIMHead`` with an ``AlignmentLoss``.
        mask_source (str): 'attention' draws the mask in the model from the
            teacher's attention; 'data' takes the ``mask`` of the data
            samples, see ``TokenMask``. Defaults to 'attention'.
        mask_ratio (float): Share of the patches of a frame that the
            attention masks; unused for 'data'. Defaults to 0.8.
        **kwargs: Further arguments of mmpretrain's ``BaseSelfSupervisor``,
            such as ``data_preprocessor``.

    Raises:
        ValueError: If an argument is not allowed, or student and teacher do
            not fit each other.

    Source: Li et al., Unmasked Teacher, arXiv:2303.16058; VideoMamba,
    arXiv:2403.06977, Section 3.3.
    """

    def __init__(self,
                 backbone: dict,
                 target_generator: dict,
                 neck: dict,
                 head: dict,
                 mask_source: str = 'attention',
                 mask_ratio: float = 0.8,
                 **kwargs: Any) -> None:
        if mask_source not in MASK_SOURCES:
            raise ValueError(f'mask_source must be one of '
                             f'{list(MASK_SOURCES)}, but got {mask_source!r}')
        super().__init__(
            backbone=_with_published_tap(backbone),
            neck=neck,
            head=head,
            target_generator=target_generator,
            **kwargs)
        if self.backbone.out_type != 'raw':
            raise ValueError("the student needs out_type='raw', but has "
                             f'{self.backbone.out_type!r}')
        width, expected = self.backbone.embed_dims, self.neck.in_channels
        if width != expected:
            raise ValueError(f'the student has embed_dims={width}, but the '
                             f'decoder in_channels={expected}; set '
                             f'in_channels={width} of the neck')
        self.mask_source, self.mask_ratio = mask_source, mask_ratio
        t, h, w = self.backbone.grid
        self.num_tokens = t * h * w
        if mask_source == 'attention':
            visible_per_frame(h * w, mask_ratio)
        self.target_generator.requires_grad_(False)
        self.target_generator.eval()
        self._freeze_unused()

    def train(self, mode: bool = True) -> 'UMT':
        """Set the mode of all but the teacher.

        Args:
            mode (bool): Whether to train. Defaults to True.

        Returns:
            UMT: Itself.
        """
        super().train(mode)
        self.target_generator.eval()
        return self

    def _freeze_unused(self) -> None:
        """Freeze what no loss can reach, so that no optimizer waits for it."""
        student = self.backbone
        student.layers[student.last_index + 1:].requires_grad_(False)
        if not student.out_indices:
            student.norm_f.requires_grad_(False)

    def loss(self, inputs: Tensor,
             data_samples: Optional[List[BaseDataElement]]) -> Dict:
        """Compute the alignment loss of a batch.

        Args:
            inputs (Tensor): Normalised clips (b, 3, frames, h, w), or with
                an axis of one clip per sample, (b, 1, 3, frames, h, w).
            data_samples (list[BaseDataElement], optional): With ``mask`` if
                ``mask_source`` is 'data'.

        Returns:
            dict[str, Tensor]: ``loss``.

        Raises:
            ValueError: If inputs, mask or teacher do not fit the student.
        """
        clips = one_clip(inputs)
        student, target, _, _ = self.align(clips, data_samples)
        return dict(loss=self.head.loss(student, target))

    def extract_feat(self, inputs: Tensor) -> Tuple[Tensor, ...]:
        """Extract the features of a student that sees every patch.

        Args:
            inputs (Tensor): As for ``loss``.

        Returns:
            tuple[Tensor]: What the backbone returns.
        """
        return self.backbone(one_clip(inputs))

    def align(
        self, clips: Tensor, data_samples: Optional[List[BaseDataElement]]
    ) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        """Run teacher and student.

        Args:
            clips (Tensor): Shape (b, 3, frames, h, w).
            data_samples (list[BaseDataElement], optional): See ``loss``.

        Returns:
            tuple: Features of the student and targets, both
            (k, b, 1 + v, c), mask (b, t * n), attention (b * t, n).
        """
        with torch.no_grad():
            features, attention = self.target_generator(clips)
            self._check_teacher(features, attention)
            mask = self._mask(attention, data_samples)
        student = self.neck(self.backbone(clips, mask), mask)
        if student.shape[::3] != features.shape[::3]:
            raise ValueError(
                f'the decoder returns {len(student)} levels of '
                f'{student.shape[-1]} channels, but the teacher '
                f'{len(features)} of {features.shape[-1]}; set num_levels '
                'and out_channels of the neck')
        return student, visible_features(features, mask), mask, attention

    def _check_teacher(self, features: Tensor, attention: Tensor) -> None:
        t, h, w = self.backbone.grid
        if features.shape[2] != 1 + self.num_tokens or (attention.shape[1]
                                                        != h * w):
            raise ValueError(
                f'the teacher returns {features.shape[2]} tokens per clip and '
                f'attention to {attention.shape[1]} patches per frame, but '
                f'the student has a grid of {t} x {h} x {w}, that is '
                f'{1 + self.num_tokens} tokens with the class token. Choose '
                'img_size of the teacher so that both cut frames into the '
                'same grid, the same tubelet_size, and with_cls_token=True')

    def _mask(self, attention: Tensor,
              data_samples: Optional[List[BaseDataElement]]) -> Tensor:
        """Draw the mask, or take it from the data: (b, t * n)."""
        if self.mask_source == 'attention':
            return draw_attention_mask(attention, self.backbone.grid[0],
                                       self.mask_ratio)
        return masks_of(data_samples, self.num_tokens).to(attention.device)

    @torch.no_grad()
    def explain(self,
                inputs: Tensor,
                data_samples: Optional[List[BaseDataElement]] = None,
                masked: bool = True) -> Alignment:
        """Tell where the student looks and how well it is aligned.

        Args:
            inputs (Tensor): As for ``loss``.
            data_samples (list[BaseDataElement], optional): As for ``loss``.
            masked (bool): Whether the student sees the visible patches only,
                as in training, or all. Defaults to True.

        Returns:
            Alignment: On the grid of the student.
        """
        clips = one_clip(inputs)
        grid = (len(clips), *self.backbone.grid)
        if masked:
            student, target, mask, attention = self.align(clips, data_samples)
        else:
            target, attention = self.target_generator(clips)
            self._check_teacher(target, attention)
            student = self.neck(self.backbone(clips))
            mask = torch.zeros(
                len(clips), self.num_tokens, dtype=torch.bool).to(clips.device)
        cosine = torch.cosine_similarity(
            student.float(), target.float(), dim=-1).mean(0)[:, 1:]
        similarity = cosine.new_full(mask.shape, float('nan'))
        similarity[~mask] = cosine.flatten()
        return Alignment(
            mask.view(grid),
            attention.float().view(grid), similarity.view(grid))
