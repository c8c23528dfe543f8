"""Text is cut into runs by font; unknown characters are named and escaped."""
from pathlib import Path
from typing import Iterator, List

import pytest

from mmvideomamba.visualization import fonts

CACHES = (fonts.system_fonts, fonts.font_with, fonts.font_runs,
          fonts._tell_missing)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Clear the caches filled by other tests."""
    for cached in CACHES:
        cached.cache_clear()
    yield
    for cached in CACHES:
        cached.cache_clear()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand for a system without fonts."""
    monkeypatch.setattr('matplotlib.font_manager.findSystemFonts', lambda: [])


def test_base_font_holds_latin_greek_and_cyrillic(bare: None) -> None:
    text = 'Größe, λ, кошка, $x^2_$'
    assert fonts.font_runs(text) == ((text, fonts.base_font()), )


def test_characters_of_no_font_are_escaped(bare: None,
                                           mm_log: List[str]) -> None:
    assert fonts.printable('推 a') == '\\u63a8 a'
    assert fonts.printable('\U00020000') == '\\U00020000'
    told = [line for line in mm_log if 'fonts-noto-cjk' in line]
    assert len(told) == 1


def test_characters_without_a_picture(bare: None, mm_log: List[str]) -> None:
    assert fonts.printable('a\tb\nc\x07\udc80') == 'a b c\\x07\\udc80'
    assert mm_log == []


def test_other_font_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters of another font are a run; a space does not end a run."""
    held = dict(base=set(map(ord, 'ab ')), other=set(map(ord, '左右 ')))
    monkeypatch.setattr(fonts, 'base_font', lambda: 'base')
    monkeypatch.setattr(fonts, 'system_fonts', lambda: ('other', ))
    monkeypatch.setattr(fonts, 'characters_of', lambda path: held[path])
    assert fonts.font_runs('a 左 右b') == (('a ', 'base'), ('左 右', 'other'),
                                         ('b', 'base'))


def test_files_that_are_no_fonts_hold_nothing(tmp_path: Path) -> None:
    path = tmp_path / 'broken.ttf'
    path.write_bytes(b'no font')
    assert fonts.characters_of(str(path)) == frozenset()


def test_plain_fonts_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ['a-Bold.ttf', 'b.ttf', 'NotoSansCJK-Regular.ttc']
    monkeypatch.setattr('matplotlib.font_manager.findSystemFonts',
                        lambda: names)
    assert fonts.system_fonts() == (names[2], names[1], names[0])


def test_cjk_of_this_system() -> None:
    path = fonts.font_with('推')
    if path is None:
        pytest.skip('no font of this system holds Chinese')
    assert fonts.font_runs('推') == (('推', path), )
    assert fonts.open_font(path, 20).getlength('推') == 20
