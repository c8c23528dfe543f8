from pathlib import Path

import pytest

from mmvideomamba.datasets.annotation_faults import (check_exist, fault_list,
                                                     find_missing, read_all)


def test_ten_faults_are_shown_and_the_others_counted() -> None:
    faults = [f'line {i}' for i in range(12)]
    lines = fault_list('a.txt: 12 faults', faults, 'Mend it.').split('\n')
    assert lines[0] == 'a.txt: 12 faults'
    assert lines[1:11] == [f'  line {i}' for i in range(10)]
    assert lines[11:] == ['  and 2 more', 'Mend it.']
    assert fault_list('a.txt', faults[:10]).count('\n') == 10
    assert 'more' not in fault_list('a.txt', faults[:10])


def read(number: int, text: str) -> int:
    """Read an integer, as a caller of read_all does."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f'entry {number} is {text!r}') from None


def test_all_entries_are_read_or_reported() -> None:
    entries = [(1, '7'), (4, '9')]
    assert read_all(entries, read, 'file a.txt') == [7, 9]
    entries = [(1, 'x'), (2, '5'), (4, 'y')]
    with pytest.raises(ValueError) as caught:
        read_all(entries, read, 'file a.txt', 'lines', 'Mend it.')
    assert str(caught.value) == (
        "file a.txt: 2 of 3 lines cannot be used\n  entry 1 is 'x'\n  "
        "entry 4 is 'y'\nMend it.")


def test_missing_videos_with_their_places(tmp_path: Path) -> None:
    (tmp_path / 'a.mp4').touch()
    paths = [str(tmp_path / 'a.mp4'), str(tmp_path / 'b.mp4')]
    check_exist(paths[:1], 'file a.txt', 'Mend it.')
    with pytest.raises(FileNotFoundError) as caught:
        check_exist(paths, 'file a.txt', 'Mend it.', ['line 3', 'line 8'])
    assert str(caught.value) == ('file a.txt: 1 of 2 videos do not exist\n  '
                                 f'line 8: {paths[1]}\nMend it.')
    with pytest.raises(FileNotFoundError, match=f'\n  {paths[1]}\n'):
        check_exist(paths, 'file a.txt', 'Mend it.')


def test_links_and_relative_paths(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / 'a.mp4').touch()
    (tmp_path / 'link').symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    paths = ['a.mp4', './a.mp4', 'link/a.mp4', 'link/../no.mp4', 'b.mp4']
    assert find_missing(paths) == [3, 4]
