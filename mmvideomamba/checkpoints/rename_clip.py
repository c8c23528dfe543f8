"""Reading CLIP image towers of any publisher under one set of names."""
import re
from typing import Any, Dict, List, NamedTuple, Sequence

import torch
from torch import Tensor

from .report import Change
from .unwrap import unwrap

PATCH_KEY = 'conv1.weight'
POSITION_KEY = 'positional_embedding'
PROJECTION_KEY = 'proj'
_HUGGING_FACE = 'embeddings.patch_embedding.weight'
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
_TOWER = re.compile(
    r'class_embedding|positional_embedding|proj|conv1\.weight|'
    r'ln_(pre|post)\.(weight|bias)|transformer\.resblocks\.\d+\.('
    r'attn\.in_proj_(weight|bias)|'
    r'(attn\.out_proj|ln_[12]|mlp\.c_fc|mlp\.c_proj)\.(weight|bias))')
# Numbers next to the weights in archives of OpenAI; a count 0, 1, 2, ...
_HARMLESS = re.compile(r'logit_(scale|bias)|input_resolution|context_length|'
                       r'vocab_size|(.*\.)?position_ids')
_MEANINGS = (
    (r'ls_[12]\.|layer_scale', 'LayerScale'),
    (r'attn_pool|^head\.', 'attentional pooling'),
    (r'patchnorm|conv1\.bias|patch_embedding\.bias',
     'a norm or bias of the patches'),
    (r'lora_|adapter', 'an adapter: merge it into the weights first'),
    (r'(^|\.)(ln_attn|ln_inner)\.|attn\.ln|mlp\.ln|[qk]_norm|head_scale|'
     r'attn\.logit_scale', 'a further norm or scale in the blocks'),
    (r'SCB|quant|absmax|weight_scale', 'quantised weights'),
)
_OTHER_MODELS = (
    (r'visual\.trunk\.', 'a tower of timm in open_clip, such as SigLIP'),
    (r'attnpool\.|layer1\.0\.conv1', 'a ResNet of CLIP'),
    (r'(^|\.)blocks\.\d+\.attn\.',
     'a vision transformer of timm, DINO or EVA'),
    (r'patch_embeddings\.projection', "Hugging Face's ViT or DINOv2"),
    (r'^text_model\.|token_embedding\.weight', 'the text tower of CLIP'),
    (r'word_embeddings\.weight', 'a BERT'),
    (r'layers\.\d+\.mixer\.', 'a VideoMamba'),
)


class FoundTower(NamedTuple):
    """The image tower of a file.

    Args:
        tensors (dict[str, Tensor]): Under OpenAI's names, without
            ``visual.``.
        changes (list[Change]): Rows of the parts left out.
    """
    tensors: Dict[str, Tensor]
    changes: List[Change]


def _rename(name: str, table: Dict[str, str]) -> str:
    """Replace the start of a name by the table."""
    for old, new in table.items():
        if name == old or name.startswith(f'{old}.'):
            return new + name[len(old):]
    return name


def _from_hugging_face(state_dict: Dict[str, Tensor],
                       prefix: str) -> Dict[str, Tensor]:
    """Give a Hugging Face tower OpenAI's names and packed attention."""
    found: Dict[str, Tensor] = {}
    projection = re.sub(r'vision_model\.$', '', prefix) + 'visual_projection.'
    if f'{projection}weight' in state_dict:
        # A linear layer stores (out, in), OpenAI's matrix is (in, out).
        found[PROJECTION_KEY] = state_dict[f'{projection}weight'].T
    for key, value in state_dict.items():
        if not key.startswith(prefix) or key.startswith(projection):
            continue
        name = key[len(prefix):]
        block = re.match(r'encoder\.layers\.(\d+)\.(.*)', name)
        if block is None:
            found[_rename(name, _RENAMED)] = value
            continue
        stem = f'transformer.resblocks.{block[1]}.'
        part = re.fullmatch(r'self_attn\.([qkv])_proj\.(weight|bias)',
                            block[2])
        if part is None:
            found[stem + _rename(block[2], _RENAMED_IN_BLOCK)] = value
        # nn.MultiheadAttention keeps q, k and v in a single tensor: all three
        # are joined at the first.
        elif part[1] == 'q':
            names = [key.replace('q_proj', f'{p}_proj') for p in 'qkv']
            lost = [name for name in names if name not in state_dict]
            if lost:
                raise ValueError(f'the image tower in the checkpoint has {key}'
                                 f' but not {lost[0]}: it is not one of CLIP')
            found[f'{stem}attn.in_proj_{part[2]}'] = torch.cat(
                [state_dict[name] for name in names])
    return found


def _prefixes(names: Sequence[str], key: str) -> List[str]:
    """Return the prefixes before a name."""
    return [k[:-len(key)] for k in names if f'.{k}'.endswith(f'.{key}')]


def _choose(prefixes: List[str]) -> str:
    """Refuse several towers in one file."""
    if len(prefixes) > 1:
        raise ValueError(
            'the checkpoint holds several image towers of CLIP, at '
            f'{prefixes}; set prefix of the init_cfg to one of them')
    return prefixes[0]


def _no_tower(names: Sequence[str]) -> ValueError:
    """Name the model of a file without an image tower."""
    looks = [
        model for pattern, model in _OTHER_MODELS if any(
            re.search(pattern, name) for name in names)
    ]
    seen = f'it looks like {looks[0]}; ' if looks else ''
    return ValueError(
        'the checkpoint holds no image tower of CLIP as a vision transformer: '
        f'there is no {PATCH_KEY} next to a {POSITION_KEY} in it ({seen}its '
        f'first key is {next(iter(names), "nothing")!r}). Expected are the '
        'files of OpenAI, open_clip or Hugging Face')


def _meaning(name: str) -> str:
    """Name the part of a tensor unknown to the tower."""
    found = [text for pattern, text in _MEANINGS if re.search(pattern, name)]
    return f'{name} ({found[0]})' if found else name


def _check_names(tower: Dict[str, Tensor]) -> None:
    """Refuse a tower with unknown parts, or without a projection."""
    unknown = [k for k in tower if not _TOWER.fullmatch(k)]
    kinds: Dict[str, str] = {}
    for name in unknown:
        # A part that each block has is named once.
        kinds.setdefault(re.sub(r'\.\d+\.', '.*.', name), name)
    if unknown:
        named = ', '.join(_meaning(name) for name in list(kinds)[:6])
        bare = '' if 'class_embedding' in tower else (
            '; there is no class token either, as in SigLIP')
        raise ValueError(
            f'the image tower in the checkpoint has {len(unknown)} tensors '
            f'unknown to a CLIPTower: {named}{bare}. It is another '
            'model than the CLIP of OpenAI; take a file without these')
    integers = [k for k, v in tower.items() if not v.is_floating_point()]
    if integers:
        raise ValueError(f'{integers[0]} of the image tower is '
                         f'{tower[integers[0]].dtype}, as in quantised files; '
                         'take a file of floating-point weights')
    if PROJECTION_KEY not in tower:
        raise ValueError(
            'the image tower of CLIP in the checkpoint lacks its projection '
            f'({PROJECTION_KEY}, in files of Hugging Face '
            'visual_projection.weight), as CLIPVisionModel saves it; save a '
            'CLIPModel or a CLIPVisionModelWithProjection instead')


def _left_out(outside: List[str]) -> List[Change]:
    """Report the other parts of a file in a row."""
    parts = list(dict.fromkeys(key.split('.')[0] for key in outside))
    if not parts:
        return []
    more = ', ...' if len(parts) > 8 else ''
    return [
        Change('dropped', f'{len(outside)} tensors',
               f'besides the image tower: {", ".join(parts[:8])}{more}')
    ]


def find_clip_tower(checkpoint: Dict[str, Any]) -> FoundTower:
    """Find the image tower in a CLIP checkpoint.

    A tensor of the tower unknown to OpenAI's CLIP is an error; other parts
    of the file are reported.

    Args:
        checkpoint (dict): What a file of OpenAI, open_clip or Hugging Face
            holds, whole or the image tower alone; of a published multimodal
            VideoMamba, the teacher; or a state dict of ours.

    Returns:
        FoundTower: Tensors and report.

    Raises:
        ValueError: If the file holds no image tower of CLIP, a part alone,
            or a tower of another design.
    """
    state_dict = unwrap(checkpoint)
    prefixes = _prefixes(list(state_dict), _HUGGING_FACE)
    if prefixes:
        prefix = _choose(prefixes)
        tower = _from_hugging_face(state_dict, prefix)
        projection = re.sub(r'vision_model\.$', '', prefix) + 'visual_proj'
    else:
        prefixes = [
            p for p in _prefixes(list(state_dict), PATCH_KEY)
            if p + POSITION_KEY in state_dict
        ]
        if not prefixes:
            raise _no_tower(list(state_dict))
        prefix = projection = _choose(prefixes)
        tower = {
            k[len(prefix):]: v
            for k, v in state_dict.items() if k.startswith(prefix)
        }
    tower = {k: v for k, v in tower.items() if not _HARMLESS.fullmatch(k)}
    if POSITION_KEY not in tower:
        raise _no_tower(list(state_dict))
    _check_names(tower)
    outside = [k for k in state_dict if not k.startswith((prefix, projection))]
    return FoundTower(tower, _left_out(outside))


def read_clip_tower(checkpoint: Dict[str, Any]) -> Dict[str, Tensor]:
    """Return the tensors of ``find_clip_tower`` alone.

    Args:
        checkpoint (dict): As there.

    Returns:
        dict[str, Tensor]: The tower under OpenAI's names, without
        ``visual.``.

    Raises:
        ValueError: As there.
    """
    return find_clip_tower(checkpoint).tensors
