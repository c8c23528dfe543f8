"""A block of the trunk: add, norm, mix."""
from typing import Optional, Tuple

from mmcv.cnn.bricks import DropPath
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .add_norm import build_add_norm, drop_add_norm, takes_draw
from .bimamba_mixer import BiMambaMixer
from .plain_layer import drop_prob_of


class MambaBlock(BaseModule):
    """Add the incoming branch to the stream, normalise, and mix.

    ``residual = residual + drop_path(hidden)`` and
    ``hidden = mixer(norm(residual))``. The returned stream does not yet hold
    the returned branch; the next block, or the trunk's end, adds the branch.
    So ``drop_path_rate`` drops the branch of the block before.

    ``normed`` is an identity on the mixer's input (b, l, c), a place for
    hooks: Grad-CAM, for instance, needs a layer with a single output tensor.

    Args:
        embed_dims (int): Channels c.
        norm_cfg (dict): Type and eps of the norm. Defaults to
            ``dict(type='RMSNorm', eps=1e-5)``.
        drop_path_rate (float): Probability of dropping the incoming branch
            of a sample. Defaults to 0.
        mixer_cfg (dict, optional): Further arguments of ``BiMambaMixer``.
            Defaults to None.
        with_cp (bool): Recompute the mixer in backward instead of storing
            the intermediate tensors. Defaults to False.
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

    def drop_prob(self) -> float:
        """Return the drop probability for the ``draw`` of ``forward``.

        Returns:
            float: 0 where nothing is dropped, and where ``drop_path`` has to
            be called.
        """
        return drop_prob_of(self.drop_path) if takes_draw(self.norm) else 0.

    def forward(self,
                hidden: Tensor,
                residual: Optional[Tensor] = None,
                order: Optional[Tensor] = None,
                draw: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
        """Run the block.

        Args:
            hidden (Tensor): Branch of the block before, or the embedded
                tokens, shape (b, l, c).
            residual (Tensor, optional): Stream, shape (b, l, c), float32.
                None in the first block; the first block drops nothing.
            order (Tensor, optional): Temporal-first index for the mixer.
                Defaults to None.
            draw (Tensor, optional): Uniform numbers, shape (b, ), float32,
                for the norm to drop samples without a call of ``drop_path``.
                Allowed where ``drop_prob`` is positive. Defaults to None.

        Returns:
            tuple: New branch and new stream, both (b, l, c).
        """
        # Embeddings enter the stream whole: stochastic depth drops branches.
        if residual is None:
            x, residual = self.norm(hidden, residual)
        else:
            x, residual = drop_add_norm(self.drop_path, self.norm, hidden,
                                        residual, draw)
        x = self.normed(x)
        if self.with_cp and self.training and x.requires_grad:
            # A plain mixer draws no numbers, and a CUDA graph could not
            # store the state of the generators.
            hidden = checkpoint(
                self.mixer,
                x,
                order,
                use_reentrant=False,
                preserve_rng_state=type(self.mixer) is not BiMambaMixer
                or not self.mixer.is_plain())
        else:
            hidden = self.mixer(x, order)
        return hidden, residual
