"""Reading of JSON, with the same wording for each fault."""
import json
from pathlib import Path
from typing import Any, Union


def parse_json(content: Union[str, bytes], name: str, remedy: str) -> Any:
    """Parse JSON.

    Args:
        content (str | bytes): The JSON; bytes are UTF-8, with or without a
            byte order mark.
        name (str): Name of the content in an error: kind and path, perhaps
            the entry.
        remedy (str): Advice to the user, for the error.

    Returns:
        Any: The parsed value.

    Raises:
        ValueError: If the content is no UTF-8 or no JSON; the message names
            the place of the fault.
    """
    try:
        if isinstance(content, bytes):
            content = content.decode('utf-8-sig')
        return json.loads(content)
    except UnicodeDecodeError as error:
        raise ValueError(f'{name} is no UTF-8 text (byte {error.start}); '
                         f'{remedy}') from error
    except json.JSONDecodeError as error:
        raise ValueError(f'{name} is no JSON (line {error.lineno}, column '
                         f'{error.colno}: {error.msg}); {remedy}') from error


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
        ValueError: If the file is no UTF-8 or no JSON.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{kind} {path} does not exist; {remedy}') from error
    return parse_json(content, f'{kind} {path}', remedy)
