"""Reading CLIP image towers of any publisher under one set of names."""
import re
from typing import Any, Dict, List, Tuple

import torch
from torch import Tensor

from .report import Change
from .resize import inflate_patch_kernel, resize_spatial_embed
from .unwrap import unwrap

PATCH_KEY = 'conv1.weight'
POSITION_KEY = 'positional_embedding'
PROJECTION_KEY = 'proj'
_HUGGING_FACE = 'vision_model.'
_RENAMED = {
    'embeddings.class_embedding': 'class_embedding',
    'embeddings.patch_embedding.weight': PATCH_KEY,
    'embeddings.position_embedding.weight': POSITION_KEY,
    # The first spelling is that of the published files.
    'pre_layrnorm': 'ln_pre',
    'pre_layernorm': 'ln_pre',
    'post_layernorm': 'ln_post',
}
_RENAMED_IN_BLOCK = {
    'self_attn.out_proj': 'attn.out_proj',
    'layer_norm1': 'ln_1',
    'layer_norm2': 'ln_2',
    'mlp.fc1': 'mlp.c_fc',
    'mlp.fc2': 'mlp.c_proj',
}


def _rename(name: str, table: Dict[str, str]) -> str:
    """Replace the start of a name by the table."""
    for old, new in table.items():
        if name == old or name.startswith(f'{old}.'):
            return new + name[len(old):]
    return name


def _from_hugging_face(state_dict: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Give a Hugging Face tower OpenAI's names and packed attention."""
    found: Dict[str, Tensor] = {}
    for key, value in state_dict.items():
        if key == 'visual_projection.weight':
            found[PROJECTION_KEY] = value.T
        if not key.startswith(_HUGGING_FACE) or key.endswith('position_ids'):
            continue
        name = key[len(_HUGGING_FACE):]
        block = re.match(r'encoder\.layers\.(\d+)\.(.*)', name)
        if block is None:
            found[_rename(name, _RENAMED)] = value
            continue
        stem = f'transformer.resblocks.{block[1]}.'
        part = re.match(r'self_attn\.q_proj\.(weight|bias)', block[2])
        if part is not None:
            packed = [
                state_dict[key.replace('q_proj', f'{p}_proj')] for p in 'qkv'
            ]
            found[f'{stem}attn.in_proj_{part[1]}'] = torch.cat(packed)
        elif not re.match(r'self_attn\.[kv]_proj', block[2]):
            found[stem + _rename(block[2], _RENAMED_IN_BLOCK)] = value
    return found


def _below_patch_key(state_dict: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Keep what lies beside the patch kernel, whatever stands before it.

    That is ``visual.`` in files of OpenAI and open_clip, ``clip_teacher.`` in
    published multimodal ones.
    """
    prefixes = [
        k[:-len(PATCH_KEY)] for k in state_dict
        if k == PATCH_KEY or k.endswith(f'.{PATCH_KEY}')
    ]
    prefix = min(prefixes, key=len, default='')
    return {
        k[len(prefix):]: v
        for k, v in state_dict.items() if k.startswith(prefix)
    }


def read_clip_tower(checkpoint: Dict[str, Any]) -> Dict[str, Tensor]:
    """Find the image tower in a CLIP checkpoint.

    Args:
        checkpoint (dict): What a file of OpenAI, open_clip or Hugging Face
            holds, whole or the image tower alone; of a published multimodal
            VideoMamba, the teacher; or a state dict of ours.

    Returns:
        dict[str, Tensor]: The tower under OpenAI's names, without
        ``visual.``.

    Raises:
        ValueError: If there is no image tower of CLIP in it, or a part of it.
    """
    state_dict = unwrap(checkpoint)
    if any(k.startswith(_HUGGING_FACE) for k in state_dict):
        tower = _from_hugging_face(state_dict)
    else:
        tower = _below_patch_key(state_dict)
    if PATCH_KEY not in tower or POSITION_KEY not in tower:
        first = next(iter(state_dict), 'nothing')
        raise ValueError(
            'the checkpoint holds no image tower of CLIP as a vision '
            f'transformer: there is no {PATCH_KEY} in it (its first key is '
            f'{first!r}). Expected are the files of OpenAI, open_clip or '
            'Hugging Face')
    if PROJECTION_KEY not in tower:
        raise ValueError(
            'the image tower of CLIP in the checkpoint lacks its projection '
            f'({PROJECTION_KEY}, in files of Hugging Face '
            'visual_projection.weight), as CLIPVisionModel saves it; save a '
            'CLIPModel or a CLIPVisionModelWithProjection instead')
    return tower


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
        grid (tuple[int, int]): Its rows and columns of patches.
        inflation (str): Mode of ``inflate_patch_kernel``. Defaults to
            'center'.

    Returns:
        tuple: Tensors for the teacher, and what was changed.

    Raises:
        ValueError: If the tower is one of another architecture.
    """
    found, wanted = describe_tower(tower), describe_tower(own)
    if found != wanted:
        raise ValueError(
            f'the checkpoint holds a CLIP image tower of {found}, but the '
            f'teacher is built with {wanted}; set `arch` of the teacher to '
            "the one of the file ('b16', 'l14', 'l14-336', or a dict)")
    fitted = {k: v for k, v in tower.items() if k in own}
    changes = [
        Change('dropped', k, 'not part of the image tower') for k in tower
        if k not in own
    ]
    if fitted[PATCH_KEY].dim() == 4:
        depth = own[PATCH_KEY].shape[2]
        fitted[PATCH_KEY] = inflate_patch_kernel(fitted[PATCH_KEY], depth,
                                                 inflation)
        changes.append(Change('inflated', PATCH_KEY, f'to {depth} frames'))
    places = fitted[POSITION_KEY]
    if places.shape != own[POSITION_KEY].shape:
        fitted[POSITION_KEY] = resize_spatial_embed(places[None], grid)[0]
        changes.append(
            Change(
                'resized', POSITION_KEY, f'{tuple(places.shape)} -> '
                f'{tuple(own[POSITION_KEY].shape)}'))
    _check(fitted, own)
    return fitted, changes


def _check(fitted: Dict[str, Tensor], own: Dict[str, Tensor]) -> None:
    """Raise ValueError if a tensor is missing or of another shape."""
    missing = [k for k in own if k not in fitted]
    if missing:
        raise ValueError(f'the CLIP image tower in the checkpoint lacks '
                         f'{len(missing)} tensors, such as {missing[0]}')
    for key, value in own.items():
        if fitted[key].shape != value.shape:
            raise ValueError(f'{key} of the CLIP image tower has shape '
                             f'{tuple(fitted[key].shape)} in the checkpoint, '
                             f'{tuple(value.shape)} in the teacher')
