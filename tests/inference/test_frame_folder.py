"""Folders of frames: names found, gaps refused."""
from pathlib import Path
from typing import Any, Callable

import pytest

from mmvideomamba.datasets.video import MediaError
from mmvideomamba.inference.frame_folder import find_frames


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., str]:
    """Return a function to make empty files in a folder."""

    def make(*names: str) -> str:
        for name in names:
            (tmp_path / name).touch()
        return str(tmp_path)

    return make


@pytest.mark.parametrize('template, first', [
    ('img_{:05}.jpg', 1),
    ('img_{:05}.jpg', 0),
    ('{:01}.PNG', 8),
    ('v1 {{a}}-{:02}.jpeg', 98),
])
def test_names_are_found(folder: Any, template: str, first: int) -> None:
    path = folder('notes.txt',
                  *(template.format(i) for i in range(first, first + 5)))
    assert find_frames(path) == dict(
        filename_tmpl=template,
        start_index=first,
        total_frames=5,
        modality='RGB')


def test_given_names(folder: Any) -> None:
    names = [f'{kind}_{i:03}.png' for kind in 'ab' for i in range(4)]
    found = find_frames(folder(*names), 'b_{:03}.png', 2)
    assert (found['start_index'], found['total_frames']) == (2, 2)


def test_optical_flow(folder: Any) -> None:
    names = [f'{kind}_{i:05}.jpg' for kind in 'xy' for i in range(1, 4)]
    found = find_frames(folder(*names), '{}_{:05}.jpg', modality='Flow')
    assert (found['total_frames'], found['modality']) == (3, 'Flow')


@pytest.mark.parametrize('names, arguments, text', [
    ((), (), 'holds neither videos nor frames. Name the frames'),
    (('a.txt', 'cover.jpg'), (), 'holds neither videos nor frames'),
    (('a1.jpg', 'b1.jpg'),
     (), 'holds images named in several ways: aN.jpg, bN.jpg'),
    (('a1.jpg', 'a2.png'),
     (), 'holds images named in several ways: aN.jpg, aN.png'),
    (('1.jpg', '2.jpg', '5.jpg'), (), 'lacks 2 of the frames 1 to 5, the '
     'first of them 3'),
    (('1.jpg', '2.jpg'), ('img_{:05}.jpg', ), 'holds no frames img_'),
    (('1.jpg', '2.jpg'), (None, 0), 'lacks 1 of the frames 0 to 2'),
    (('1.jpg', '2.jpg'), (None, 3), 'holds no frame from number 3 on'),
])
def test_faults(folder: Any, names: tuple, arguments: tuple,
                text: str) -> None:
    path = folder(*names)
    with pytest.raises(MediaError, match=f'folder {path} {text}'):
        find_frames(path, *arguments)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match='gone cannot be listed'):
        find_frames(str(tmp_path / 'gone'))
