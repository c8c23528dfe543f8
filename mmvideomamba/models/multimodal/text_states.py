"""Encoded texts of different length, without padding."""
from typing import NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from mmvideomamba.upload import upload


class TextStates(NamedTuple):
    """States of T texts, one after the other.

    Args:
        packed (Tensor): States of the tokens of all texts, shape (n, width).
        lengths (Tensor): Tokens of each text, int64, shape (T, ).
        starts (Tensor): Place of its first token, int64, shape (T, ).
    """
    packed: Tensor
    lengths: Tensor
    starts: Tensor

    @classmethod
    def of(cls, states: Sequence[Tensor], lengths: Sequence[Tensor],
           order: Tensor) -> 'TextStates':
        """Join batches of texts.

        Args:
            states (Sequence[Tensor]): Of the tokens of each batch, shape
                (n, width).
            lengths (Sequence[Tensor]): Tokens of the texts of each batch,
                int64, shape (b, ).
            order (Tensor): Number of each text of the batches, int64, shape
                (T, ).

        Returns:
            TextStates: In the order of the numbers.
        """
        counts = torch.cat(list(lengths))
        # Texts were encoded by length: the inverse order finds each text.
        places = order.argsort()
        return cls(
            torch.cat(list(states)), counts[places],
            (counts.cumsum(0) - counts)[places])

    def to(self, device: torch.device) -> 'TextStates':
        """Return the states on a device."""
        return TextStates(*(upload(x, device) for x in self))

    def take(self, texts: Tensor, length: int,
             device: torch.device) -> Tuple[Tensor, Tensor]:
        """Pad some texts to a common length.

        Args:
            texts (Tensor): Numbers, int64, shape (b, ), on the CPU.
            length (int): Tokens l of the longest text.
            device (torch.device): Device of the judge.

        Returns:
            tuple[Tensor, Tensor]: States, shape (b, l, width), and mask, 1
            for a token, int64, shape (b, l).
        """
        # Rows are chosen where the states are: only chosen rows go over.
        texts = upload(texts, self.packed.device)
        steps = torch.arange(length, device=texts.device)
        lengths = self.lengths[texts, None]
        # Padding repeats the last token and is masked.
        places = self.starts[texts, None] + steps.minimum(lengths - 1)
        mask = (steps < lengths).long()
        return upload(self.packed[places], device), upload(mask, device)
