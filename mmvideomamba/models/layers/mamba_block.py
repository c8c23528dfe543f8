"""One block of the trunk: add, norm, mix."""
from typing import Optional, Tuple

from mmcv.cnn.bricks import DropPath
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .add_norm import build_add_norm
from .bimamba_mixer import BiMambaMixer


class MambaBlock(BaseModule):
    """Add the incoming branch to the stream, normalise, and mix.

    ``residual = residual + drop_path(hidden)`` and
    ``hidden = mixer(norm(residual))``. The returned stream does not yet hold
    the returned branch; the next block, or the trunk's end, adds it. So
    ``drop_path_rate`` drops the branch of the block before.

    ``normed`` changes nothing: a place for hooks on the mixer's input
    (b, l, c), as of Grad-CAM, whose layers return a single tensor.

    Args:
        embed_dims (int): Channels c.
        norm_cfg (dict): Type and eps of the norm. Defaults to
            ``dict(type='RMSNorm', eps=1e-5)``.
        drop_path_rate (float): Probability of dropping the incoming branch
            of a sample. Defaults to 0.
        mixer_cfg (dict, optional): Further arguments of ``BiMambaMixer``.
            Defaults to None.
        with_cp (bool): Recompute the mixer in backward instead of storing
            what is inside it. Defaults to False.
        init_cfg (dict, optional): mmengine's initialisation config. Defaults
            to None.

    Source: VideoMamba, arXiv:2403.06977, Section 3.2.
    """

    def __init__(self,
                 embed_dims: int,
                 norm_cfg: dict = dict(type='RMSNorm', eps=1e-5),
                 drop_path_rate: float = 0.,
                 mixer_cfg: Optional[dict] = None,
                 with_cp: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        self.with_cp = with_cp
        self.drop_path = DropPath(drop_path_rate)
        self.norm = build_add_norm(norm_cfg, embed_dims)
        self.normed = nn.Identity()
        self.mixer = BiMambaMixer(embed_dims, **(mixer_cfg or {}))

    def forward(self,
                hidden: Tensor,
                residual: Optional[Tensor] = None,
                order: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
        """Run the block.

        Args:
            hidden (Tensor): Branch of the block before, or the embedded
                tokens, shape (b, l, c).
            residual (Tensor, optional): Stream, shape (b, l, c), float32.
                None in the first block, which drops nothing.
            order (Tensor, optional): Temporal-first index for the mixer.
                Defaults to None.

        Returns:
            tuple: New branch and new stream, both (b, l, c).
        """
        if residual is not None:
            hidden = self.drop_path(hidden)
        x, residual = self.norm(hidden, residual)
        x = self.normed(x)
        if self.with_cp and self.training and x.requires_grad:
            hidden = checkpoint(self.mixer, x, order, use_reentrant=False)
        else:
            hidden = self.mixer(x, order)
        return hidden, residual
