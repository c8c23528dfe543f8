"""Paths in README and in the page of the tests exist."""
import re
from pathlib import Path
from typing import Set

from script import ROOT

PAGE = (ROOT / 'docs' / 'what_is_tested.md').read_text()


def test_paths_exist() -> None:
    """Each path of the table is a file or a folder."""
    spans = re.findall(r'`([^`]+)`', PAGE)
    paths = [span for span in spans if re.match(r'[\w.]+/\S*$', span)]
    assert len(paths) > 60
    assert [path for path in paths if not (ROOT / path).exists()] == []


def links_of(page: Path) -> Set[Path]:
    """Return the Markdown pages linked by a page."""
    found = re.findall(r'\]\(([^)#\s]+\.md)', page.read_text())
    paths = {(page.parent / link).resolve()
             for link in found if ':' not in link}
    return {path for path in paths if path.exists()}


def test_readme_reaches_every_page() -> None:
    """Directly, or over other pages."""
    seen: Set[Path] = set()
    open_ends = {ROOT / 'README.md'}
    while open_ends:
        seen |= open_ends
        open_ends = set().union(*map(links_of, open_ends)) - seen
    folders = ('docs', 'configs', 'benchmarks/results')
    pages = {page for name in folders for page in (ROOT / name).rglob('*.md')}
    assert len(pages) > 70
    assert sorted(map(str, pages - seen)) == []
