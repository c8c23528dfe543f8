"""The backbone by the formulas: one sample at a time, no batching."""
from typing import Dict, List, Optional, Sequence

import torch
import torch.nn.functional as F
from naive_ops import naive_bidirectional
from torch import Tensor

from mmvideomamba.ops import ScanParams


def naive_norm(x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
    """RMSNorm without a bias, LayerNorm with a bias."""
    if bias is not None:
        x = x - x.mean(-1, keepdim=True)
    x = x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * weight
    return x if bias is None else x + bias


def scan_params(weights: Dict[str, Tensor], end: str) -> ScanParams:
    """Read the weights of a direction from a mixer's state dict."""
    A_log = weights['A_b_log' if end else 'A_log']
    return ScanParams(weights[f'conv1d{end}.weight'],
                      weights[f'conv1d{end}.bias'],
                      weights[f'x_proj{end}.weight'],
                      weights[f'dt_proj{end}.weight'],
                      weights[f'dt_proj{end}.bias'], -torch.exp(A_log),
                      weights[f'D{end}'])


def naive_mixer(weights: Dict[str, Tensor], x: Tensor, order: str,
                temporal_first: Sequence[int]) -> Tensor:
    """Mix tokens (1, l, c); ``temporal_first`` gives the temporal order."""
    xz = x @ weights['in_proj.weight'].T
    forward, backward = scan_params(weights, ''), scan_params(weights, '_b')
    index = torch.tensor(temporal_first)

    def scan(first: Optional[ScanParams], second: Optional[ScanParams],
             temporal: bool) -> Tensor:
        if not temporal:
            return naive_bidirectional(xz, first, second)
        y = torch.empty_like(xz[..., :xz.shape[-1] // 2])
        y[:, index] = naive_bidirectional(xz[:, index], first, second)
        return y

    if order == 'spatial_first':
        y = scan(forward, backward, False)
    elif order == 'temporal_first':
        y = scan(forward, backward, True)
    elif order == 'spatiotemporal_v1':
        y = scan(forward, None, False) + scan(None, backward, True)
    else:
        y = scan(forward, backward, False) + scan(forward, backward, True)
    return y @ weights['out_proj.weight'].T


def naive_videomamba(sd: Dict[str, Tensor],
                     x: Tensor,
                     orders: List[str],
                     stride: int,
                     mask: Optional[Tensor] = None) -> List[Tensor]:
    """Return the normed stream after each block, (b, 1 + v, c) each.

    Args:
        sd (dict[str, Tensor]): State dict of a backbone.
        x (Tensor): Clips, shape (b, 3, frames, h, w).
        orders (list[str]): Name of the scan order of each block.
        stride (int): Distance of neighbouring patches.
        mask (Tensor, optional): True where dropped, shape (b, t * h * w).
            Defaults to None.
    """
    samples = [
        _one(sd, x[i:i + 1], orders, stride,
             None if mask is None else mask[i].tolist())
        for i in range(len(x))
    ]
    return [torch.cat(outs) for outs in zip(*samples)]


def _one(sd: Dict[str, Tensor], x: Tensor, orders: List[str], stride: int,
         mask: Optional[List[bool]]) -> List[Tensor]:
    kernel = sd['patch_embed.proj.weight']
    patches = F.conv3d(x, kernel, sd['patch_embed.proj.bias'],
                       (kernel.shape[2], stride, stride))
    frames, height, width = patches.shape[2:]
    tokens = [sd['cls_token'][0, 0] + sd['pos_embed'][0, 0]]
    places = []
    for f in range(frames):
        for s in range(height * width):
            if mask is not None and mask[f * height * width + s]:
                continue
            token = patches[0, :, f, s // width, s % width]
            token = token + sd['pos_embed'][0, 1 + s]
            if frames > 1:
                token = token + sd['temporal_pos_embedding'][0, f]
            tokens.append(token)
            places.append((s, f))
    ranked = sorted(range(len(places)), key=lambda i: places[i])
    temporal_first = [0] + [1 + i for i in ranked]
    stream, outs = torch.stack(tokens)[None], []
    for i, order in enumerate(orders):
        name = f'layers.{i}.'
        weights = {
            k[len(name):]: v
            for k, v in sd.items() if k.startswith(name)
        }
        y = naive_norm(stream, weights['norm.weight'],
                       weights.get('norm.bias'))
        mixer = {
            k[len('mixer.'):]: v
            for k, v in weights.items() if k.startswith('mixer.')
        }
        stream = stream + naive_mixer(mixer, y, order, temporal_first)
        outs.append(
            naive_norm(stream, sd['norm_f.weight'], sd.get('norm_f.bias')))
    return outs
