"""Tests of the search for a model."""
from pathlib import Path

import pytest

from mmvideomamba.checkpoints import find_source


def test_local_paths_win(tmp_path: Path,
                         monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the name of an id is a folder."""
    (tmp_path / 'some' / 'model').mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert find_source('some/model') == Path('some/model')
    (tmp_path / 'videomamba_t16_in1k_res224.pth').touch()
    name = 'videomamba_t16_in1k_res224.pth'
    assert find_source(name) == Path(name)


@pytest.mark.parametrize('source, kind, message', [
    ('videomamba_t16_in1k_res224', ValueError, 'resolve/main/videomamba_t16'),
    ('some/model', ValueError, 'huggingface.co/some/model cannot'),
    ('absent', FileNotFoundError, 'nor an id of the Hub'),
])
def test_what_is_not_here(source: str, kind: type, message: str) -> None:
    """Without a network the error names the address."""
    with pytest.raises(kind, match=message):
        find_source(source)
