"""Masked distillation of a video student from an image teacher."""
from math import prod
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import torch
from mmengine.structures import BaseDataElement
from mmpretrain.models.selfsup import BaseSelfSupervisor
from torch import Tensor, nn

from mmvideomamba.loss_weight import warn_unused_teacher
from mmvideomamba.registry import MODELS
from ..masking import (MaskedTeacher, NoteMaskPositions, TeacherTargets,
                       merge_single_view)


def _with_published_tap(backbone: Union[dict, nn.Module]) -> Any:
    """Add the published outputs to a student's config without outputs."""
    if isinstance(backbone, dict) and not ({'out_indices', 'stream_indices'}
                                           & backbone.keys()):
        return dict(backbone, out_indices=(), stream_indices=-2)
    return backbone


class Alignment(NamedTuple):
    """The student's mask and similarity to the teacher, per patch.

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

    The teacher sees all patches of a clip; the student sees few patches, and
    is trained to match the teacher's features of the visible patches and of
    the clip's class token. Only visible tokens enter the student. Dropped
    patches are not reconstructed.

    Args:
        backbone (dict): The student, a ``VideoMamba`` with
            ``out_type='raw'``. A config with neither ``out_indices`` nor
            ``stream_indices`` gets the published choice,
            ``out_indices=(), stream_indices=-2``: the residual stream before
            the last block, without the final norm. Last block and final norm
            then get no gradient, and are frozen here; ``out_indices=-1``
            trains all.
        neck (dict): The decoder, ``UMTDecoder``.
        head (dict): mmpretrain's ``MIMHead`` with an ``AlignmentLoss``.
        target_generator (dict): The teacher, for example a ``CLIPTeacher``: a
            call with clips returns ``features`` (k, b, 1 + t * n, c) and
            ``attention`` (b * t, n). A teacher of any class is frozen here and
            stays in evaluation mode.
        *args: Further arguments of mmpretrain's ``BaseSelfSupervisor``, from
            ``pretrained`` on.
        mask_source (str): 'attention' draws the mask in the model from the
            teacher's attention; 'data' takes the ``mask`` of the data
            samples, see ``TokenMask``. Defaults to 'attention'.
        mask_ratio (float): Share of a frame's patches to drop by attention;
            unused for 'data'. Defaults to 0.8.
        **kwargs: Of ``BaseSelfSupervisor``, too, for example
            ``data_preprocessor``.

    Raises:
        ValueError: If an argument is not allowed, or student and teacher do
            not fit each other.

    Source: Li et al., Unmasked Teacher, arXiv:2303.16058; VideoMamba,
    arXiv:2403.06977, Section 3.3.
    """

    def __init__(self,
                 backbone: dict,
                 neck: dict,
                 head: dict,
                 target_generator: dict,
                 *args: Any,
                 mask_source: str = 'attention',
                 mask_ratio: float = 0.8,
                 **kwargs: Any) -> None:
        super().__init__(
            _with_published_tap(backbone), neck, head, target_generator, *args,
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
        self._masked_teacher()  # refuses a bad source or ratio
        if mask_source == 'data':
            self.data_preprocessor.register_forward_hook(
                NoteMaskPositions(prod(self.backbone.grid)))
        # CLIPTeacher freezes itself, another teacher does not: several
        # processes would wait for gradients that never come.
        self.target_generator.requires_grad_(False)
        self.target_generator.eval()
        self._freeze_unused()
        loss = getattr(self.head, 'loss_module', None)
        if getattr(loss, 'loss_weight', 1) == 0:
            warn_unused_teacher('UMT', 'loss_weight=0 in the head')

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
        """Freeze parameters without a gradient.

        DistributedDataParallel would wait for the gradients otherwise.
        """
        student = self.backbone
        student.layers[student.last_index + 1:].requires_grad_(False)
        # norm_f normalises the outputs of out_indices alone: a stream leaves
        # before the norm.
        if not student.out_indices:
            student.norm_f.requires_grad_(False)

    def loss(self, inputs: Tensor,
             data_samples: Optional[List[BaseDataElement]]) -> Dict:
        """Compute the alignment loss of a batch.

        Args:
            inputs (Tensor): Normalised clips (b, 3, frames, h, w), or with
                a view axis of length 1, (b, 1, 3, frames, h, w).
            data_samples (list[BaseDataElement], optional): With ``mask`` if
                ``mask_source`` is 'data'.

        Returns:
            dict[str, Tensor]: ``loss``.

        Raises:
            ValueError: If inputs, mask or teacher do not fit the student.
        """
        decoded, targets = self.align(merge_single_view(inputs), data_samples)
        return dict(loss=self.head.loss(decoded, targets.features))

    def extract_feat(self, inputs: Tensor) -> Tuple[Tensor, ...]:
        """Extract the student's features from all patches.

        Args:
            inputs (Tensor): As for ``loss``.

        Returns:
            tuple[Tensor]: The backbone's outputs, a tensor per index.
        """
        return self.backbone(merge_single_view(inputs))

    def _masked_teacher(self) -> MaskedTeacher:
        return MaskedTeacher(self.target_generator, self.backbone.grid,
                             self.mask_source, self.mask_ratio)

    def align(self,
              clips: Tensor,
              data_samples: Optional[List[BaseDataElement]] = None,
              masked: bool = True) -> Tuple[Tensor, TeacherTargets]:
        """Run teacher and student.

        Args:
            clips (Tensor): Shape (b, 3, frames, h, w).
            data_samples (list[BaseDataElement], optional): See ``loss``.
                Defaults to None.
            masked (bool): Whether the student sees the visible patches only,
                or all. Defaults to True.

        Returns:
            tuple[Tensor, TeacherTargets]: Decoded tokens of the student,
            shape (k, b, 1 + v, c), and the teacher's.

        Raises:
            ValueError: If mask, teacher or decoder do not fit the student.
        """
        targets = self._masked_teacher()(clips, data_samples, masked)
        visible = targets.visible if masked else None
        decoded = self.neck(self.backbone(clips, visible), visible)
        targets.check_decoded(decoded)
        return decoded, targets

    @torch.no_grad()
    def explain(self,
                inputs: Tensor,
                data_samples: Optional[List[BaseDataElement]] = None,
                masked: bool = True) -> Alignment:
        """Return mask, teacher attention and similarity per patch.

        Args:
            inputs (Tensor): As for ``loss``.
            data_samples (list[BaseDataElement], optional): As for ``loss``.
            masked (bool): Whether the student sees the visible patches only,
                as in training, or all. Defaults to True.

        Returns:
            Alignment: On the grid of the student.
        """
        clips = merge_single_view(inputs)
        grid = (len(clips), *self.backbone.grid)
        decoded, targets = self.align(clips, data_samples, masked)
        mask = targets.mask
        cosine = torch.cosine_similarity(
            decoded.float(), targets.features.float(), dim=-1).mean(0)[:, 1:]
        similarity = cosine.new_full(mask.shape, float('nan'))
        # Both sides go row by row: the positions rise in each row.
        similarity[~mask] = cosine.flatten()
        return Alignment(
            mask.view(grid),
            targets.attention.float().view(grid), similarity.view(grid))
