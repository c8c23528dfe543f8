"""The yardstick: a ViT with joint space-time attention."""
from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Layer(nn.Module):
    """Pre-norm attention and MLP; attention through SDPA.

    Args:
        dims (int): Channels c.
        heads (int): Attention heads.
    """

    def __init__(self, dims: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dims), nn.LayerNorm(dims)
        self.qkv, self.proj = nn.Linear(dims, 3 * dims), nn.Linear(dims, dims)
        self.mlp = nn.Sequential(
            nn.Linear(dims, 4 * dims), nn.GELU(), nn.Linear(4 * dims, dims))

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (b, l, c) to tokens (b, l, c)."""
        b, l, c = x.shape
        qkv = self.qkv(self.norm1(x)).view(b, l, 3, self.heads, -1)
        y = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4))
        x = x + self.proj(y.transpose(1, 2).reshape(b, l, c))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """Vision transformer over all tokens of a clip, heads 64 wide.

    Args:
        dims (int): Channels c.
        depth (int): Layers. Defaults to 12.
        num_frames (int): Frames. Defaults to 8.
        img_size (int): Side in pixels. Defaults to 224.
        patch_size (int): Side of a patch in pixels. Defaults to 16.
    """

    def __init__(self,
                 dims: int,
                 depth: int = 12,
                 num_frames: int = 8,
                 img_size: int = 224,
                 patch_size: int = 16) -> None:
        super().__init__()
        self.patch = nn.Conv3d(3, dims, (1, patch_size, patch_size),
                               (1, patch_size, patch_size))
        tokens = num_frames * (img_size // patch_size)**2
        self.embed = nn.Parameter(torch.zeros(1, 1 + tokens, dims))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dims))
        self.layers = nn.Sequential(*(Layer(dims, dims // 64)
                                      for _ in range(depth)))
        self.norm = nn.LayerNorm(dims)

    def forward(self, x: Tensor) -> Tuple[Tensor]:
        """Map clips (b, 3, t, h, w) to class features ((b, c), )."""
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        return self.norm(self.layers(x + self.embed)[:, 0]),
