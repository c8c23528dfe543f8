"""Texts made equal by a tokenizer, for no model to tell apart."""
import logging
from typing import Dict, Hashable, List, Optional, Sequence, Set, Tuple

from mmengine.logging import print_log

from .tokenizer import TextTokenizer

MAX_SHOWN = 5  # groups listed in a message
_SAID: Set[str] = set()


def equal_groups(
        tokenizer: TextTokenizer,
        texts: Sequence[str],
        owners: Optional[Sequence[Hashable]] = None) -> List[List[str]]:
    """Find texts of equal tokens.

    Args:
        tokenizer (TextTokenizer): Cuts long texts.
        texts (Sequence[str]): Any number of texts.
        owners (Sequence[Hashable], optional): Whose text each is; texts of
            the same owner may be equal. Defaults to None: equal texts have
            the same owner.

    Returns:
        list[list[str]]: Groups of a text of each of two owners or more, in
        the order of the texts.
    """
    groups: Dict[Tuple[int, ...], Dict[Hashable, str]] = {}
    if texts:
        owners = texts if owners is None else owners
        rows = tokenizer(texts).ids.tolist()
        for text, owner, row in zip(texts, owners, rows):
            groups.setdefault(tuple(row), {}).setdefault(owner, text)
    return [
        list(group.values()) for group in groups.values() if len(group) > 1
    ]


def report_equal(tokenizer: TextTokenizer,
                 texts: Sequence[str],
                 kind: str,
                 remedy: str,
                 owners: Optional[Sequence[Hashable]] = None) -> int:
    """Warn of texts of equal tokens, once in the same words.

    Args:
        tokenizer (TextTokenizer): Cuts long texts.
        texts (Sequence[str]): Any number of texts.
        kind (str): Plural of what the texts are.
        remedy (str): Advice to the user; the last sentence.
        owners (Sequence[Hashable], optional): See ``equal_groups``. Defaults
            to None.

    Returns:
        int: Number of texts in the groups of ``equal_groups``.
    """
    groups = equal_groups(tokenizer, texts, owners)
    count = sum(map(len, groups))
    if groups:
        lines = [
            '  ' + ' = '.join(map(repr, group)) for group in groups[:MAX_SHOWN]
        ]
        if len(groups) > MAX_SHOWN:
            lines.append(f'  and {len(groups) - MAX_SHOWN} more groups')
        message = '\n'.join([
            f'{count} of {len(set(texts))} {kind} have the same tokens as '
            f'another one, at most {tokenizer.max_length} of a text; the '
            'model cannot tell them apart:', *lines, remedy
        ])
        if message not in _SAID:
            _SAID.add(message)
            print_log(message, 'current', logging.WARNING)
    return count
