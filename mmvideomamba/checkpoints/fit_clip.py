"""Fitting the image tower of a CLIP file to a tower of ours."""
from typing import Dict, List, Tuple

from torch import Tensor

from .rename_clip import PATCH_KEY, POSITION_KEY, PROJECTION_KEY
from .report import Change
from .resize import inflate_patch_kernel, resize_spatial_embed

_MISSING = {
    'class_embedding': 'no class token, as with average pooling',
    'ln_pre.weight': 'no norm before the blocks',
    'ln_post.weight': 'no norm after the blocks',
}


def describe_tower(tower: Dict[str, Tensor]) -> Dict[str, int]:
    """Return width, depth, patch size and output width of a tower."""
    blocks = {
        k.split('.')[2]
        for k in tower if k.startswith('transformer.resblocks.')
    }
    return dict(
        width=tower[PATCH_KEY].shape[0],
        num_layers=len(blocks),
        patch_size=tower[PATCH_KEY].shape[-1],
        out_channels=tower[PROJECTION_KEY].shape[1])


def fit_clip_tower(
        tower: Dict[str, Tensor],
        own: Dict[str, Tensor],
        grid: Tuple[int, int],
        inflation: str = 'center') -> Tuple[Dict[str, Tensor], List[Change]]:
    """Inflate the patch kernel and resize the position embedding.

    Args:
        tower (dict[str, Tensor]): From ``read_clip_tower``.
        own (dict[str, Tensor]): State dict of the teacher to fill.
        grid (tuple[int, int]): Rows and columns of patches of the teacher.
        inflation (str): Mode of ``inflate_patch_kernel``. Defaults to
            'center'.

    Returns:
        tuple: Tensors for the teacher, and the changes.

    Raises:
        ValueError: If the architectures differ.
    """
    found, wanted = describe_tower(tower), describe_tower(own)
    if found != wanted:
        raise ValueError(
            f'the checkpoint holds a CLIP image tower of {found}, but the '
            f'teacher is built with {wanted}; set `arch` of the teacher to '
            "the one of the file ('b16', 'l14', 'l14-336', or a dict)")
    fitted = dict(tower)
    _check_names(fitted, own)
    changes: List[Change] = []
    if fitted[PATCH_KEY].dim() == 4:
        depth = own[PATCH_KEY].shape[2]
        fitted[PATCH_KEY] = inflate_patch_kernel(fitted[PATCH_KEY], depth,
                                                 inflation)
        changes.append(Change('inflated', PATCH_KEY, f'to {depth} frames'))
    places = fitted[POSITION_KEY]
    if places.shape != own[POSITION_KEY].shape:
        # CLIP's table is (1 + n, c), without the axis of the batch.
        fitted[POSITION_KEY] = resize_spatial_embed(places[None], grid)[0]
        changes.append(
            Change(
                'resized', POSITION_KEY, f'{tuple(places.shape)} -> '
                f'{tuple(own[POSITION_KEY].shape)}'))
    for key, value in own.items():
        if fitted[key].shape != value.shape:
            raise ValueError(f'{key} of the CLIP image tower has shape '
                             f'{tuple(fitted[key].shape)} in the checkpoint, '
                             f'{tuple(value.shape)} in the teacher')
    return fitted, changes


def _check_names(fitted: Dict[str, Tensor], own: Dict[str, Tensor]) -> None:
    """Raise ValueError if a tensor is missing or has no place."""
    missing = [k for k in own if k not in fitted]
    unknown = [k for k in fitted if k not in own]
    if missing:
        why = [f' ({_MISSING[k]})' for k in missing if k in _MISSING]
        raise ValueError('the CLIP image tower in the checkpoint lacks '
                         f'{len(missing)} tensors, such as {missing[0]}'
                         f'{"".join(why)}')
    if unknown:
        raise ValueError(f'{len(unknown)} tensors of the CLIP image tower '
                         'have no place in the teacher, such as '
                         f'{unknown[0]}')
