import json
from pathlib import Path

import pytest
from caption_files import build

from mmvideomamba.datasets.captions import json_records


@pytest.mark.parametrize('line, match', [
    ('{"image": ', 'entry 0 is not JSON'),
    ('{"image": "a"}', "entry 0 has no 'caption'"),
    ('{"image": "a", "caption": "?"}', 'entry 0 has an empty caption'),
    ('{"image": "a", "caption": ' + '[' * 99999, 'entry 0 is not usable JSON'),
    ('{"image": "a", "caption": ' + '9' * 5000 + '}', 'is not usable JSON'),
    ('{"image": "a", "image": "b", "caption": "c"}', "has 'image' twice"),
    ('{"image": "a", "caption": NaN}', "'caption': nan, neither a text"),
    ('{"image": "a", "caption": "\\udfff"}', 'not Unicode text'),
])
def test_bad_lines(folder: Path, line: str, match: str) -> None:
    (folder / 'x.jsonl').write_text(line)
    with pytest.raises(ValueError, match=match):
        build(folder, 'x.jsonl')[0]


@pytest.mark.parametrize('size', [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize('end', ['', '\n', '\n\n \n'])
def test_lines_are_found(tmp_path: Path, monkeypatch, size: int,
                         end: str) -> None:
    """Wherever blocks end; blank lines are none, and \\r ends none."""
    monkeypatch.setattr(json_records, 'READ_BYTES', size)
    lines = ['ab', '', ' ', ' \t\r', '  c', 'd\re', '\x0c', 'f\r', '']
    (tmp_path / 'a.jsonl').write_bytes(('\n'.join(lines) + end).encode())
    starts = json_records.JsonlRecords(str(tmp_path / 'a.jsonl'), '').starts
    content = (tmp_path / 'a.jsonl').read_bytes()
    found = [content[s:].split(b'\n')[0] for s in starts]
    assert found == [b'ab', b'  c', b'd\re', b'f\r']


def test_bad_entries_of_a_list_keep_their_numbers(tmp_path: Path) -> None:
    entries = [dict(image='a', caption='b'), 3, dict(image='c', caption='d')]
    (tmp_path / 'a.json').write_text(json.dumps(entries))
    records = json_records.JsonRecords(str(tmp_path / 'a.json'), 'image')
    assert records.faults == ["entry 1 has no 'image', only 3"]
    assert len(records) == 3 and records[2].name == 'c'
    with pytest.raises(ValueError, match='a.json: entry 1 has no'):
        records[1]
