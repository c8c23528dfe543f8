"""Words to the ids of a BERT, from a local folder."""
import os
from pathlib import Path
from typing import Any, NamedTuple, Optional, Sequence

import torch
from torch import Tensor

SPECIAL = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]')


class TextBatch(NamedTuple):
    """Tokens of texts.

    Args:
        ids (Tensor): int64, shape (b, l).
        mask (Tensor): 1 for a token, 0 for padding, int64, shape (b, l).
    """
    ids: Tensor
    mask: Tensor


class TextTokenizer:
    """BERT's WordPiece, ``[CLS] text [SEP]``, padded to a fixed length.

    mmaction2's ``VindLUTokenizer`` leaves out ``[SEP]``. The folder is read
    at the first use, so that a model can be built without it.

    Args:
        folder (str): Folder with ``vocab.txt``, one token a line.
        max_length (int): Tokens l of a text, longer ones are cut. Defaults
            to 32.
        vocab_size (int, optional): Most tokens that the text tower knows.
            Defaults to None, unchecked.
        positions (int, optional): Most tokens of a text that it knows.
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
    def host(self) -> Any:
        """The tokenizer of transformers.

        Raises:
            ValueError: If the folder lacks its vocabulary, or that is none,
                or it or the texts are larger than the text tower's.
        """
        if self._tokenizer is None:
            if self.positions and self.max_length > self.positions:
                raise ValueError(
                    f'max_length of the tokenizer is {self.max_length}, but '
                    f'the text tower has {self.positions} positions; take '
                    'shorter texts, or set max_position_embeddings of its '
                    'arch')
            path = self.folder / 'vocab.txt'
            if not path.is_file():
                raise ValueError(
                    f'the tokenizer folder {self.folder} has no vocab.txt; '
                    'put the vocabulary of the text tower there, for '
                    'bert-base-uncased its published vocab.txt')
            self._check(path)
            # Its threads do not live through the fork of the data workers.
            os.environ.setdefault('TOKENIZERS_PARALLELISM', 'false')
            from transformers import BertTokenizerFast
            tokenizer = BertTokenizerFast(vocab_file=str(path))
            if self.vocab_size and len(tokenizer) > self.vocab_size:
                raise ValueError(
                    f'{path} holds {len(tokenizer)} tokens, but the text '
                    f'tower knows {self.vocab_size}; set vocab_size of its '
                    'arch, or take the vocabulary that belongs to it')
            self._tokenizer = tokenizer
        return self._tokenizer

    @staticmethod
    def _check(path: Path) -> None:
        """Refuse what would get tokens that the text tower does not know."""
        try:
            tokens = set(path.read_text(encoding='utf-8').split('\n'))
        except UnicodeDecodeError as error:
            raise ValueError(f'{path} is no text in UTF-8: {error}; it should '
                             'hold one token a line') from error
        missing = [token for token in SPECIAL if token not in tokens]
        if missing:
            raise ValueError(
                f'{path} is not the vocabulary of a BERT, or not all of it: '
                f'it lacks {missing}; take the one that belongs to the text '
                'tower')

    @property
    def pad_id(self) -> int:
        """Id of padding."""
        return self.host.pad_token_id

    @property
    def cls_id(self) -> int:
        """Id of ``[CLS]``."""
        return self.host.cls_token_id

    @property
    def mask_id(self) -> int:
        """Id of ``[MASK]``."""
        return self.host.mask_token_id

    def __call__(self, texts: Sequence[str]) -> TextBatch:
        """Turn texts into ids.

        Args:
            texts (Sequence[str]): b texts.

        Returns:
            TextBatch: Ids and mask, on the CPU.
        """
        found = self.host(
            list(texts),
            padding='max_length',
            truncation=True,
            max_length=self.max_length)
        return TextBatch(
            torch.tensor(found['input_ids']),
            torch.tensor(found['attention_mask']))
