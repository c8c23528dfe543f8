from typing import Any

import pytest

from mmvideomamba.datasets.captions.texts import (captions_of, clean_caption,
                                                  one_text, strings_of)


@pytest.mark.parametrize('text, wanted', [
    ("A man's DOG, (old) #1: ran; 'ok'~", 'a mans dog old 1 ran ok'),
    ('well-known and/or  <PERSON>\n', 'well known and or person'),
    ('. ! ?', ''),
])
def test_cleaning(text: str, wanted: str) -> None:
    assert clean_caption(text) == wanted


def test_one_text_or_several() -> None:
    entry = dict(video='a.mp4', caption=['A cat!', 'a DOG'])
    assert one_text(entry, 'video', 'entry 3') == 'a.mp4'
    assert strings_of(entry, 'video', 'entry 3') == ['a.mp4']
    # Only captions are cleaned.
    assert strings_of(entry, 'caption', 'entry 3') == ['A cat!', 'a DOG']
    assert captions_of(entry, 'entry 3') == ['a cat', 'a dog']
    with pytest.raises(ValueError, match="^entry 3 has 2 of 'caption', not"):
        one_text(entry, 'caption', 'entry 3')


@pytest.mark.parametrize('entry, match', [
    ({}, r"entry 3 has no 'caption', only \[\]"),
    ('a cat', "entry 3 has no 'caption', only 'a cat'"),
    (dict(caption=['a', 3]), "'caption': \\['a', 3\\], neither a text nor"),
    (dict(caption=dict(en='a')), 'neither a text nor a list'),
    (dict(caption=['a', '']), "an empty caption: \\['a', ''\\]"),
    (dict(caption='\ud800'), 'not Unicode text'),
    (dict(caption=dict.fromkeys(map(str, range(99)), 'x' * 999)),
     r"^.{,1999}\.\.\.}, neither"),
    (dict(caption='!?'), "an empty caption: \\['!\\?'\\]"),
])
def test_bad_captions(entry: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        captions_of(entry, 'entry 3')
