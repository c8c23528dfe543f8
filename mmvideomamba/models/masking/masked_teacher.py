"""A frozen teacher, and the patches visible to a student."""
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from ..layers import VisibleTokens
from ..layers.visible_positions import all_visible
from .visible_tokens import (MASK_SOURCES, draw_visible, visible_features,
                             visible_of, visible_per_frame)


class TeacherTargets(NamedTuple):
    """Features of a teacher at the tokens visible to a masked student.

    Args:
        features (Tensor): Levels k of the visible tokens, class token first,
            shape (k, b, 1 + v, c).
        mask (Tensor): True = dropped, bool, shape (b, t * n).
        attention (Tensor): Of the teacher's class token to the patches of
            each frame, shape (b * t, n).
        positions (Tensor): Of the visible patches, rising, shape (b, v).
    """
    features: Tensor
    mask: Tensor
    attention: Tensor
    positions: Tensor

    @property
    def visible(self) -> VisibleTokens:
        """The mask with the positions, for a student."""
        return VisibleTokens(self.mask, self.positions)

    def check_decoded(self, decoded: Tensor) -> None:
        """Refuse decoded tokens of a student with other levels or channels.

        Args:
            decoded (Tensor): Output of the student's decoder, shape
                (k, b, 1 + v, c).

        Raises:
            ValueError: If the numbers of levels or channels differ.
        """
        # Axes 0 and 3 of (levels, b, 1 + v, channels).
        if decoded.shape[::3] != self.features.shape[::3]:
            raise ValueError(
                f'the decoder returns {len(decoded)} levels of '
                f'{decoded.shape[-1]} channels, but the teacher '
                f'{len(self.features)} of {self.features.shape[-1]}; set '
                'num_levels and out_channels of the neck')


@dataclass(frozen=True)
class MaskedTeacher:
    """Let a frozen teacher see whole clips, and mask them for a student.

    The class is not a module: the model around it registers the teacher under
    a name of the model's choice, so that names in checkpoints stay.

    Args:
        teacher (nn.Module): For example ``CLIPTeacher``: called with clips,
            the module returns ``features`` (k, b, 1 + t * n, c) and
            ``attention`` (b * t, n).
        grid (tuple[int, int, int]): Token frames t, rows h and columns w of
            the student, with ``n = h * w``.
        source (str): 'attention' draws the mask from the teacher's
            attention; 'data' takes the ``mask`` of the data samples, see
            ``TokenMask``.
        ratio (float, optional): Share of the patches of a frame that
            'attention' drops. Defaults to None, for 'data' only.

    Raises:
        ValueError: If the source is unknown, or the ratio leaves no patch of
            a frame visible, or all of them.

    Source: Li et al., Unmasked Teacher, arXiv:2303.16058, Section 3.2.
    """
    teacher: nn.Module
    grid: Tuple[int, int, int]
    source: str
    ratio: Optional[float] = None

    def __post_init__(self) -> None:
        if self.source not in MASK_SOURCES:
            raise ValueError(f'mask_source must be one of '
                             f'{list(MASK_SOURCES)}, but got {self.source!r}')
        if self.source == 'attention':
            visible_per_frame(self.grid[1] * self.grid[2], self.ratio)

    @torch.no_grad()
    def __call__(self,
                 clips: Tensor,
                 data_samples: Optional[Sequence[Any]] = None,
                 masked: bool = True) -> TeacherTargets:
        """Run the teacher and choose the visible tokens.

        Args:
            clips (Tensor): Normalised, shape (b, 3, frames, h, w).
            data_samples (Sequence, optional): With ``mask`` if ``source`` is
                'data'. Defaults to None.
            masked (bool): Whether tokens are dropped; else every token stays
                visible. Defaults to True.

        Returns:
            TeacherTargets: Without gradient.

        Raises:
            ValueError: If the teacher does not fit the grid, or a mask of
                the data is missing or does not fit.
        """
        features, attention = self.teacher(clips)
        self._check_grid(features, attention)
        # The class token is in the features and in no mask.
        tokens = features.shape[2] - 1
        if not masked:
            visible = all_visible(
                torch.zeros(
                    len(clips),
                    tokens,
                    dtype=torch.bool,
                    device=attention.device))
        elif self.source == 'attention':
            visible = draw_visible(attention, self.grid[0], self.ratio)
        else:
            visible = visible_of(data_samples, tokens, attention.device)
        chosen = visible_features(features, visible)
        if masked and self.source == 'attention':
            # Of other attention anything may be drawn; the loss tells.
            broken = ~attention.isfinite().all()
            chosen = chosen.masked_fill(broken, float('nan'))
        return TeacherTargets(chosen, visible.mask, attention,
                              visible.positions)

    def _check_grid(self, features: Tensor, attention: Tensor) -> None:
        t, h, w = self.grid
        tokens = 1 + t * h * w
        if features.shape[2] != tokens or attention.shape[1] != h * w:
            raise ValueError(
                f'the teacher returns {features.shape[2]} tokens per clip and '
                f'attention to {attention.shape[1]} patches per frame, but '
                f'the student has a grid of {t} x {h} x {w}, that is {tokens} '
                'tokens with the class token. Choose img_size of the teacher '
                'so that both cut frames into the same grid, the same '
                'tubelet_size, and with_cls_token=True')
