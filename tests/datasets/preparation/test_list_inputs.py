"""Lists of a command line."""
from pathlib import Path

import pytest

from mmvideomamba.datasets.preparation.list_inputs import read_inputs


def test_files_and_folders(tmp_path: Path) -> None:
    for name in ('train', 'val', 'notes'):
        (tmp_path / f'{name}.txt').write_text('a.mp4 0\n')
    found = read_inputs([tmp_path, tmp_path / 'notes.txt'])
    assert [Path(m.path).stem for m in found] == ['train', 'val', 'notes']
    with pytest.raises(ValueError, match='given twice'):
        read_inputs([tmp_path, tmp_path / 'val.txt'])
    with pytest.raises(ValueError, match='--root .*gone does not exist'):
        read_inputs([tmp_path], tmp_path / 'gone')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='neither lists'):
        read_inputs([tmp_path / 'empty'])
