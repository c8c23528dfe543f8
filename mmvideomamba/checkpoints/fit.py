"""Fitting the weights of a VideoMamba to a backbone of another size.

Position tables are resized and 2-D patch kernels inflated; everything else
must have the shape of the backbone's own tensor.
"""
import re
from typing import Any, Dict, List, Mapping, Tuple

from torch import Tensor

from .class_token import check_class_token, check_settings
from .rename import select_backbone
from .report import Change
from .resize import (inflate_patch_kernel, resize_spatial_embed,
                     resize_temporal_embed)
from .unwrap import unwrap

PATCH_KEY = 'patch_embed.proj.weight'
SPATIAL_KEY = 'pos_embed'
TEMPORAL_KEY = 'temporal_pos_embedding'
_BLOCK = re.compile(r'layers\.\d+\.mixer\.')


def _source_grid(count: int, grid: Tuple[int, int]) -> Tuple[int, int]:
    """Guess the stored grid: a square, else the target's aspect ratio."""
    side = int(count**0.5)
    # An image model of 16:9 frames, for instance, is fitted to 16:9 frames.
    if side * side != count:
        rows = round((count * grid[0] / grid[1])**0.5)
        if rows and rows * round(count / rows) == count:
            return rows, count // rows
    return side, side


def fit_tensors(
        state_dict: Dict[str, Tensor],
        own: Dict[str, Tensor],
        grid: Tuple[int, int],
        inflation: str = 'center') -> Tuple[Dict[str, Tensor], List[Change]]:
    """Inflate and resize what differs in shape from the backbone's own.

    Args:
        state_dict (dict[str, Tensor]): Tensors under the backbone's keys.
        own (dict[str, Tensor]): The backbone's state dict.
        grid (tuple[int, int]): The backbone's rows and columns of patches.
        inflation (str): Mode of ``inflate_patch_kernel``. Defaults to
            'center'.

    Returns:
        tuple: Fitted tensors, and the changes.

    Raises:
        ValueError: If the class token stands between the patches.
    """
    check_class_token(state_dict)
    fitted = dict(state_dict)
    changes: List[Change] = []

    def change(action: str, key: str, new: Tensor) -> None:
        changes.append(
            Change(action, key,
                   f'{tuple(fitted[key].shape)} -> {tuple(new.shape)}'))
        fitted[key] = new

    kernel = fitted.get(PATCH_KEY)
    depth = own[PATCH_KEY].shape[2]
    if kernel is not None and kernel.dim() == 5 and (kernel.shape[2], depth
                                                     > 1) == (1, True):
        # An image model of ours: its single tap is a 2-D kernel.
        kernel = kernel.squeeze(2)
    if kernel is not None and kernel.dim() == 4:
        change('inflated', PATCH_KEY,
               inflate_patch_kernel(kernel, depth, inflation))
    embed = fitted.get(SPATIAL_KEY)
    if embed is not None and embed.shape[1] != own[SPATIAL_KEY].shape[1]:
        source = _source_grid(embed.shape[1] - 1, grid)
        change('resized', SPATIAL_KEY,
               resize_spatial_embed(embed, grid, source))
    embed = fitted.get(TEMPORAL_KEY)
    # A model of one tubelet adds no temporal embedding, see add_places.
    if embed is not None and TEMPORAL_KEY not in own:
        del fitted[TEMPORAL_KEY]
        changes.append(
            Change('dropped', TEMPORAL_KEY, 'the model takes one tubelet'))
    elif embed is not None and embed.shape[1] != own[TEMPORAL_KEY].shape[1]:
        change('resized', TEMPORAL_KEY,
               resize_temporal_embed(embed, own[TEMPORAL_KEY].shape[1]))
    return fitted, changes


def check_fit(state_dict: Dict[str, Tensor],
              own: Dict[str, Tensor]) -> List[Change]:
    """Refuse tensors that are not a VideoMamba of the backbone's size.

    Args:
        state_dict (dict[str, Tensor]): Fitted tensors.
        own (dict[str, Tensor]): The backbone's state dict.

    Returns:
        List[Change]: The tensors left at the initial value.

    Raises:
        ValueError: If a tensor has no place, has another shape, or is
            missing and cannot start fresh.
    """
    unknown = [k for k in state_dict if k not in own]
    # An image checkpoint has no temporal embedding: it starts at zero.
    missing = [k for k in own if k not in state_dict]
    lost = [k for k in missing if k != TEMPORAL_KEY]
    shapes = [
        f'{k}: {tuple(state_dict[k].shape)} in the file, '
        f'{tuple(own[k].shape)} in the model' for k in own
        if k in state_dict and state_dict[k].shape != own[k].shape
    ]
    problems = [
        f'{len(keys)} {what}, such as {keys[0]}'
        for what, keys in (('tensors are missing', lost),
                           ('tensors have no place in the model',
                            unknown), ('shapes differ', shapes)) if keys
    ]
    if problems:
        blocks = {k.split('.')[1] for k in state_dict if _BLOCK.match(k)}
        wanted = {k.split('.')[1] for k in own if _BLOCK.match(k)}
        raise ValueError(
            'the checkpoint does not fit this VideoMamba '
            f'({len(wanted)} blocks; the file has {len(blocks)}): '
            f'{"; ".join(problems)}. Check that `arch`, `patch_size`, '
            '`tubelet_size`, `norm_cfg` and `mixer_cfg` are those of the '
            'checkpoint.')
    return [
        Change('missing', k, 'stays at its initial value') for k in missing
    ]


def adapt_checkpoint(
        checkpoint: Mapping[str, Any],
        own: Dict[str, Tensor],
        grid: Tuple[int, int],
        inflation: str = 'center') -> Tuple[Dict[str, Tensor], List[Change]]:
    """Turn any VideoMamba checkpoint into a backbone's state dict.

    Args:
        checkpoint (Mapping): A loaded file, wrapped or flat.
        own (dict[str, Tensor]): State dict of the backbone to fill.
        grid (tuple[int, int]): Its rows and columns of patches.
        inflation (str): Mode of ``inflate_patch_kernel``. Defaults to
            'center'.

    Returns:
        tuple: State dict for the backbone, and every change made.

    Raises:
        ValueError: If the file holds another model.

    Source: VideoMamba, arXiv:2403.06977, Section 4 (initialisation from the
    image models).
    """
    check_settings(checkpoint)
    kept, renamed = select_backbone(unwrap(checkpoint))
    fitted, resized = fit_tensors(kept, own, grid, inflation)
    return fitted, renamed + resized + check_fit(fitted, own)
