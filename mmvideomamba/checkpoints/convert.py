"""Turning any VideoMamba file into a checkpoint of a host's model.

Tensors are renamed or left out, never changed: position tables and patch
kernels are fitted when a model loads the result.
"""
import re
from typing import Any, Dict, List, Mapping, Tuple

from torch import Tensor

from .class_token import check_class_token, check_settings
from .rename import (CLASSIFIER_HEAD, RECOGNIZER_HEAD, head_tensor,
                     select_backbone, strip_prefix)
from .report import Change
from .unwrap import unwrap

# Names of the two tensors of the published head, by the kind of model.
HEADS = dict(
    recognizer=RECOGNIZER_HEAD,
    classifier=CLASSIFIER_HEAD,
    distilled=CLASSIFIER_HEAD,
    backbone='')

_BACKBONE = re.compile(r'cls_token|pos_embed|temporal_pos_embedding|'
                       r'patch_embed\.proj\.(weight|bias)|'
                       r'norm_f\.(weight|bias)|'
                       r'layers\.\d+\.(norm\.(weight|bias)|mixer\..+)')
_NEEDED = ('cls_token', 'pos_embed', 'patch_embed.proj.weight',
           'layers.0.mixer.A_log', 'layers.0.mixer.in_proj.weight')


def _check(weights: Dict[str, Tensor]) -> None:
    """Raise ValueError for tensors of another model."""
    check_class_token(weights)
    missing = [name for name in _NEEDED if name not in weights]
    unknown = [name for name in weights if not _BACKBONE.fullmatch(name)]
    if missing or unknown:
        problems = []
        if missing:
            problems.append(f'it lacks {", ".join(missing)}')
        if unknown:
            problems.append(f'{len(unknown)} of its tensors are unknown, '
                            f'such as {unknown[0]}')
        raise ValueError(f'this is not a VideoMamba file: '
                         f'{"; ".join(problems)}')


def _row(old: str, new: str) -> Change:
    if old == new:
        return Change('kept', old, '')
    return Change('renamed', old, f'to {new}')


def convert(checkpoint: Mapping[str, Any],
            task: str,
            ema: bool = False) -> Tuple[Dict[str, Tensor], List[Change]]:
    """Rename the tensors of a file.

    Args:
        checkpoint (Mapping): Image, distilled, masked-pretrained, fine-tuned
            or multimodal weights, flat or wrapped.
        task (str): 'recognizer' or 'classifier' keep the head under the name
            in mmaction2's or mmpretrain's model; 'distilled' keeps the head
            of the distillation as well; 'backbone' drops both.
        ema (bool): Whether to take the EMA weights of the file. Defaults to
            False.

    Returns:
        tuple: State dict, and a row for each tensor.

    Raises:
        ValueError: If the weights are not of a VideoMamba, or the file leaves
            a choice of weights.
    """
    check_settings(checkpoint)
    weights = unwrap(checkpoint, ema)
    kept, changes = select_backbone(weights)
    _check(kept)
    dropped = {c.key: c for c in changes if c.action == 'dropped'}
    sources = [key for key in weights if key not in dropped]
    # A tensor of the same name would replace another without a word.
    if len(sources) != len(kept):
        raise ValueError('several tensors of the file have the same name '
                         'once prefixes are removed')
    state_dict = {f'backbone.{name}': value for name, value in kept.items()}
    names = dict(zip(sources, state_dict))
    if HEADS[task]:
        for key in dropped:
            name = strip_prefix(key)
            part = head_tensor(key)
            if part:
                names[key] = HEADS[task] + part
                state_dict[names[key]] = weights[key]
            elif task == 'distilled' and name.startswith('distill_head.'):
                names[key] = name
                state_dict[name] = weights[key]
    if task == 'distilled' and 'distill_head.1.weight' not in state_dict:
        raise ValueError('the file has no distill_head; it is not one of a '
                         'distilled model, convert it for a classifier')
    rows = [
        _row(key, names[key]) if key in names else dropped[key]
        for key in weights
    ]
    if HEADS[task] and HEADS[task] + 'weight' not in state_dict:
        rows.append(
            Change('missing', HEADS[task] + '*',
                   'no head in the file; it starts fresh'))
    return state_dict, rows
