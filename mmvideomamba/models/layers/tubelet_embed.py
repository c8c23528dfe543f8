"""Patch embedding of images and clips."""
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmvideomamba.ops import being_traced
from mmvideomamba.ops.runtime.host import compute_dtype
from .plain_layer import is_plain_conv


class TubeletEmbed(BaseModule):
    """Embed tubelets of pixels as tokens.

    A 3-D convolution whose kernel is ``(tubelet_size, patch_size,
    patch_size)``. Without overlap of patches the convolution is computed as a
    single matrix product, unless ``proj`` has to be called, see
    ``is_plain_conv``. The parameters live in ``proj``, as in the published
    model.

    Args:
        in_channels (int): Channels of the clip. Defaults to 3.
        embed_dims (int): Channels c of the tokens. Defaults to 192.
        tubelet_size (int): Frames of a tubelet k. Defaults to 1.
        patch_size (int): Side of a patch p, in pixels. Defaults to 16.
        patch_stride (int, optional): Distance of neighbouring patches, in
            pixels. Defaults to None, ``patch_size``.
        init_cfg (dict, optional): mmengine's initialisation config. Defaults
            to None.
    """

    def __init__(self,
                 in_channels: int = 3,
                 embed_dims: int = 192,
                 tubelet_size: int = 1,
                 patch_size: int = 16,
                 patch_stride: Optional[int] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        side = patch_stride or patch_size
        # Here, as an adapter in the place of proj may not have them.
        self.kernel_size = (tubelet_size, patch_size, patch_size)
        self.stride = (tubelet_size, side, side)
        self.proj = nn.Conv3d(
            in_channels, embed_dims, self.kernel_size, stride=self.stride)

    def grid(self, frames: int, height: int,
             width: int) -> Tuple[int, int, int]:
        """Return the token grid (t, h, w) of a clip of the given size."""
        sides = zip((frames, height, width), self.kernel_size, self.stride)
        t, h, w = ((side - kernel) // stride + 1
                   for side, kernel, stride in sides)
        return t, h, w

    def _is_product(self) -> bool:
        """Tell whether a matrix product may replace the call of ``proj``."""
        return (self.stride == self.kernel_size
                and is_plain_conv(self.proj, nn.Conv3d, self.stride,
                                  (0, 0, 0), 1)
                and self.proj.kernel_size == self.kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        """Embed a clip.

        Args:
            x (Tensor): Clip, shape (b, in_channels, frames, height, width).

        Returns:
            Tensor: Tokens in the order frame, row, column; shape
            (b, t * h * w, c).
        """
        if not self._is_product() or being_traced(x):
            return self.proj(x).flatten(2).transpose(1, 2)  # (b, t * h * w, c)
        t, h, w = self.grid(*x.shape[2:])
        k, p, q = self.kernel_size
        # A convolution leaves out the pixels after the last whole tubelet.
        x = x[:, :, :t * k, :h * p, :w * q]
        # (b, c, t, k, h, p, w, q)
        x = x.reshape(*x.shape[:2], t, k, h, p, w, q)
        # A single copy moves the pixels and casts for the product. Autocast
        # leaves float64 alone, and does not handle meta tensors.
        kept = x.is_meta or x.dtype == torch.float64
        dtype = x.dtype if kept else compute_dtype(x)
        # (b, t, h, w, c, k, p, q): the last four in the order of the kernel.
        x = x.permute(0, 2, 4, 6, 1, 3, 5, 7).to(
            dtype, memory_format=torch.contiguous_format)
        x = x.flatten(4).flatten(1, 3)  # (b, t * h * w, c * k * p * q)
        return F.linear(x, self.proj.weight.flatten(1), self.proj.bias)
