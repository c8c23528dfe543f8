import json
from pathlib import Path

import pytest

from mmvideomamba.models.multimodal.prompts import class_prompts


def test_every_class_is_put_into_every_template() -> None:
    found = class_prompts(['Push-up', 'riding_a_bike'],
                          ['somebody is {}', 'A clip: {}!'])
    assert found == [['somebody is push up', 'a clip push up'],
                     ['somebody is riding a bike', 'a clip riding a bike']]
    assert class_prompts(['a', 'b']) == [['a'], ['b']]
    assert class_prompts(['a'], 'only {}') == [['only a']]


def test_wordings_of_a_class_share_it() -> None:
    found = class_prompts([['run', 'jog', 'run'], 'walk'], ['{}', 'to {}'])
    assert found == [['run', 'to run', 'jog', 'to jog'], ['walk', 'to walk']]


def test_texts_of_each_class() -> None:
    own = dict(run=['a runner', '{} fast', 'A runner.'], WALK='a walker', x='')
    assert class_prompts(['Walk', 'run'], own) == [['a walker'],
                                                   ['a runner', 'run fast']]


def test_files(tmp_path: Path) -> None:
    lines, listed, named = (
        tmp_path / name for name in ('a.txt', 'b.json', 'c.json'))
    lines.write_text('\ufeffto {}\n\n the act of {} \n')
    listed.write_text(json.dumps(['{}']))
    named.write_text(json.dumps(dict(run='a runner')))
    for path, wanted in ((lines, ['to run', 'the act of run']),
                         (listed, ['run']), (named, ['a runner'])):
        assert class_prompts(['run'], str(path)) == [wanted]
    lines.write_text('a video\n')
    with pytest.raises(ValueError, match=r"a\.txt: 1 of 1 .*'a video'"):
        class_prompts(['run'], str(lines))
    with pytest.raises(FileNotFoundError, match='prompts no.txt does not'):
        class_prompts(['run'], 'no.txt')


def test_a_class_twice_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / 'texts.json'
    path.write_text('{"a": "x", "a": "y"}')
    with pytest.raises(ValueError, match="texts.json has texts for 'a' twice"):
        class_prompts(['a'], str(path))


@pytest.mark.parametrize('classes, prompts, message', [
    ([], '{}', 'there are none'),
    (['a', ' . '], '{}', 'empty name, the first is class 1'),
    (['a b', 'c', 'A-b'], '{}', "classes 0 and 2 are both named 'a b'"),
    (['a'], ['{}', 'no place', '{} or {}'], "2 of 3 templates.*'no place'"),
    (['a'], [], 'must be templates'),
    (['a'], 'a video', 'have no {} and are not a file'),
    (['a', 'b'], dict(b='x'), "no texts for 1 of 2 classes.*'a'"),
    (['a'], dict(a=[]), "texts of 'a' must be"),
    (['a b'], {
        'a b': 'x',
        'A-b': 'y'
    }, "has texts for 'a b' twice"),
    ('ab', '{}', "a list of names, but got the text 'ab'"),
    ([None], '{}', 'must be a text, .* but is None'),
    ([[1]], '{}', r'must be a text, .* but is \[1\]'),
    (['a'], dict(a=['x', '?']), "texts of 'a' must be"),
])
def test_faults(classes: list, prompts: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_prompts(classes, prompts)
