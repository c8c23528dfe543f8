"""Fixtures of the caption files."""
from pathlib import Path

import pytest
from caption_files import write_formats


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the same three pairs in every format."""
    write_formats(tmp_path)
    return tmp_path
