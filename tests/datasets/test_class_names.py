"""A byte order mark and blank lines shift no label."""
from pathlib import Path

import pytest

from mmvideomamba.datasets import CheckedVideoDataset
from mmvideomamba.datasets.class_names import read_class_names

CONTENT = '\ufeffrun\r\n\r\n jump high \n\nwalk\n\n'.encode()


def test_names_without_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / 'classes.txt'
    path.write_bytes(CONTENT)
    assert read_class_names(path) == ['run', 'jump high', 'walk']


@pytest.mark.parametrize('content, text', [(b'\xef\xbb\xbf\n \n', 'no class'),
                                           (b'caf\xe9\n', 'not UTF-8')])
def test_unusable_file_is_named(tmp_path: Path, content: bytes,
                                text: str) -> None:
    path = tmp_path / 'classes.txt'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'classes.txt .*{text}'):
        read_class_names(path)


def test_data_set_reads_the_same_names(tmp_path: Path) -> None:
    for name in ('a.mp4', 'list.txt', 'classes.txt'):
        (tmp_path / name).touch()
    (tmp_path / 'list.txt').write_text('a.mp4 2\n')
    (tmp_path / 'classes.txt').write_bytes(CONTENT)
    data = CheckedVideoDataset(
        str(tmp_path / 'list.txt'), [],
        data_prefix=dict(video=str(tmp_path)),
        num_classes=3,
        metainfo=dict(classes=str(tmp_path / 'classes.txt')))
    assert data.metainfo['classes'] == ['run', 'jump high', 'walk']
