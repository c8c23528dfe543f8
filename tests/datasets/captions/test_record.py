import os
import pickle
from pathlib import Path

import pytest

from mmvideomamba.datasets.captions.record import (PerProcess, Record,
                                                   check_file, parse_record)


def test_parsing() -> None:
    entry = dict(image='a.png', caption=['A cat!', 'a DOG'], more=3)
    found = parse_record(entry, 'image', 'entry 3')
    assert found == Record('a.png', ['a cat', 'a dog'], None)
    with pytest.raises(ValueError, match="^entry 3 has no 'video', only"):
        parse_record(entry, 'video', 'entry 3')


def test_missing_file_or_folder(tmp_path: Path) -> None:
    (tmp_path / 'a.json').touch()
    check_file(tmp_path / 'a.json')
    for path in (tmp_path / 'b.json', tmp_path):
        with pytest.raises(
                FileNotFoundError,
                match=f'caption file {path} does not exist; correct ann_file'):
            check_file(path)


class Opener:
    """Count the openings of a file, in a list shared by all copies."""
    opened: list = []

    def __call__(self) -> int:
        Opener.opened.append(os.getpid())
        return len(Opener.opened)


def test_each_process_opens_once(monkeypatch) -> None:
    Opener.opened.clear()
    file = PerProcess(Opener())
    assert (file.get(), file.get()) == (1, 1)
    monkeypatch.setattr(os, 'getpid', lambda: 7)  # as after a fork
    assert (file.get(), file.get()) == (2, 2)
    copy = pickle.loads(pickle.dumps(file))
    assert (copy.get(), file.get()) == (3, 2)
    assert Opener.opened[1:] == [7, 7]
