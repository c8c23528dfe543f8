"""Texts made equal by a tokenizer, for no model to tell apart."""
import logging
from typing import Dict, Hashable, List, Optional, Sequence, Tuple

from torch import Tensor

from .log_once import log_once

MAX_SHOWN = 5  # groups listed in a message


def equal_groups(
        texts: Sequence[str],
        ids: Tensor,
        owners: Optional[Sequence[Hashable]] = None) -> List[List[int]]:
    """Find texts of equal tokens.

    Args:
        texts (Sequence[str]): n texts.
        ids (Tensor): Tokens, int64, shape (n, l).
        owners (Sequence[Hashable], optional): Whose text each is; texts of
            the same owner may be equal. Defaults to None: equal texts have
            the same owner.

    Returns:
        list[list[int]]: Groups of positions, a text of each of two owners
        or more, in the order of the texts.
    """
    groups: Dict[Tuple[int, ...], Dict[Hashable, int]] = {}
    owners = texts if owners is None else owners
    for i, (owner, row) in enumerate(zip(owners, ids.tolist())):
        groups.setdefault(tuple(row), {}).setdefault(owner, i)
    return [
        list(group.values()) for group in groups.values() if len(group) > 1
    ]


def report_equal(texts: Sequence[str], groups: Sequence[Sequence[int]],
                 kind: str, remedy: str) -> None:
    """Warn of texts of equal tokens, once in the same words.

    Args:
        texts (Sequence[str]): All texts.
        groups (Sequence[Sequence[int]]): From ``equal_groups``.
        kind (str): Plural of the texts, for the message.
        remedy (str): Advice to the user; the last sentence.
    """
    if not groups:
        return
    lines = [
        '  ' + ' = '.join(repr(texts[i]) for i in group)
        for group in groups[:MAX_SHOWN]
    ]
    if len(groups) > MAX_SHOWN:
        lines.append(f'  and {len(groups) - MAX_SHOWN} more groups')
    message = '\n'.join([
        f'{sum(map(len, groups))} of {len(texts)} {kind} have the same tokens '
        'as another one, cut or spelt alike; the model cannot tell them '
        'apart:', *lines, remedy
    ])
    log_once(message, logging.WARNING)
