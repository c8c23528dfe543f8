"""Pooling of tokens by attention, for probes of a backbone."""
from typing import Any, Tuple, Union

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmvideomamba.registry import MODELS


@MODELS.register_module()
class AttentivePool(BaseModule):
    """Pool tokens with a learned query.

    ``y = norm(q + attention(q, norm(x), norm(x)))``: a single query, no
    positions, several heads. A neck for mmpretrain's classifiers, and a part
    of ``AttentiveHead``.

    Args:
        in_channels (int): Channels c of the tokens.
        num_heads (int): Heads of the attention. Defaults to 4.
        init_cfg (dict, optional): mmengine's initialisation config. Defaults
            to None.

    Raises:
        ValueError: If ``num_heads`` does not divide ``in_channels``.

    Source: V-JEPA, arXiv:2404.08471, Section 4.2, without the two-layer MLP.
    """

    def __init__(self,
                 in_channels: int,
                 num_heads: int = 4,
                 init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        if num_heads < 1 or in_channels % num_heads:
            raise ValueError(f'num_heads must divide in_channels={in_channels}'
                             f', but got {num_heads}')
        self.in_channels = in_channels
        self.query = nn.Parameter(torch.zeros(1, 1, in_channels))
        self.norm_in = nn.LayerNorm(in_channels)
        self.attn = nn.MultiheadAttention(
            in_channels, num_heads, batch_first=True)
        self.norm_out = nn.LayerNorm(in_channels)
        nn.init.trunc_normal_(self.query, std=0.02)

    def _tokens(self, x: Tensor) -> Tensor:
        """Bring a feature to tokens (b, n, c)."""
        if x.dim() > 3:
            x = x.flatten(2).transpose(1, 2)  # (b, n, c)
        if x.dim() != 3 or x.shape[-1] != self.in_channels:
            raise ValueError(
                f'{type(self).__name__} pools tokens (b, n, '
                f'{self.in_channels}), but got a feature of shape '
                f"{tuple(x.shape)}; set out_type='raw' in the backbone (or "
                "'featmap'), and in_channels to the width of the backbone")
        return x

    def forward(
        self, x: Union[Tensor,
                       Tuple[Tensor,
                             ...]]) -> Union[Tensor, Tuple[Tensor, ...]]:
        """Pool.

        Args:
            x (Tensor | tuple[Tensor]): Tokens (b, n, c), or a map (b, c, h,
                w) or (b, c, t, h, w). Of a tuple the last is pooled.

        Returns:
            Tensor | tuple[Tensor]: Shape (b, c), a tuple for a tuple.

        Raises:
            ValueError: If the feature has no tokens.
        """
        if isinstance(x, (tuple, list)):
            return (self._pool(x[-1]), )
        return self._pool(x)

    def _pool(self, x: Tensor) -> Tensor:
        tokens = self.norm_in(self._tokens(x))
        # A view would ask for a gradient under no_grad, where counters of
        # torch then fail.
        query = self.query.repeat(len(tokens), 1, 1)
        # Only without weights does torch take a fused attention.
        found, _ = self.attn(query, tokens, tokens, need_weights=False)
        return self.norm_out(query + found).squeeze(1)  # (b, c)
