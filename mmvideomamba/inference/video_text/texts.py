"""Texts of a user: cleaned, checked for length, encoded, judged."""
from typing import Any, List, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import sdpa_kernel

from mmvideomamba.datasets.captions.texts import check_unicode, clean_caption
from mmvideomamba.models.multimodal.retrieval import PAIR_ATTENTION
from mmvideomamba.models.multimodal.scores import check_finite

TEXT_BATCH = 256
PAIR_BATCH = 1024
VIDEO_BATCH = 16  # videos among the pairs


class TextTooLong(ValueError):
    """A text has more tokens than the model reads.

    Args:
        text (str): The text.
        tokens (int): Tokens of the text, start and end included.
        most (int): Tokens that the model reads.
        kind (str): Name of the text. Defaults to 'text'.

    Attributes:
        tokens (int): As given.
        most (int): As given.
    """

    def __init__(self,
                 text: str,
                 tokens: int,
                 most: int,
                 kind: str = 'text') -> None:
        self.text, self.tokens, self.most = text, tokens, most
        shown = text if len(text) <= 60 else f'{text[:57]}...'
        super().__init__(
            f'the {kind} {shown!r} has {tokens} tokens, but the model reads '
            f'{most}, start and end included; shorten the {kind}, or split '
            f'the {kind} into several')


def unknown_words(model: Any, text: str) -> List[str]:
    """List the words of a text that the vocabulary of a model lacks.

    Args:
        model (VideoTextBase): The model.
        text (str): The text.

    Returns:
        list[str]: As often as in the text.
    """
    return model.tokenizer.unknown_words(clean_caption(text))


def clean_texts(model: Any,
                texts: Sequence[str],
                kind: str = 'text') -> List[str]:
    """Clean texts as captions are, and refuse bad ones.

    Args:
        model (VideoTextBase): The model.
        texts (Sequence[str]): Texts.
        kind (str): Name of a text in errors. Defaults to 'text'.

    Returns:
        list[str]: Cleaned texts, as many.

    Raises:
        TextTooLong: If the tokenizer would cut a text.
        ValueError: If a text is none, is empty, or has only words that the
            vocabulary lacks.
    """
    if isinstance(texts, str):
        raise ValueError(f'a list of texts is needed, but {texts!r} is one '
                         'text; give [TEXT]')
    found = []
    for text in texts:
        if not isinstance(text, str):
            raise ValueError(f'the {kind} {text!r} is not a text')
        check_unicode([text], f'the {kind}')
        clean = clean_caption(text)
        if not clean:
            raise ValueError(f'the {kind} {text!r} is empty, or has no word '
                             f'besides signs; write the {kind} in words')
        found.append(clean)
    most = model.tokenizer.max_length
    lengths = model.tokenizer.lengths(found) if found else []
    for text, length in zip(texts, lengths):
        if length > most:
            raise TextTooLong(text, length, most, kind)
        # Texts of [UNK] alone are equal to the model.
        # Two tokens are start and end.
        if len(unknown_words(model, text)) == length - 2:
            raise ValueError(f'the vocabulary of the model knows no word of '
                             f'the {kind} {text!r}; take other words')
    return found


def _padded(model: Any, texts: Sequence[str]) -> Tuple[Tensor, Tensor]:
    """Return ids and mask, padded to the longest text only."""
    ids, mask = model.tokenize(texts)
    longest = int(mask.sum(1).max())
    return ids[:, :longest], mask[:, :longest]


@torch.no_grad()
def embed_texts(model: Any, texts: Sequence[str]) -> np.ndarray:
    """Embed cleaned texts.

    Args:
        model (VideoTextModel): In evaluation mode.
        texts (Sequence[str]): From ``clean_texts``.

    Returns:
        np.ndarray: Unit vectors, (n, embed_dim), float32.
    """
    found = [np.zeros((0, model.text_proj.out_features + 1), np.float32)]
    for start in range(0, len(texts), TEXT_BATCH):
        ids, mask = _padded(model, texts[start:start + TEXT_BATCH])
        hidden = model.text_encoder.encode(ids, mask)
        features = model.text_proj(hidden[:, 0]).float()
        check_finite(features, 'values of embeddings')
        # A further channel of 0, (n, c) to (n, c + 1), see ``completed``.
        vectors = F.normalize(features, dim=-1)
        found.append(F.pad(vectors, (0, 1)).cpu().numpy())
    return np.concatenate(found)


@torch.no_grad()
def judge(model: Any, tokens: Any, texts: Sequence[str]) -> Tensor:
    """Judge all pairs of videos and texts.

    Args:
        model (VideoTextModel): In evaluation mode.
        tokens (np.ndarray | Tensor): Visual tokens, (n, t, c).
        texts (Sequence[str]): m cleaned texts.

    Returns:
        Tensor: Logits of no pair and pair, (n, m, 2), float32, on the CPU.
    """
    weight = model.itm_head.weight
    logits = torch.empty(len(tokens), len(texts), 2)
    for start in range(0, len(texts) if len(tokens) else 0, PAIR_BATCH):
        ids, mask = _padded(model, texts[start:start + PAIR_BATCH])
        tower, m = model.text_encoder, len(ids)
        text = tower.attend(tower.encode(ids, mask), mask)
        group = max(1, min(VIDEO_BATCH, PAIR_BATCH // m))
        for first in range(0, len(tokens), group):
            vision = torch.as_tensor(tokens[first:first + group]).to(
                weight.device, weight.dtype)
            g = len(vision)
            # Not by cuDNN, slow at each new shape, see ``PAIR_ATTENTION``.
            with sdpa_kernel(PAIR_ATTENTION):
                # Texts (g * m, l, width), a video for m texts in a row.
                found = model.match_logit(
                    text.repeat(g, 1, 1), mask.repeat(g, 1), vision, True)
            logits[first:first + g,
                   start:start + m] = found.float().cpu().view(g, m, 2)
    return check_finite(logits, 'logits of the judge')
