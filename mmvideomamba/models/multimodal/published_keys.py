"""Names of the published multimodal files, and ours."""
import re
from typing import Any, Dict

from ..layers import Change, log_changes, unwrap

TRUNK, DECODER = 'vision_encoder.backbone.', 'vision_encoder.neck.'
# What follows 'vision_encoder.' in a published file: ours.
_DECODER_KEY = re.compile(r'clip_decoder\.')
_OWN_PARTS = ('backbone.', 'neck.', 'pool_norm.')
# 0, 1, 2, ...: not in every file of a BERT.
_COUNT = 'text_encoder.bert.embeddings.position_ids'


def own_key(key: str) -> str:
    """Translate a published name; an own one stays as it is."""
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


def adapt_keys(module: Any, state_dict: Dict[str, Any], prefix: str, *_:
               Any) -> None:
    """Translate a state dict that is about to be loaded, in place.

    Parts that the model does not have, such as the teacher and the word head
    of a pretraining file, are left out and logged.
    """
    mine = {
        key[len(prefix):]: state_dict.pop(key)
        for key in list(state_dict) if key.startswith(prefix)
    }
    own = module.state_dict()
    parts = {key.split('.')[0] for key in own}
    changes = []
    for key, value in module.complete_state(unwrap(mine)).items():
        name = own_key(key)
        absent = key.split('.')[0] not in parts or (
            name.startswith('text_encoder.cls.')
            and name not in own) or (name.startswith(DECODER)
                                     and name not in own)
        if absent:
            changes.append(Change('dropped', key, 'not part of the model'))
            continue
        if name != key:
            changes.append(Change('renamed', key, f'to {name}'))
        state_dict[prefix + name] = value
    if _COUNT in own:
        state_dict[prefix + _COUNT] = own[_COUNT]
    log_changes(changes)
