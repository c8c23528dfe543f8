"""Texts of an entry: captions cleaned as in the published training."""
import reprlib
from typing import Any, List

from mmaction.datasets.msrvtt_datasets import pre_text

from mmvideomamba.json_file import RepeatedKeys

# An entry of a message may hold megabytes, or lists within lists.
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxlist = _SHORT.maxdict = 10
_SHORT.maxlevel = 3


def clean_caption(text: str) -> str:
    """Bring a caption to the form of the published training.

    Lower case, without ``, . ' ! ? " ( ) * # : ; ~``, with spaces for ``-``
    and ``/``, ``person`` for ``<person>``, single spaces.

    Args:
        text (str): A caption.

    Returns:
        str: Cleaned, perhaps empty.
    """
    return pre_text(text)


def quote(value: Any) -> str:
    """Write a value of an entry for a message.

    Args:
        value (Any): From a caption file.

    Returns:
        str: As Python writes the value, long and deep ones shortened.
    """
    return _SHORT.repr(value)


def captions_of(entry: Any, where: str) -> List[str]:
    """Read the captions of an entry, cleaned.

    Args:
        entry (Any): A dict with ``caption``, a text or a list of texts.
        where (str): Name of the entry in an error.

    Returns:
        list[str]: A text or more; none is empty.

    Raises:
        ValueError: If the key is missing or comes twice, or a caption is no
            text, no Unicode or empty.
    """
    found = strings_of(entry, 'caption', where)
    check_unicode(found, where)
    captions = [clean_caption(text) for text in found]
    if not all(captions):
        raise ValueError(f'{where} has an empty caption: {quote(found)}')
    return captions


def check_unicode(texts: List[str], where: str) -> None:
    """Refuse halves of UTF-16 pairs, which JSON can write.

    Args:
        texts (list[str]): Captions.
        where (str): Name of the entry in an error.

    Raises:
        ValueError: If there is one.
    """
    try:
        '\n'.join(texts).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f'{where} has a caption that is not Unicode text '
                         f'({error.reason}): {quote(texts)}') from error


def strings_of(entry: Any, key: str, where: str) -> List[str]:
    """Read a text or a list of texts from an entry.

    Args:
        entry (Any): Should be a dict.
        key (str): The key.
        where (str): Name of the entry in an error.

    Returns:
        list[str]: A text or more; none is empty.

    Raises:
        ValueError: If the key is missing or comes twice, a text is empty,
            or the value is neither a text nor a list.
    """
    if not isinstance(entry, dict) or key not in entry:
        keys = sorted(entry) if isinstance(entry, dict) else entry
        raise ValueError(f'{where} has no {key!r}, only {quote(keys)}')
    if isinstance(entry, RepeatedKeys) and key in entry.repeated:
        raise ValueError(f'{where} has {key!r} twice')
    found = entry[key]
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not found or not all(
            isinstance(text, str) for text in found):
        raise ValueError(f'{where} has {key!r}: {quote(entry[key])}, neither '
                         'a text nor a list of texts')
    if '' in found:
        raise ValueError(f'{where} has an empty {key}: {quote(found)}')
    return found


def one_text(entry: Any, key: str, where: str) -> str:
    """Read a single text from an entry.

    Args:
        entry (Any): Should be a dict.
        key (str): The key.
        where (str): Name of the entry in an error.

    Returns:
        str: The text.

    Raises:
        ValueError: If there is none, or several.
    """
    found = strings_of(entry, key, where)
    if len(found) > 1:
        raise ValueError(f'{where} has {len(found)} of {key!r}, not one')
    return found[0]
