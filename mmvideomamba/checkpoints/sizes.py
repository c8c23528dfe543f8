"""Arguments of a VideoMamba, from the shapes of weights."""
import math
import re
from typing import Any, Dict, Mapping

from torch import Tensor

from .class_token import check_class_token
from .fit import PATCH_KEY, SPATIAL_KEY, TEMPORAL_KEY

_BLOCK = re.compile(r'layers\.(\d+)\.')
_MIXER = 'layers.0.mixer.'


def _side(count: int) -> int:
    """Return the patches of a side of a square."""
    side = math.isqrt(count)
    if side * side != count:
        raise ValueError(
            f'its position embedding has {count} places, which form no '
            'square; give img_size=(HEIGHT, WIDTH)')
    return side


def _mixer_cfg(weights: Mapping[str, Tensor], width: int) -> Dict[str, Any]:
    """Read the sizes of the mixers where not the defaults."""
    inner, state = weights[_MIXER + 'A_log'].shape
    rank = weights[_MIXER + 'dt_proj.weight'].shape[1]
    found = dict(
        d_state=state,
        d_conv=weights[_MIXER + 'conv1d.weight'].shape[-1],
        expand=inner // width,
        dt_rank=rank,
        bidirectional=_MIXER + 'A_b_log' in weights,
        conv_bias=_MIXER + 'conv1d.bias' in weights,
        bias=_MIXER + 'in_proj.bias' in weights)
    usual = dict(
        d_state=16,
        d_conv=4,
        expand=2,
        dt_rank=math.ceil(width / 16),
        bidirectional=True,
        conv_bias=True,
        bias=False)
    return {k: v for k, v in found.items() if v != usual[k]}


def backbone_sizes(weights: Mapping[str, Tensor],
                   img_size: Any = None) -> Dict[str, Any]:
    """Tell the arguments of the VideoMamba with certain weights.

    Patches are taken not to overlap, and the scan to be the published one:
    no shape tells of either.

    Args:
        weights (Mapping[str, Tensor]): Under the names of the backbone.
        img_size (int | tuple[int, int], optional): Size of the frames, if
            known; else a square. Defaults to None.

    Returns:
        dict[str, Any]: Arguments of ``VideoMamba``.

    Raises:
        ValueError: If the weights are not of a VideoMamba, or the frames are
            no squares.
    """
    needed = ('cls_token', SPATIAL_KEY, PATCH_KEY, 'norm_f.weight',
              _MIXER + 'A_log', _MIXER + 'dt_proj.weight',
              _MIXER + 'conv1d.weight')
    missing = [name for name in needed if name not in weights]
    if missing:
        raise ValueError('the file is not of a VideoMamba: the file lacks '
                         f'{", ".join(missing)}')
    check_class_token(dict(weights))
    kernel = weights[PATCH_KEY]
    tubelet = kernel.shape[2] if kernel.dim() == 5 else 1
    patch, width = kernel.shape[-1], kernel.shape[0]
    blocks = [int(m[1]) for m in map(_BLOCK.match, weights) if m]
    tubelets = weights[TEMPORAL_KEY].shape[1] if TEMPORAL_KEY in weights else 1
    if img_size is None:
        img_size = _side(weights[SPATIAL_KEY].shape[1] - 1) * patch
    found: Dict[str, Any] = dict(
        arch=dict(embed_dims=width, num_layers=max(blocks) + 1),
        img_size=img_size,
        patch_size=patch,
        num_frames=tubelets * tubelet,
        tubelet_size=tubelet,
        in_channels=kernel.shape[1])
    if 'norm_f.bias' in weights:
        # No tensor shows the eps: the published value.
        found['norm_cfg'] = dict(type='LN', eps=1e-5)
    mixer = _mixer_cfg(weights, width)
    return {**found, 'mixer_cfg': mixer} if mixer else found
