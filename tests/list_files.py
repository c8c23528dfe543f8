"""Small text files of a test."""
from pathlib import Path


def write(name: str, *lines: str) -> Path:
    """Write lines into a file; make the parent folders.

    Args:
        name (str): Path of the file.
        *lines (str): The lines.

    Returns:
        Path: The file.
    """
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{line}\n' for line in lines))
    return path
