"""Tables hold the predictions."""
import csv
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmvideomamba.inference.predictor import Prediction
from mmvideomamba.inference.predictor.tables import (check_table,
                                                     write_predictions)

ROWS = [
    Prediction('a, "x".mp4', [1, 0], ['两, b', 'a'], [.75, .25],
               [[0, 2], [1, 3]], [[0., .2], [.1, .3]]),
    Prediction('b.mp4', error='b.mp4 is bad\nin two lines')
]


def test_json(tmp_path: Path) -> None:
    path = tmp_path / 'x.json'
    write_predictions(path, ROWS)
    found = json.loads(path.read_text())
    assert found == [one.to_dict() for one in ROWS]
    assert '两' in path.read_text()
    write_predictions(path, [])
    assert json.loads(path.read_text()) == []


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / 'x.csv'
    write_predictions(path, ROWS)
    with path.open(newline='') as stream:
        first, second = csv.DictReader(stream)
    assert first['input'] == ROWS[0].input and first['name_1'] == '两, b'
    assert (first['label_2'], first['probability_2']) == ('0', '0.25')
    assert first['frames'] == '0 2;1 3' and 'value' not in first
    assert second['error'] == ROWS[1].error and second['label_1'] == ''
    write_predictions(path, [Prediction('c', value=2.5)])
    with path.open(newline='') as stream:
        assert next(csv.DictReader(stream))['value'] == '2.5'


def test_parquet(tmp_path: Path) -> None:
    parquet: Any = pytest.importorskip('pyarrow.parquet')
    path = check_table(tmp_path / 'x.parquet')
    write_predictions(path, ROWS)
    found = parquet.read_table(path).to_pylist()
    assert found[0]['names'] == ROWS[0].names
    assert found[0]['times'] == ROWS[0].times
    assert found[1]['error'] == ROWS[1].error and found[1]['labels'] == []


def test_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path not fit for a table is refused before the work."""
    with pytest.raises(ValueError, match='x.xml: the ending'):
        check_table(tmp_path / 'x.xml')
    (tmp_path / 'x.csv').mkdir()
    with pytest.raises(ValueError, match='is a folder'):
        check_table(tmp_path / 'x.csv')
    assert check_table(tmp_path / 'a/b/x.csv').parent.is_dir()
    monkeypatch.setitem(sys.modules, 'pyarrow.parquet', None)
    with pytest.raises(ValueError, match='pip install pyarrow'):
        check_table(tmp_path / 'x.parquet')
    fake = SimpleNamespace()
    monkeypatch.setitem(sys.modules, 'pyarrow.parquet', fake)
    monkeypatch.setitem(sys.modules, 'pyarrow', fake)
    check_table(tmp_path / 'x.parquet')
