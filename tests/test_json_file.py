from pathlib import Path

import pytest

from mmvideomamba.json_file import RepeatedKeys, parse_json, read_json


def test_byte_order_mark_and_umlauts(tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    for encoding in ('utf-8', 'utf-8-sig'):
        path.write_bytes('{"a": ["\u00e4", 1]}'.encode(encoding))
        assert read_json(path, 'caption file', 'mend it') == dict(a=['ä', 1])
    assert parse_json('[2]', 'entry 3', 'mend it') == [2]


@pytest.mark.parametrize('content, match', [
    (b'[1,\n 2,, 3]', r'not JSON \(line 2, column 4: .*\); mend it$'),
    (b'', r'not JSON \(line 1, column 1: .*\); mend it$'),
    (b'["\xff"]', r'not UTF-8 text \(byte 2\); mend it$'),
    (b'[' * 99999, r'not usable JSON \(brackets within brackets .*; mend it$'),
    (b'9' * 5000, r'not usable JSON \(.*digits.*\); mend it$'),
])
def test_place_of_the_fault(tmp_path: Path, content: bytes,
                            match: str) -> None:
    path = tmp_path / 'a.json'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'^caption file {path} is {match}'):
        read_json(str(path), 'caption file', 'mend it')
    with pytest.raises(ValueError, match=f'^entry 3 is {match}'):
        parse_json(content, 'entry 3', 'mend it')


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / 'none.json'
    with pytest.raises(
            FileNotFoundError,
            match=f'^caption file {path} does not exist; mend it$'):
        read_json(path, 'caption file', 'mend it')


def test_repeated_keys() -> None:
    found = parse_json('{"a": 1, "b": {"c": 1, "d": 2, "c": 3}}', 'x', '')
    assert type(found) is dict and found['b'] == dict(c=3, d=2)
    assert isinstance(found['b'], RepeatedKeys)
    assert found['b'].repeated == {'c'}
