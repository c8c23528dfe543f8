"""Words to the ids of a BERT, from a local folder."""
import os
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmvideomamba.extras import require
from mmvideomamba.json_file import read_json

SPECIAL = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]')
# Arguments of tokenizers: entry of a ``tokenizer_config.json``, and default.
_OPTIONS = dict(
    lowercase=('do_lower_case', True),
    strip_accents=('strip_accents', None),
    handle_chinese_chars=('tokenize_chinese_chars', True))


class TextBatch(NamedTuple):
    """Tokens of texts.

    Args:
        ids (Tensor): int64, shape (b, l).
        mask (Tensor): 1 for a token, 0 for padding, int64, shape (b, l).
    """
    ids: Tensor
    mask: Tensor


def read_vocabulary(path: Path) -> Dict[str, int]:
    """Read a vocabulary of word pieces.

    Args:
        path (Path): Text in UTF-8, one token a line.

    Returns:
        dict[str, int]: Id of each token, the number of the line from 0 on.

    Raises:
        ValueError: If the file is no such text, or lacks BERT's special
            tokens.
    """
    try:
        # splitlines would also cut at rare separators of Unicode inside of a
        # token, and shift all later ids.
        lines = path.read_text(encoding='utf-8').rstrip('\n').split('\n')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not UTF-8 text: {error}; a vocabulary '
                         'holds a token per line') from error
    words = {token: number for number, token in enumerate(lines)}
    missing = [token for token in SPECIAL if token not in words]
    if missing:
        raise ValueError(
            f'{path} is not the vocabulary of a BERT, or not all of it: it '
            f'lacks {missing}; take the one that belongs to the text tower')
    return words


class TextTokenizer:
    """BERT's WordPiece, ``[CLS] text [SEP]``, padded to a fixed length.

    mmaction2's ``VindLUTokenizer`` leaves out ``[SEP]``. The folder is read
    at the first use, so a model can be built without a folder.

    Args:
        folder (str): Folder with ``vocab.txt``, one token a line. From a
            ``tokenizer_config.json`` beside it ``do_lower_case``,
            ``strip_accents`` and ``tokenize_chinese_chars`` are taken;
            without it, texts become lower case.
        max_length (int): Tokens l of a text, longer ones are cut. Defaults
            to 32.
        vocab_size (int, optional): Word pieces of the text tower.
            Defaults to None, unchecked.
        positions (int, optional): Most tokens of a text in the text tower.
            Defaults to None, unchecked.

    Raises:
        ValueError: If ``max_length`` is below 3.
    """

    def __init__(self,
                 folder: str,
                 max_length: int = 32,
                 vocab_size: Optional[int] = None,
                 positions: Optional[int] = None) -> None:
        if max_length < 3:
            raise ValueError('max_length of the tokenizer must be at least 3, '
                             f'but is {max_length}')
        self.folder, self.max_length = Path(folder), max_length
        self.vocab_size, self.positions = vocab_size, positions
        self._tokenizer: Any = None

    @property
    def word_pieces(self) -> Any:
        """The ``tokenizers.BertWordPieceTokenizer`` of the folder.

        Raises:
            MissingExtraError: If the package tokenizers is missing.
            ValueError: If the folder lacks a vocabulary of BERT, or
                vocabulary or texts are larger than in the text tower.
        """
        if self._tokenizer is None:
            if self.positions and self.max_length > self.positions:
                raise ValueError(
                    f'max_length of the tokenizer is {self.max_length}, but '
                    f'the text tower has {self.positions} positions; take '
                    'shorter texts, or set max_position_embeddings of its '
                    'arch')
            self._tokenizer = self._build()
        return self._tokenizer

    def _build(self) -> Any:
        path = self.folder / 'vocab.txt'
        if not path.is_file():
            raise ValueError(
                f'the tokenizer folder {self.folder.absolute()} has no '
                'vocab.txt; put the vocabulary of the text tower there, for '
                'bert-base-uncased its published vocab.txt, or start the '
                'command in the folder of the training; a saved folder '
                '(docs/saved_models.md) holds the vocabulary')
        words = read_vocabulary(path)
        count = max(words.values()) + 1
        if self.vocab_size and count > self.vocab_size:
            raise ValueError(
                f'{path} holds {count} tokens, but the text tower knows '
                f'{self.vocab_size}; set vocab_size of its arch, or take the '
                'vocabulary that belongs to it')
        if self.vocab_size and count < self.vocab_size:
            print_log(
                f'{path} holds {count} tokens, but the text tower knows '
                f'{self.vocab_size}: right if it was trained with this file; '
                'the file of another BERT gives other words', 'current')
        # Threads of the tokenizer do not live through the fork of workers.
        os.environ.setdefault('TOKENIZERS_PARALLELISM', 'false')
        tokenizers: Any = require('tokenizers', 'multimodal',
                                  'the tokenizer of texts')
        found = tokenizers.BertWordPieceTokenizer(words, **self.options())
        found.enable_truncation(self.max_length)
        found.enable_padding(
            length=self.max_length, pad_id=words['[PAD]'], pad_token='[PAD]')
        return found

    def options(self) -> Dict[str, Any]:
        """Read how the folder treats letters.

        Returns:
            dict: ``lowercase``, ``strip_accents``, ``handle_chinese_chars``.

        Raises:
            ValueError: If the ``tokenizer_config.json`` cannot be used.
        """
        path = self.folder / 'tokenizer_config.json'
        config: Any = {}
        if path.is_file():
            config = read_json(path, 'config', 'get it anew, or remove it')
        if not isinstance(config, dict):
            raise ValueError(f'{path} is not a config of a tokenizer; get it '
                             'anew, or remove it')
        options = {}
        for name, (entry, default) in _OPTIONS.items():
            value = config.get(entry, default)
            if not isinstance(value, (bool, type(default))):
                raise ValueError(f'{path}: {entry} must be true or false, but '
                                 f'is {value!r}; get the file anew')
            options[name] = value
        return options

    @property
    def pad_id(self) -> int:
        """Id of padding."""
        return self.word_pieces.token_to_id('[PAD]')

    @property
    def cls_id(self) -> int:
        """Id of ``[CLS]``."""
        return self.word_pieces.token_to_id('[CLS]')

    @property
    def mask_id(self) -> int:
        """Id of ``[MASK]``."""
        return self.word_pieces.token_to_id('[MASK]')

    def __call__(self, texts: Sequence[str]) -> TextBatch:
        """Turn texts into ids.

        Args:
            texts (Sequence[str]): b texts.

        Returns:
            TextBatch: Ids and mask, on the CPU.
        """
        found = self.word_pieces.encode_batch(list(texts))
        return TextBatch(
            torch.tensor([one.ids for one in found]),
            torch.tensor([one.attention_mask for one in found]))

    def lengths(self, texts: Sequence[str]) -> List[int]:
        """Count the tokens of texts before any is cut.

        Args:
            texts (Sequence[str]): b texts.

        Returns:
            list[int]: Tokens of each, ``[CLS]`` and ``[SEP]`` included.
        """
        found = []
        for one in self.word_pieces.encode_batch(list(texts)):
            parts = [one, *one.overflowing]
            # Padding is special, and the rest of each part is words.
            words = [part.special_tokens_mask.count(0) for part in parts]
            found.append(sum(words) + 2)  # [CLS] and [SEP]
        return found

    def unknown_words(self, text: str) -> List[str]:
        """List the words that become ``[UNK]``.

        Args:
            text (str): A text.

        Returns:
            list[str]: A word for each ``[UNK]``.
        """
        one = self.word_pieces.encode(text)
        return [
            text[slice(*place)] for part in [one, *one.overflowing]
            for token, place in zip(part.tokens, part.offsets)
            if token == '[UNK]'
        ]
