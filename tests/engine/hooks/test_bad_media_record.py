"""The list of bad files is written whole and goes on after a resume."""
import os
from pathlib import Path

import pytest
from bad_media_run import medium

from mmvideomamba.engine.hooks.bad_media_record import BadMediaRecord


def test_counts(tmp_path: Path) -> None:
    record = BadMediaRecord()
    record.add('train', 1, [medium('a'), medium('a'), medium('b', hung=True)])
    record.add('train', 2, [medium('a', fault='is gone')])
    record.add('val', 1, [medium('a')])
    record.write(tmp_path / 'new' / 'x.json')
    record = BadMediaRecord.read(tmp_path / 'new' / 'x.json')
    entry = record.entries['train', 'a']
    assert (entry['epochs'], entry['count']) == ({'1': 2, '2': 1}, 3)
    assert record.faults('train', 'a.txt') == dict(a='is gone', b='is damaged')
    assert record.counts == {('train', 'a.txt'): 2, ('val', 'a.txt'): 1}
    assert record.hung(['train']) == {'b'} and not record.hung(['val'])
    assert [e['file'] for e in record.of_epoch('train', 2)] == ['a']


def test_what_a_resumed_run_keeps() -> None:
    record = BadMediaRecord()
    record.add('train', 1, [medium('a')])
    record.add('train', 2, [medium('a'), medium('b'), medium('c', hung=True)])
    record.forget('train', 1)
    assert record.entries['train', 'a']['count'] == 1
    assert {key[1] for key in record.entries} == {'a', 'c'}
    assert record.counts == {('train', 'a.txt'): 2}
    record.forget('train')
    assert not record.entries


def test_missing_file(tmp_path: Path) -> None:
    assert not BadMediaRecord.read(tmp_path / 'x.json').entries


def test_name_of_other_bytes_than_utf8(tmp_path: Path) -> None:
    record = BadMediaRecord()
    record.add('train', 1, [medium(os.fsdecode(b'\xe4.mp4')), medium('ä')])
    record.write(tmp_path / 'x.json')
    assert BadMediaRecord.read(tmp_path / 'x.json').entries == record.entries
    assert '"ä"' in (tmp_path / 'x.json').read_text(encoding='utf-8')


@pytest.mark.parametrize('change', [
    dict(hung='no'),
    dict(epochs=[1]),
    dict(epochs={'x': 1}),
    dict(epochs={'1': 'x'}),
    dict(source=None),
])
def test_list_changed_by_hand(tmp_path: Path, change: dict, mm_log) -> None:
    record = BadMediaRecord()
    record.add('train', 1, [medium('a')])
    record.entries['train', 'a'].update(change)
    record.write(tmp_path / 'x.json')
    assert not BadMediaRecord.read(tmp_path / 'x.json').entries
    assert any('is begun anew' in line for line in mm_log)


def test_no_draft_is_left(tmp_path: Path) -> None:
    (tmp_path / 'x.json').mkdir()
    with pytest.raises(OSError):
        BadMediaRecord().write(tmp_path / 'x.json')
    assert [path.name for path in tmp_path.iterdir()] == ['x.json']
