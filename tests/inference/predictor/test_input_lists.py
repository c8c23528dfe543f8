"""Files named by folders and lists."""
import io
import sys
from pathlib import Path

import numpy as np
import pytest

from mmvideomamba.inference.predictor.input_lists import expand_inputs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ('b.mp4', 'a b.MP4', 'in/c.avi', 'in/x.png', 'notes.md'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_folders(folder: Path) -> None:
    found = [Path(x).name for x in expand_inputs(folder)]
    assert found == ['a b.MP4', 'b.mp4', 'c.avi']
    assert [Path(x).name for x in expand_inputs(folder, True)] == ['x.png']
    with pytest.raises(ValueError, match='in holds no image') as caught:
        (folder / 'in/x.png').unlink()
        expand_inputs(folder / 'in', True)
    assert 'png' in str(caught.value)
    # A folder of images without videos is one folder of frames.
    frames = folder / 'frames'
    frames.mkdir()
    (frames / 'img_1.jpg').touch()
    assert expand_inputs(frames) == [str(frames)]


def test_lists(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are paths, from here or from the list, or annotations."""
    path = folder / 'val.txt'
    path.write_text('\ufeffa b.MP4\n\nb.mp4 3\nin/c.avi 1 2\ngone 1.mp4 7\n')
    found = expand_inputs(path)
    names = [Path(x).name for x in found]
    assert names == ['a b.MP4', 'b.mp4', 'c.avi', 'gone 1.mp4 7']
    assert all(Path(x).is_file() for x in found[:3])
    monkeypatch.setattr(sys, 'stdin', io.StringIO(f'{folder}/b.mp4\n'))
    assert expand_inputs('-') == [f'{folder}/b.mp4']
    with pytest.raises(ValueError, match='standard input lists no file'):
        expand_inputs(['-'])
    path.write_text('other.txt\n')
    with pytest.raises(ValueError, match='names another list'):
        expand_inputs(path)
    path.write_text('\n')
    with pytest.raises(ValueError, match='val.txt lists no file'):
        expand_inputs(path)
    path.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(ValueError, match='not UTF-8'):
        expand_inputs(path)
    with pytest.raises(FileNotFoundError, match='list gone.txt'):
        expand_inputs('gone.txt')


def test_others(folder: Path) -> None:
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    found = expand_inputs([frames, folder / 'b.mp4'])
    assert found[0] is frames and found[1] == str(folder / 'b.mp4')
    assert expand_inputs(frames[0], True)[0].shape == (4, 4, 3)
    with pytest.raises(ValueError, match='list is empty'):
        expand_inputs([])
