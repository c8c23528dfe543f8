from pathlib import Path

import pytest

from mmvideomamba.models.multimodal import TextTokenizer

pytest.importorskip('tokenizers', reason='the tokenizer needs tokenizers')

WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'cat', '##s']


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / 'vocab.txt').write_text('\n'.join(WORDS) + '\n')
    return tmp_path


def test_tokenizer_keeps_both_ends(folder: Path) -> None:
    tokenizer = TextTokenizer(str(folder), max_length=6, vocab_size=20)
    ids, mask = tokenizer(['a cats', 'Cat a cat a cat a cat'])
    assert ids.tolist() == [[2, 5, 6, 7, 3, 0], [2, 6, 5, 6, 5, 3]]
    assert mask.tolist() == [[1, 1, 1, 1, 1, 0], [1] * 6]
    assert (tokenizer.pad_id, tokenizer.cls_id, tokenizer.mask_id) == (0, 2, 4)


def test_lengths_before_the_cut(folder: Path) -> None:
    tokenizer = TextTokenizer(str(folder), max_length=6)
    texts = ['', 'a cats', 'a cat cat cat', 'a ' * 5, 'a ' * 23, 'dog']
    assert tokenizer.lengths(texts) == [2, 5, 6, 7, 25, 3]
    assert tokenizer.lengths([]) == []


def test_unknown_words(folder: Path) -> None:
    """Words after the cut count too."""
    tokenizer = TextTokenizer(str(folder), max_length=4)
    assert tokenizer.unknown_words('a dog a 猫 cats Dog') == ['dog', '猫', 'Dog']
    assert tokenizer.unknown_words('A cat') == []


def test_vocabulary_smaller_than_the_tower(folder: Path, mm_log: list) -> None:
    TextTokenizer(str(folder), vocab_size=8)(['a'])
    assert not mm_log
    TextTokenizer(str(folder), vocab_size=9)(['a'])
    line, = mm_log
    assert 'holds 8 tokens, but the text tower knows 9' in line


def test_bad_tokenizers(folder: Path) -> None:
    with pytest.raises(ValueError, match='at least 3, but is 2'):
        TextTokenizer(str(folder), 2)
    with pytest.raises(ValueError, match='8 tokens.*knows 7'):
        TextTokenizer(str(folder), vocab_size=7)(['a'])
    with pytest.raises(ValueError, match='max_length.*32.*has 16 positions'):
        TextTokenizer(str(folder), positions=16)(['a'])
    (folder / 'vocab.txt').unlink()
    with pytest.raises(ValueError, match=f'{folder} has no vocab.txt'):
        TextTokenizer(str(folder))(['a'])


@pytest.mark.parametrize('content, match', [
    (b'', r"lacks \['\[PAD\]', .*'\[MASK\]'\]"),
    (b'<html>not found</html>', 'not the vocabulary of a BERT'),
    ('\n'.join(w for w in WORDS if w != '[SEP]').encode(), r"\['\[SEP\]'\]"),
    (b'[PAD]\n\xff\xfe', 'not UTF-8 text'),
])
def test_what_is_no_vocabulary(folder: Path, content: bytes,
                               match: str) -> None:
    """The host would add missing tokens, unknown to the text tower."""
    (folder / 'vocab.txt').write_bytes(content)
    with pytest.raises(ValueError, match=match):
        TextTokenizer(str(folder))(['a'])


def test_options_of_the_wrong_type(folder: Path) -> None:
    config = folder / 'tokenizer_config.json'
    config.write_text('{"do_lower_case": "no"}')
    with pytest.raises(ValueError, match=f"{config}: do_lower_case.*'no'"):
        TextTokenizer(str(folder))(['a'])
    config.write_text('{"do_lower_case": false, "strip_accents": null}')
    ids = TextTokenizer(str(folder), 4)(['Cat a']).ids
    assert ids.tolist() == [[2, 1, 5, 3]]
