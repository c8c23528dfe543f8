"""Refusing models with a class token between the patches.

Vision Mamba (Vim) has the same names and shapes as an image model of
VideoMamba, but puts the class token between the patches, and halves the sum
of the directions. Weights of Vim would load without a complaint and mean
nothing.

The position table tells the two apart. The class token and the entry of the
class token in the table are added, so both get the same gradient in every
step and grow alike; no other entry does. The entry most like the class token
marks the place of the class token.
"""
import math
import re
from typing import Any, Iterator, List, Mapping, Optional

from torch import Tensor

_VIM = re.compile(r'midcls|middle_?cls|(^|[^a-z])vim_', re.IGNORECASE)
# By chance, a patch of a model of 16 channels exceeds the limit once in ten
# million, and in a wider one still less often; narrower ones are not judged.
_SIGMAS = 6.
_LEAST_CHANNELS = 16
_LEAST_CORRELATION = 0.5


def class_token_place(embed: Tensor, cls_token: Tensor) -> Optional[int]:
    """Find the entry of a position table that was trained with a class token.

    Args:
        embed (Tensor): Position table, shape (1, 1 + n, c).
        cls_token (Tensor): Shape (1, 1, c).

    Returns:
        int, optional: The entry, or None if no entry stands out, as after a
        very short training.
    """
    if embed.dim() != 3 or cls_token.shape[-1] != embed.shape[-1]:
        return None
    rows, token = embed[0].double(), cls_token.flatten().double()
    channels = rows.shape[1]
    if (embed.is_meta or token.is_meta or channels < _LEAST_CHANNELS
            or token.numel() != channels):
        return None
    rows = rows - rows.mean(1, keepdim=True)
    token = token - token.mean()
    norms = rows.norm(dim=1) * token.norm()
    correlation = (rows @ token) / norms.clamp_min(1e-30)  # (1 + n, )
    # Fisher's transform: atanh of a correlation by chance is about normal,
    # with the deviation 1 / sqrt(channels - 3).
    limit = max(_LEAST_CORRELATION,
                math.tanh(_SIGMAS / math.sqrt(channels - 3)))
    if not correlation.isfinite().all() or correlation.max() < limit:
        return None
    # In doubt, the place of VideoMamba.
    return 0 if correlation[0] >= limit else int(correlation.argmax())


def check_class_token(state_dict: Mapping[str, Tensor]) -> None:
    """Refuse weights with a class token that is not the first token.

    Args:
        state_dict (Mapping[str, Tensor]): Under the backbone's names.

    Raises:
        ValueError: If there are two class tokens, or a single token between
            the patches.
    """
    if 'cls_token_head' in state_dict or 'cls_token_tail' in state_dict:
        raise ValueError(
            'the checkpoint has a class token at both ends, as some models '
            f'of Vision Mamba (Vim); {_REMEDY}')
    embed, token = (state_dict.get(k) for k in ('pos_embed', 'cls_token'))
    if embed is None or token is None:
        return
    place = class_token_place(embed, token)
    if place:
        raise ValueError(
            f'the class token of the checkpoint is token {place} of '
            f'{embed.shape[1]}, in the middle of the patches, as in Vision '
            f'Mamba (Vim); {_REMEDY}')


_REMEDY = ('VideoMamba puts it first, and would load these weights without '
           'meaning; take a file of VideoMamba')


def _model_names(checkpoint: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of models in the settings of a file."""
    places: List[Any] = [checkpoint]
    places += [checkpoint.get(k) for k in ('args', 'hyper_parameters')]
    for place in places:
        if hasattr(place, '__dict__'):  # an argparse.Namespace
            place = vars(place)
        if isinstance(place, Mapping):
            names = (place.get(k) for k in ('model', 'arch', 'model_name'))
            yield from (name for name in names if isinstance(name, str))


def check_settings(checkpoint: Mapping[str, Any]) -> None:
    """Refuse a file whose settings name a model of Vision Mamba.

    Args:
        checkpoint (Mapping): Content of the file: ``args``, ``arch`` or
            ``hyper_parameters`` next to the weights.

    Raises:
        ValueError: If a name in the settings is of Vision Mamba.
    """
    for name in _model_names(checkpoint):
        if _VIM.search(name) and 'videomamba' not in name.lower():
            raise ValueError(
                f'the settings in the checkpoint name the model {name!r}, of '
                'Vision Mamba (Vim), whose class token stands in the middle '
                f'of the patches; {_REMEDY}')
