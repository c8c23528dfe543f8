"""README and the page of the tests name what exists."""
import re

import pytest
from script import ROOT

PAGE = (ROOT / 'docs' / 'what_is_tested.md').read_text()
README = (ROOT / 'README.md').read_text()


def test_paths_exist() -> None:
    """Each path of the table is a file or a folder."""
    spans = re.findall(r'`([^`]+)`', PAGE)
    paths = [span for span in spans if re.match(r'[\w.]+/\S*$', span)]
    assert len(paths) > 60
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    'name', sorted(path.name for path in (ROOT / 'docs').glob('*.md')))
def test_readme_links_every_page(name: str) -> None:
    assert f'](docs/{name}' in README
