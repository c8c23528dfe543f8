"""From the student's tokens to the teacher's feature space."""
from typing import Optional, Sequence, Union

import torch
from mmengine.model import BaseModule, ModuleList
from torch import Tensor, nn

from mmvideomamba.registry import MODELS
from ..layers import VisibleTokens, as_visible, sincos_embed


class _Level(nn.Module):
    """Linear layer and LayerNorm, with the published names."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.head = nn.Linear(in_channels, out_channels)
        self.norm = nn.LayerNorm(out_channels)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.head(x))


@MODELS.register_module()
class UMTDecoder(BaseModule):
    """Decode each level of a student by a linear layer.

    A fixed sine-cosine embedding of the position in the whole clip is added to
    each token; then a linear layer and a LayerNorm follow, and the features
    are brought to length 1. Parameters have the published names.

    Args:
        in_channels (int): Channels c of the student.
        out_channels (int): Channels of the teacher's features.
        num_levels (int): Levels k of the student. Defaults to 1.
        norm (str): 'l2' for features of length 1, or 'none', as in the
            multimodal model. Defaults to 'l2'.
        init_cfg (dict, optional): mmengine's initialisation config. Defaults
            to None.

    Raises:
        ValueError: If ``norm`` is unknown.

    Source: Li et al., Unmasked Teacher, arXiv:2303.16058, Section 3.2.
    """

    norms = ('l2', 'none')
    places: Tensor

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 num_levels: int = 1,
                 norm: str = 'l2',
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        if norm not in self.norms:
            raise ValueError(f'norm of UMTDecoder must be one of '
                             f'{list(self.norms)}, but got {norm!r}')
        self.in_channels, self.norm = in_channels, norm
        self.clip_decoder = ModuleList(
            [_Level(in_channels, out_channels) for _ in range(num_levels)])
        # Grows to the longest clip seen; not part of a checkpoint.
        self.register_buffer(
            'places', sincos_embed(0, in_channels), persistent=False)

    def _places(self, count: int) -> Tensor:
        if len(self.places) < count:
            table = sincos_embed(count, self.in_channels)
            self.places = table.to(self.places)
        return self.places[:count]

    def forward(self,
                levels: Sequence[Tensor],
                mask: Union[Tensor, VisibleTokens, None] = None) -> Tensor:
        """Decode the visible tokens.

        Args:
            levels (Sequence[Tensor]): Tokens of each level, class token
                first, shape (b, 1 + v, c).
            mask (Tensor | VisibleTokens, optional): True where a token was
                dropped, bool, shape (b, l) without the class token. Defaults
                to None, all tokens are there.

        Returns:
            Tensor: Shape (k, b, 1 + v, out_channels).

        Raises:
            ValueError: If the number of levels or tokens does not fit.
        """
        if len(levels) != len(self.clip_decoder):
            raise ValueError(
                f'the student returns {len(levels)} levels, but the decoder '
                f'has num_levels={len(self.clip_decoder)}')
        b, v, _ = levels[0].shape
        if mask is None:
            places = self._places(v).expand(b, -1, -1)
        else:
            visible = as_visible(mask)
            index = visible.with_class_token()
            if index.shape != (b, v):
                raise ValueError(
                    f'the mask keeps {index.shape[1]} tokens in each of '
                    f'{len(index)} clips, the class token included, but the '
                    f'student returns {v} in {b}')
            # (b, 1 + v, c): visible tokens keep the places in the whole clip.
            places = self._places(1 + visible.mask.shape[1])[index]
        outs = torch.stack([
            decode(x + places) for decode, x in zip(self.clip_decoder, levels)
        ])
        if self.norm == 'l2':
            # Without an eps, as published.
            outs = outs / outs.norm(dim=-1, keepdim=True)
        return outs
