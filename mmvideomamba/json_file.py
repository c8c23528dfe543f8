"""Reading of JSON, with the same wording for each fault."""
import json
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Tuple, Union


class RepeatedKeys(dict):
    """A JSON object in which a key comes twice.

    Args:
        pairs (list[tuple[str, Any]]): Keys and values; the last value counts.

    Attributes:
        repeated (set[str]): The keys.
    """

    def __init__(self, pairs: List[Tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs)
        self.repeated = {key for key, count in counts.items() if count > 1}


def parse_json(content: Union[str, bytes], name: str, remedy: str) -> Any:
    """Parse JSON.

    Of a key that comes twice in a dict the last value counts, as everywhere;
    the dict is then a ``RepeatedKeys``, which tells.

    Args:
        content (str | bytes): The JSON; bytes are UTF-8, with or without a
            byte order mark.
        name (str): Name of the content in an error: kind and path, perhaps
            the entry.
        remedy (str): Advice to the user, for the error.

    Returns:
        Any: The parsed value.

    Raises:
        ValueError: If the content is not UTF-8 or not JSON, or has a number of
            thousands of digits or too many brackets within each other; the
            message names the place of the fault where Python tells.
    """
    try:
        if isinstance(content, bytes):
            # Decoded here: json.loads would guess UTF-16 and UTF-32 from
            # bytes.
            content = content.decode('utf-8-sig')
        return json.loads(content, object_pairs_hook=_dict)
    except UnicodeDecodeError as error:
        raise ValueError(f'{name} is not UTF-8 text (byte {error.start}); '
                         f'{remedy}') from error
    except json.JSONDecodeError as error:
        raise ValueError(f'{name} is not JSON (line {error.lineno}, column '
                         f'{error.colno}: {error.msg}); {remedy}') from error
    except RecursionError as error:
        raise ValueError(
            f'{name} is not usable JSON (brackets within brackets beyond the '
            f'limit of Python); {remedy}') from error
    except ValueError as error:  # such as a number of 4301 digits
        raise ValueError(
            f'{name} is not usable JSON ({error}); {remedy}') from error


def _dict(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """Build a dict from the pairs of a JSON object."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else RepeatedKeys(pairs)


def read_json(path: Union[str, Path], kind: str, remedy: str) -> Any:
    """Read a JSON file.

    Args:
        path (str | Path): The file.
        kind (str): Role of the file for the error, say 'caption file'.
        remedy (str): Advice to the user, for the error.

    Returns:
        Any: The parsed value.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not UTF-8 or not usable JSON.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{kind} {path} does not exist; {remedy}') from error
    return parse_json(content, f'{kind} {path}', remedy)
