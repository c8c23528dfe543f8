"""Similarities of videos and texts, and losses on similarities."""
from typing import NamedTuple, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor


def similarity(vision: Tensor,
               text: Tensor,
               temperature: Union[float, Tensor] = 1.) -> Tensor:
    """Compare each video with each text by the cosine, in float32.

    Autocast is off meanwhile: divided by a temperature, the digits of a
    cosine that bfloat16 drops would be a tenth of a logit.

    Args:
        vision (Tensor): Shape (b, m, c), of which the mean over m counts, or
            (b, c).
        text (Tensor): Shape (n, c).
        temperature (float | Tensor): Divisor. Defaults to 1.

    Returns:
        Tensor: Shape (b, n).
    """
    vision, text = (
        F.normalize(x if x.dtype.itemsize > 4 else x.float(), dim=-1)
        for x in (vision, text))
    if vision.dim() == 2:
        vision = vision.unsqueeze(1)
    # Autocast would cast the product down to half precision.
    with torch.autocast(vision.device.type, enabled=False):
        # (b, m, c) to (b, c): the product is then the mean of m cosines.
        sim = vision.mean(1) @ text.t()
    return sim / temperature


def contrastive_loss(sim_v2t: Tensor, ids: Tensor) -> Tensor:
    """Cross-entropy of videos and texts, both ways.

    Pairs of equal id are positives, each with an equal share.

    Args:
        sim_v2t (Tensor): Similarities over the temperature, shape (b, b).
        ids (Tensor): Shape (b, ).

    Returns:
        Tensor: Scalar.
    """
    # (b, b): several pairs of one id share the target in equal parts.
    same = (ids[:, None] == ids[None]).to(sim_v2t.dtype)
    target = same / same.sum(1, keepdim=True)
    to_text, to_video = (-(target * F.log_softmax(sim, dim=1)).sum(1).mean()
                         for sim in (sim_v2t, sim_v2t.t()))
    return (to_text + to_video) / 2


def check_partners(ids: Tensor, count: int = 1) -> None:
    """Refuse a batch with too few wrong partners of a pair.

    Args:
        ids (Tensor): On the CPU, shape (b, ).
        count (int): Wrong partners needed per pair. Defaults to 1.

    Raises:
        ValueError: If a pair has fewer.
    """
    others = (ids[:, None] != ids[None]).sum(1)
    if (others < count).any():
        raise ValueError(
            f'a batch with the ids {ids.tolist()} has pairs with '
            f'{int(others.min())} wrong partners, but VTM needs {count}; take '
            'a larger batch, lower vtm_negatives, or give each video its own '
            'pair_id')


def negative_weights(sim: Tensor,
                     ids: Tensor,
                     hard: bool = True,
                     count: int = 1) -> Tensor:
    """Weigh the candidates to be taken for wrong partners.

    Args:
        sim (Tensor): Similarities of queries (rows), shape (b, b).
        ids (Tensor): Shape (b, ); candidates of the query's id get 0.
        hard (bool): Whether similar ones get more, by a softmax. Defaults to
            True; else all the same.
        count (int): Partners to draw per query. At least ``count`` weights of
            a query are above 0. Defaults to 1.

    Returns:
        Tensor: Shape (b, b), without gradient.

    Raises:
        ValueError: If a query has too few candidates; ids on a GPU are not
            looked at, see ``check_partners``.
    """
    same = ids[:, None] == ids[None]
    if ids.device.type == 'cpu':
        check_partners(ids, count)
    sim = sim.detach()
    # The published softmax of sim + 1e-4 is the same: a softmax ignores a
    # constant.
    weights = sim.softmax(1) if hard else torch.ones_like(sim)
    weights = weights.masked_fill(same, 0)
    # NaN cannot be drawn from; the loss of the pairs becomes NaN instead.
    weights = torch.where(weights.isfinite(), weights,
                          torch.full_like(weights, 0.01))
    empty = weights.sum(1, keepdim=True) == 0
    # A low temperature may leave all wrong partners a weight of 0.
    weights = torch.where(empty, (~same).to(weights.dtype), weights)
    if count == 1:
        return weights
    # A low temperature leaves many candidates with a weight of exactly 0.
    least = torch.finfo(weights.dtype).tiny
    return torch.where(same, weights, weights.clamp(min=least))


class MaskedWords(NamedTuple):
    """A text with words to be guessed.

    Args:
        ids (Tensor): int64, shape (b, l).
        labels (Tensor): The word, or -100 where none is to be guessed,
            int64, shape (b, l).
    """
    ids: Tensor
    labels: Tensor


def mask_words(ids: Tensor,
               special: Tuple[int, int],
               mask_id: int,
               vocab_size: int,
               probability: float = 0.5) -> MaskedWords:
    """Choose words to guess, and hide most of the words.

    Of the chosen, 80 % become ``[MASK]``, 10 % any word and 10 % stay.

    Args:
        ids (Tensor): int64, shape (b, l).
        special (tuple[int, int]): Ids never chosen, of padding and [CLS].
        mask_id (int): Id of ``[MASK]``.
        vocab_size (int): Number of words.
        probability (float): Of being chosen. Defaults to 0.5.

    Returns:
        MaskedWords: Words to show, and words to guess.

    Source: Devlin et al., arXiv:1810.04805, Section 3.1.
    """

    def draw(share: float) -> Tensor:
        # Drawn on the CPU: a seed chooses the same words on every device.
        return torch.bernoulli(torch.full(ids.shape, share)).bool()

    # Half of the 20 % that stay visible are the 10 % of random words.
    chosen, hidden, changed = draw(probability), draw(0.8), draw(0.5)
    words = torch.randint(vocab_size, ids.shape)
    chosen, hidden, changed, words = (
        x.to(ids.device) for x in (chosen, hidden, changed, words))
    for one in special:
        chosen = chosen & (ids != one)
    hidden = chosen & hidden
    changed = chosen & ~hidden & changed
    shown = ids.masked_fill(hidden, mask_id)
    return MaskedWords(
        torch.where(changed, words, shown), ids.masked_fill(~chosen, -100))
