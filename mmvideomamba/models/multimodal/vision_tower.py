"""The backbone as the visual half of a video-text model."""
from typing import Any, NamedTuple, Optional, Union

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmvideomamba.registry import MODELS
from ..layers import VisibleTokens

POOL_TYPES = ('cls', 'cls+avg', 'avg', 'cls_cat_avg')


class VisionOutput(NamedTuple):
    """What the visual half says about clips or images.

    Args:
        tokens (Tensor): Visible patch tokens after the final norm, without
            the class token, for cross-attention, shape (b, v, c).
        pooled (Tensor): For the similarity with texts, shape (b, m, c); m
            is t for one entry per frame.
        decoded (Tensor, optional): The tokens in the space of the teacher,
            class token first, shape (k, b, 1 + v, out_channels); None
            without a mask or a decoder.
    """
    tokens: Tensor
    pooled: Tensor
    decoded: Optional[Tensor]


def _built(part: Union[dict, nn.Module]) -> Any:
    return part if isinstance(part, nn.Module) else MODELS.build(part)


@MODELS.register_module()
class VisionTower(BaseModule):
    """Run a backbone and pool its tokens.

    With c the class token, ``m`` the mean of the visible patch tokens and
    ``m_f`` that of frame f, ``pooled`` is a LayerNorm of

    =============  ==============  ================
    pool_type      once per clip   once per frame
    =============  ==============  ================
    'cls'          c               c (m = 1)
    'cls+avg'      c + m           c + m_f
    'avg'          m               m_f
    'cls_cat_avg'  [c, m]          c + m_f
    =============  ==============  ================

    Args:
        backbone (dict | Module): ``VideoMamba`` with ``out_type='raw'``, the
            last block in ``out_indices``. Further ``out_indices`` and
            ``stream_indices`` go to the decoder; ``stream_indices=-2`` is
            the published choice.
        neck (dict | Module, optional): ``UMTDecoder`` with ``norm='none'``,
            only for the alignment with a teacher. Defaults to None.
        pool_type (str): One of the above. Defaults to 'cls+avg'.
        keep_temporal (bool): Whether to pool once per frame. Defaults to
            True.
        init_cfg (dict, optional): mmengine's initialisation config. Defaults
            to None.

    Raises:
        ValueError: If an argument is not allowed.

    Source: VideoMamba, arXiv:2403.06977, Section 3.4.
    """

    def __init__(self,
                 backbone: Union[dict, nn.Module],
                 neck: Union[dict, nn.Module, None] = None,
                 pool_type: str = 'cls+avg',
                 keep_temporal: bool = True,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        if pool_type not in POOL_TYPES:
            raise ValueError(f'pool_type must be one of {list(POOL_TYPES)}, '
                             f'but got {pool_type!r}')
        self.backbone: Any = _built(backbone)
        if self.backbone.out_type != 'raw' or (
                self.backbone.num_layers - 1 not in self.backbone.out_indices):
            raise ValueError(
                "the backbone of VisionTower needs out_type='raw' and its "
                'last block in out_indices, but has '
                f'{self.backbone.out_type!r} and {self.backbone.out_indices}')
        self.neck: Any = neck and _built(neck)
        self.pool_type, self.keep_temporal = pool_type, keep_temporal
        self.pool_norm = nn.LayerNorm(self.backbone.embed_dims)

    @property
    def embed_dims(self) -> int:
        """Channels c of tokens and pooled features."""
        return self.backbone.embed_dims

    def forward(self,
                x: Tensor,
                mask: Union[Tensor, VisibleTokens, None] = None,
                keep_temporal: Optional[bool] = None) -> VisionOutput:
        """Look at clips or images.

        Args:
            x (Tensor): Normalised clips (b, 3, frames, h, w), or images with
                one frame. Images get no temporal embedding.
            mask (Tensor | VisibleTokens, optional): True = dropped, bool,
                shape (b, t * n). Defaults to None, none.
            keep_temporal (bool, optional): Overrides that of the class; a
                mask must then keep as many tokens in each frame. Defaults to
                None.

        Returns:
            VisionOutput: Tokens, pooled and decoded features.
        """
        outs = self.backbone(x, mask)
        last = len(self.backbone.out_indices) - 1
        tokens = outs[last]
        decoded = None
        if mask is not None and self.neck is not None:
            decoded = self.neck([*outs[:last], *outs[last + 1:]], mask)
        if keep_temporal is None:
            keep_temporal = self.keep_temporal
        frames = 1
        if keep_temporal:
            tubelet = self.backbone.patch_embed.kernel_size[0]
            frames = x.shape[2] // tubelet
        pooled = self.pool_norm(self._pool(tokens, frames, keep_temporal))
        return VisionOutput(tokens[:, 1:], pooled, decoded)

    def _pool(self, tokens: Tensor, frames: int,
              keep_temporal: bool) -> Tensor:
        """Pool tokens (b, 1 + v, c) to (b, m, c)."""
        cls_token, patches = tokens[:, :1], tokens[:, 1:]
        if self.pool_type == 'cls':
            return cls_token
        if patches.shape[1] % frames:
            raise ValueError(
                f'{patches.shape[1]} visible tokens cannot be split evenly '
                f'over {frames} frames; switch keep_temporal off for this '
                'mask')
        mean = patches.unflatten(1, (frames, -1)).mean(2)  # (b, m, c)
        if self.pool_type == 'avg':
            return mean
        if self.pool_type == 'cls_cat_avg' and not keep_temporal:
            return torch.cat([cls_token, mean], dim=1)
        return cls_token + mean
