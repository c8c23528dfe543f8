"""Files of features are complete, and of one kind."""
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmvideomamba.inference.predictor import Features
from mmvideomamba.inference.predictor.feature_files import (FeatureFolder,
                                                            file_names,
                                                            weights_digest,
                                                            write_table)


def test_names() -> None:
    assert file_names(['/v/a/x.mp4', '/v/b/x.mp4']) == ['a/x', 'b/x']
    assert file_names(['/v/x.y.mp4']) == ['x.y']
    assert file_names(['a.mp4', 'b.mp4', 'a.mp4']) == ['a', 'b', 'a']
    with pytest.raises(ValueError, match='x.mp4 and /v/x.avi would both'):
        file_names(['/v/x.mp4', '/v/x.avi'])


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    """Return a folder with features of two videos."""
    folder = FeatureFolder(tmp_path / 'out', dict(level='window'))
    for i, name in enumerate(('a', 'in/b')):
        video = tmp_path / f'{i}.mp4'
        video.write_bytes(b'x' * i)
        rows = np.arange(6, dtype=np.float32).reshape(3, 2) + i
        spans = np.array([[0, 4], [4, 8], [8, 10]])
        one = Features(str(video), rows, spans, 10. if i else None, 10)
        folder.save(name, one, dict(feature_stride=4))
    return folder


def test_files(saved: FeatureFolder, tmp_path: Path) -> None:
    features, values = saved.read('in/b')
    assert features.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert features.dtype == np.float32
    assert values['times'] == [[0, .4], [.4, .8], [.8, 1]]
    assert values['duration'] == 1 and values['feature_stride'] == 4
    assert saved.read('a')[1]['times'] is None


def test_done(saved: FeatureFolder, tmp_path: Path) -> None:
    """Files of another or a changed video, and half of a pair, do not do."""
    video = tmp_path / '1.mp4'
    assert saved.is_done('in/b', str(video))
    assert not saved.is_done('in/b', str(tmp_path / '0.mp4'))
    video.write_bytes(b'another')
    assert not saved.is_done('in/b', str(video))
    saved.paths('a')[0].unlink()
    assert not saved.is_done('a', str(tmp_path / '0.mp4'))


def test_settings(saved: FeatureFolder) -> None:
    FeatureFolder(saved.folder, dict(level='window'))
    with pytest.raises(ValueError, match="level 'window' and not 'clip'"):
        FeatureFolder(saved.folder, dict(level='clip'))


def test_npz(saved: FeatureFolder, tmp_path: Path) -> None:
    path = tmp_path / 'x.npz'
    write_table(path, saved, ['a', 'in/b'])
    with np.load(path) as file:
        assert sorted(file) == ['a', 'in/b', 'in/b.times']
        assert file['in/b'].tolist() == [[1, 2], [3, 4], [5, 6]]
        assert file['in/b.times'].shape == (3, 2)


def test_parquet(saved: FeatureFolder, tmp_path: Path) -> None:
    parquet: Any = pytest.importorskip('pyarrow.parquet')
    path = tmp_path / 'x.parquet'
    write_table(path, saved, ['a', 'in/b'])
    rows = parquet.read_table(path).to_pylist()
    assert len(rows) == 6 and rows[0]['start'] is None
    assert rows[5]['features'] == [5, 6] and rows[5]['end'] == 1
    assert [row['row'] for row in rows] == [0, 1, 2, 0, 1, 2]


def test_digest() -> None:
    model = torch.nn.Linear(2, 2)
    before = weights_digest(model)
    assert weights_digest(model) == before
    with torch.no_grad():
        model.weight[0, 0] += 1
    assert weights_digest(model) != before
