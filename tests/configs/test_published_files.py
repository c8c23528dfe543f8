"""Recipes, READMEs and metafiles name every published file."""
import re
from pathlib import Path

from host_tools import ROOT

NAMES = (Path(__file__).parent / 'published_files.txt').read_text().split()


def test_every_published_file_is_named() -> None:
    pages = [
        path.read_text() for path in (ROOT / 'configs').rglob('*')
        if path.suffix in ('.py', '.md', '.yml')
    ]
    named = set(re.findall(r'videomamba_\w+', '\n'.join(pages)))
    assert len(NAMES) == 60
    assert [name for name in NAMES if name[:-len('.pth')] not in named] == []
