"""A digest of all that embeddings depend on."""
import hashlib
import json
from typing import Any

from mmvideomamba.checkpoints import to_json

# Weights used by embeddings, judge and answers; the word head of a pretraining
# and the temperature change none.
_WEIGHTS = ('vision_encoder.', 'text_encoder.bert.', 'vision_proj.',
            'text_proj.', 'itm_head.', 'text_decoder.')
_INPUT = ('frames', 'height', 'width', 'channels', 'mean', 'std')
VERSION = 1  # of the embeddings that the package makes of the same model


def fingerprint(model: Any) -> str:
    """Return a digest of weights, sampling, pixels and tokenizer.

    A checkpoint and the folder saved from it have the same.

    Args:
        model (VideoTextBase): From ``mmvideomamba.load``.

    Returns:
        str: 32 hex digits.

    Raises:
        ValueError: If the vocabulary is missing.
    """
    about, tokenizer = model.description, model.tokenizer
    sampling = about['sampling']
    if not sampling or sampling['kind'] == 'unknown':
        # 'unknown' would be equal for all pipelines beyond the rules.
        sampling = to_json(model.pipeline.read.original, 'test_pipeline')
    values = dict(
        version=VERSION,
        input={key: about['input'][key]
               for key in _INPUT},
        sampling=sampling,
        pooling=[
            model.vision_encoder.pool_type, model.vision_encoder.keep_temporal
        ],
        max_length=tokenizer.max_length,
        options=tokenizer.options(),
        vocabulary=sorted(tokenizer.word_pieces.get_vocab().items()))
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps(values, sort_keys=True).encode())
    # The order of the tensors in a file does not count.
    for name, value in sorted(model.state_dict().items()):
        if name.startswith(_WEIGHTS):
            digest.update(f'{name} {tuple(value.shape)}'.encode())
            array = value.detach().float().cpu().contiguous().numpy()
            digest.update(array.tobytes())
    return digest.hexdigest()
