"""Names of the published multimodal files, and ours."""
import re
from typing import Callable, Dict, List, Tuple

from torch import Tensor

from .report import Change
from .unwrap import unwrap

TRUNK, DECODER = 'vision_encoder.backbone.', 'vision_encoder.neck.'
# What follows 'vision_encoder.' in a published file: ours.
_DECODER_KEY = re.compile(r'clip_decoder\.')
_OWN_PARTS = ('backbone.', 'neck.', 'pool_norm.')
# 0, 1, 2, ...: a buffer of other BERTs. A pooler is unused.
_COUNT = re.compile(r'.*\.bert\.(embeddings\.position_ids|pooler\..*)')
# Resized by modules of their own.
_FITTED = (TRUNK, 'clip_teacher.')
_TEXTS = ('text_encoder.bert.', 'text_decoder.')
# A decoder of answers reads tokens of another width than the text tower.
_MAY_START = re.compile(
    r'text_decoder\..*\.crossattention\.self\.(key|value)\.')


def own_key(key: str) -> str:
    """Translate a published name; own names stay.

    Args:
        key (str): Name of a tensor of a multimodal model.

    Returns:
        str: The name in ``VideoTextModel``.
    """
    if key.startswith('vision_encoder.'):
        name = key[len('vision_encoder.'):]
        if name.startswith(_OWN_PARTS):
            return key
        if _DECODER_KEY.match(name):
            return DECODER + name
        return TRUNK + re.sub(r'^norm\.', 'norm_f.', name)
    if key.startswith('text_encoder.'):
        name = key[len('text_encoder.'):]
        if name.startswith(('bert.', 'cls.')):
            return key
        # A file of a retrieval model, whose text encoder is a bare BERT.
        return f'text_encoder.bert.{name}'
    return key


def fit_multimodal(
    checkpoint: Dict[str, Tensor], own: Dict[str, Tensor],
    complete: Callable[[Dict[str, Tensor]], Dict[str, Tensor]]
) -> Tuple[Dict[str, Tensor], List[Change]]:
    """Translate the weights of a published multimodal file.

    Parts unknown to the model, like the teacher and the word head of a
    pretraining file, are left out.

    Args:
        checkpoint (dict[str, Tensor]): Flat or wrapped weights.
        own (dict[str, Tensor]): State dict of the model to fill.
        complete (Callable): Adds the weights missing in files of another
            model; takes and returns a state dict.

    Returns:
        tuple: Weights under the model's names, and the changes.

    Raises:
        ValueError: If a tensor has another shape than in the model, or a
            BERT other layers.
    """
    parts = {key.split('.')[0] for key in own}
    fitted: Dict[str, Tensor] = {}
    changes = []
    for key, value in complete(unwrap(checkpoint)).items():
        name = own_key(key)
        if _COUNT.fullmatch(name) and name not in own:
            continue
        absent = key.split('.')[0] not in parts or (
            name.startswith('text_encoder.cls.')
            and name not in own) or (name.startswith(DECODER)
                                     and name not in own)
        if absent:
            changes.append(Change('dropped', key, 'not part of the model'))
            continue
        if name != key:
            changes.append(Change('renamed', key, f'to {name}'))
        fitted[name] = value
    _check_fit(fitted, own)
    return fitted, changes


def _check_fit(fitted: Dict[str, Tensor], own: Dict[str, Tensor]) -> None:
    """Refuse texts of other sizes; mmengine would leave these random."""
    shapes = [
        f'{k} {tuple(v.shape)} against {tuple(own[k].shape)}'
        for k, v in fitted.items()
        if not k.startswith(_FITTED) and k in own and v.shape != own[k].shape
    ]
    texts = [
        part for part in _TEXTS if any(k.startswith(part) for k in fitted)
    ]
    missing = [
        k for part in texts for k in own
        if k.startswith(part) and k not in fitted and not _MAY_START.match(k)
    ]
    unknown = [
        k for part in texts for k in fitted
        if k.startswith(part) and k not in own
    ]
    problems = [
        f'{len(names)} {what}, such as {names[0]}'
        for what, names in (('shapes differ', shapes), ('tensors are missing',
                                                        missing),
                            ('tensors have no place', unknown)) if names
    ]
    if problems:
        raise ValueError(
            f'the file does not fit the model: {"; ".join(problems)}. Set '
            'arch, fusion_layer and encoder_width of the text_encoder, and '
            'embed_dims of the model, to those of the file')
