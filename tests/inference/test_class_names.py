"""Names of classes: from a file, the checkpoint or the config."""
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import pytest

from mmvideomamba.inference.class_names import (class_names, label_file_names,
                                                num_classes_of)


def model(number: bool = False, **meta: Any) -> SimpleNamespace:
    head = SimpleNamespace(num_classes=2, predicts_number=number)
    return SimpleNamespace(cls_head=head, dataset_meta=meta)


@pytest.fixture
def label_file(tmp_path: Path) -> str:
    path = tmp_path / 'names.txt'
    path.write_text('\ufeffrise\n\n fall \n')
    return str(path)


def test_label_file(label_file: str) -> None:
    assert label_file_names(label_file, 2) == ['rise', 'fall']


@pytest.mark.parametrize('count, text', [
    (3, "names.txt' names 2 classes, but the model of this config has 3"),
    (None, 'the model predicts a number; leave the label file out'),
])
def test_label_file_of_another_model(label_file: str, count: Any,
                                     text: str) -> None:
    with pytest.raises(ValueError, match=text):
        label_file_names(label_file, count)


def test_missing_label_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='the label file .*gone'):
        label_file_names(str(tmp_path / 'gone'), 2)


def test_number_of_classes() -> None:
    assert num_classes_of(model()) == 2
    assert num_classes_of(model(number=True)) is None
    head = SimpleNamespace(num_classes=5)
    assert num_classes_of(SimpleNamespace(head=head)) == 5


def test_checkpoint_goes_before_config(label_file: str) -> None:
    data = dict(metainfo=dict(classes=label_file))
    assert class_names(model(classes=('a', 'b')), data) == ['a', 'b']
    assert class_names(model(), data) == ['rise', 'fall']
    assert class_names(model(),
                       dict(metainfo=dict(classes=['c', 'd']))) == ['c', 'd']


@pytest.mark.parametrize(
    'data',
    [None, {},
     dict(metainfo=None),
     dict(metainfo=dict(classes='gone.txt'))])
def test_no_names(data: Any) -> None:
    assert class_names(model(), data) is None


def test_other_number_of_names(mm_log: List[str]) -> None:
    assert class_names(model(classes=['a']), None) is None
    assert '1 names of classes are known, but the model has 2' in mm_log[0]
    mm_log.clear()
    assert class_names(model(number=True, classes=['a']), None) is None
    assert mm_log == []
