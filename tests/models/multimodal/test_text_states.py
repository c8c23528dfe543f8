"""States of texts are packed, and padded again as asked."""
import torch

from mmvideomamba.models.multimodal.text_states import TextStates


def test_texts_come_back_in_their_order() -> None:
    states = torch.arange(12.).view(6, 2)
    # Text 1 has one token, text 2 two, text 0 three.
    found = TextStates.of(
        [states[:1], states[1:]],
        [torch.tensor([1]), torch.tensor([2, 3])], torch.tensor([1, 2, 0]))
    assert found.lengths.tolist() == [3, 1, 2]
    text, mask = found.take(torch.tensor([2, 1]), 2, torch.device('cpu'))
    assert mask.tolist() == [[1, 1], [1, 0]] and text.shape == (2, 2, 2)
    assert text[0].equal(states[1:3]) and text[1, 0].equal(states[0])
    text, mask = found.take(torch.tensor([0]), 3, torch.device('cpu'))
    assert text[0].equal(states[3:]) and mask.all()
