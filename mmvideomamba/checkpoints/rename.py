"""Names of published files, and ours: the backbone and its head."""
import re
from typing import Dict, Iterable, List, Tuple

from torch import Tensor

from .report import Change
from .unwrap import trunk_prefixes

# Parts of published models that are not the backbone.
_FOREIGN = re.compile(r'(head|distill_head|clip_decoder|pool_norm|cls_head|'
                      r'data_preprocessor|neck\.clip_decoder|'
                      r'target_generator)\.')
_MULTIMODAL = 'vision_encoder.'
# The linear layer of a head: published, of mmpretrain, of our recognizers.
_HEAD = re.compile(r'(?:head\.fc\.|head\.|cls_head\.fc_cls\.)(weight|bias)')
CLASSIFIER_HEAD, RECOGNIZER_HEAD = 'head.fc.', 'cls_head.fc_cls.'


def strip_prefix(key: str) -> str:
    """Remove one leading ``backbone.``, else one leading ``encoder.``.

    Args:
        key (str): Name of a tensor.

    Returns:
        str: The shorter name.
    """
    for prefix in ('backbone.', 'encoder.'):
        if key.startswith(prefix):
            return key[len(prefix):]
    return key


def head_tensor(key: str) -> str:
    """Tell the tensor of a classification head by the name.

    Args:
        key (str): Name of a tensor, published or ours, with ``backbone.`` or
            without.

    Returns:
        str: 'weight', 'bias', or '' for another tensor.
    """
    found = _HEAD.fullmatch(strip_prefix(key))
    return found[1] if found else ''


def has_published_head(state_dict: Iterable[str]) -> bool:
    """Tell whether the head of a model has its published name.

    Args:
        state_dict (Iterable[str]): Names in the file.

    Returns:
        bool: Whether ``head.weight`` or ``head.bias`` is among them.
    """
    names = {strip_prefix(key) for key in state_dict}
    return not names.isdisjoint(('head.weight', 'head.bias'))


def published_head(state_dict: Iterable[str]) -> Dict[str, str]:
    """Find the classification head in the weights of a whole model.

    Args:
        state_dict (Iterable[str]): Names in the file.

    Returns:
        dict[str, str]: 'weight' and 'bias', as far as present, to the name
        in the file.
    """
    found = ((head_tensor(key), key) for key in state_dict)
    return {part: key for part, key in found if part}


def select_backbone(
        state_dict: Dict[str,
                         Tensor]) -> Tuple[Dict[str, Tensor], List[Change]]:
    """Keep the backbone's tensors of a whole model's state dict.

    Args:
        state_dict (dict[str, Tensor]): Names of an image, video,
            distillation, masked pretraining or multimodal model, or of a
            recognizer.

    Returns:
        tuple: Tensors under the backbone's own names, and the changes.
    """
    whole = any(k.startswith(_MULTIMODAL) for k in state_dict)
    prefixes = trunk_prefixes(state_dict)
    # Nothing outside of a trunk with a prefix belongs to the backbone.
    trunk = prefixes[0] if len(prefixes) == 1 else ''
    kept: Dict[str, Tensor] = {}
    changes = []
    for key, value in state_dict.items():
        inside = key.startswith(trunk) and (not whole
                                            or key.startswith(_MULTIMODAL))
        name = key[len(_MULTIMODAL):] if whole and inside else key
        name = strip_prefix(name)
        # The published multimodal files call the final norm norm.
        if name.startswith('norm.') and 'norm_f' + name[4:] not in state_dict:
            name = 'norm_f' + name[4:]
        if not inside or _FOREIGN.match(name):
            changes.append(Change('dropped', key, 'not part of the backbone'))
            continue
        if name != key:
            changes.append(Change('renamed', key, f'to {name}'))
        kept[name] = value
    return kept, changes
