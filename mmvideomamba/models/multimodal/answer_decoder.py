"""A BERT as a decoder of answers: start, and ranking with the decoder."""
import re
from dataclasses import replace
from typing import Any, Dict, List, NamedTuple, Optional

import torch
from torch import Tensor, nn

from mmvideomamba.checkpoints import Change, log_changes, own_key
from .bert import Bert, WordHead, padding_bias
from .bert_config import BertConfig
from .text_tower import TextTower
from .tokenizer import TextBatch

TOWER, DECODER = 'text_encoder.', 'text_decoder.'
_LAYER = re.compile(r'bert\.encoder\.layer\.(\d+)\.(.*)')
_READS_VIDEO = re.compile(r'(.*\.crossattention\.self\.(key|value))\.\w+')


class AnswerDecoder(nn.Module):
    """Say answers word by word, with a look at the tokens of a question.

    Args:
        config (BertConfig): The sizes; each layer has cross-attention.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.bert = Bert(config)
        self.cls = WordHead(config, self.bert.embeddings.word_embeddings)

    def forward(self,
                ids: Tensor,
                states: Tensor,
                states_mask: Tensor,
                mask: Optional[Tensor] = None) -> Tensor:
        """Say the next word at each place.

        Args:
            ids (Tensor): Token ids so far, int64, shape (b, l).
            states (Tensor): Tokens of the questions, shape (b, q, width).
            states_mask (Tensor): 1 for a token of a question, 0 for padding,
                shape (b, q).
            mask (Tensor, optional): 1 for a token of an answer, shape (b, l).
                Defaults to None, no padding.

        Returns:
            Tensor: Logits, shape (b, l, vocab_size).
        """
        mask = torch.ones_like(ids) if mask is None else mask
        x = self.bert.run(self.bert.layers, self.bert.embeddings(ids),
                          padding_bias(mask, causal=True), states,
                          padding_bias(states_mask))
        return self.cls(x)


def build_decoder(tower: TextTower) -> AnswerDecoder:
    """Make a decoder that starts as the fusion layers of a text tower.

    Args:
        tower (TextTower): Gives sizes and weights.

    Returns:
        AnswerDecoder: With as many layers as the tower has for fusion.
    """
    sizes = tower.config
    decoder = AnswerDecoder(
        replace(
            sizes,
            num_hidden_layers=sizes.num_hidden_layers - sizes.fusion_layer,
            fusion_layer=0,
            encoder_width=sizes.hidden_size))
    state = {TOWER + k: v for k, v in tower.state_dict().items()}
    own = {DECODER + k: v for k, v in decoder.state_dict().items()}
    # strict=False below: keys and values of another width start fresh.
    start = decoder_state(state, sizes.fusion_layer, own, log=False)
    decoder.load_state_dict({
        k[len(DECODER):]: v
        for k, v in start.items()
    },
                            strict=False)
    return decoder


def decoder_state(state: Dict[str, Tensor],
                  first: int,
                  own: Dict[str, Tensor],
                  log: bool = True) -> Dict[str, Tensor]:
    """Derive the start of a decoder from the text tower of a file.

    Embeddings and word head are those of the tower, layer i is its layer
    ``first`` + i. Where visual tokens have another width than text, keys and
    values of the cross-attention do not fit and start fresh.

    Args:
        state (dict[str, Tensor]): Weights of the file, published or own
            names.
        first (int): First fusion layer of the tower.
        own (dict[str, Tensor]): Weights of the model, for names and shapes.
        log (bool): Whether to log what starts fresh. Defaults to True.

    Returns:
        dict[str, Tensor]: ``text_decoder.*`` only.

    Source: Li et al., ALBEF, arXiv:2107.07651, Section 4.
    """
    found = {}
    for key, value in state.items():
        name = own_key(key)
        if not name.startswith(TOWER):
            continue
        name = name[len(TOWER):]
        layer = _LAYER.fullmatch(name)
        if layer:
            number = int(layer[1]) - first
            if number < 0:
                continue
            name = f'bert.encoder.layer.{number}.{layer[2]}'
        if DECODER + name in own:
            found[DECODER + name] = value
    misfits = {
        match[1]
        for k, v in found.items()
        if (match := _READS_VIDEO.fullmatch(k)) and v.shape != own[k].shape
    }
    # The bias has the width of the output and would fit: a fresh weight goes
    # with a fresh bias.
    dropped = [k for k in found if k.rpartition('.')[0] in misfits]
    found = {k: v for k, v in found.items() if k not in dropped}
    fresh = [k for k in own if k not in found]
    if log and found:
        width = 'visual tokens have another width'
        log_changes([
            Change('started', f'{DECODER}*', f'from {TOWER}*'),
            *(Change('fresh', k, width if k in dropped else 'not in the file')
              for k in fresh)
        ])
    return found


class RankedAnswers(NamedTuple):
    """The k best answers of each question, the best first.

    Args:
        ids (Tensor): Position in the list of answers, int64, shape (b, k).
        log_probs (Tensor): Of all words and the end, shape (b, k).
    """
    ids: Tensor
    log_probs: Tensor


def answer_losses(decoder: nn.Module, answers: TextBatch, states: Tensor,
                  mask: Tensor, pad_id: int) -> Tensor:
    """Return the negative log-probability of answers.

    Args:
        decoder (Module): From ``build_decoder``.
        answers (TextBatch): n answers.
        states (Tensor): Tokens of the question of each, (n, l, width).
        mask (Tensor): 1 for a token of a question, shape (n, l).
        pad_id (int): Id of padding.

    Returns:
        Tensor: Summed over words and end, float32, shape (n, ).
    """
    logits = decoder(answers.ids, states, mask, answers.mask)
    # A place says what follows it. cross_entropy leaves out targets of -100.
    target = answers.ids[:, 1:].masked_fill(answers.ids[:, 1:] == pad_id, -100)
    return nn.functional.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), target,
        reduction='none').sum(1)


def rank_answers(decoder: nn.Module,
                 answers: TextBatch,
                 states: Tensor,
                 mask: Tensor,
                 pad_id: int,
                 topk: int = 128,
                 pair_batch: int = 512) -> RankedAnswers:
    """Rank a list of answers for each question.

    Of all answers, the ``topk`` whose first word is most probable are
    ordered by the log-probability of the whole. mmaction2's ``VindLUVQA``
    counts the first word twice, fails where there are fewer than ``topk``
    answers, and holds the vocabulary for all pairs at once.

    Args:
        decoder (Module): From ``build_decoder``, evaluation mode.
        answers (TextBatch): All n answers.
        states (Tensor): Tokens of b questions, shape (b, l, width).
        mask (Tensor): 1 for a token of a question, shape (b, l).
        pad_id (int): Id of padding.
        topk (int): Answers to order; all, if there are fewer. Defaults to
            128.
        pair_batch (int): Pairs of question and answer at a time. Defaults to
            512.

    Returns:
        RankedAnswers: Shapes (b, min(topk, n)).
    """
    # Every answer begins with [CLS]: a single step scores all first words.
    start = answers.ids[:1, :1].expand(len(states), 1)
    logits = decoder(start, states, mask)[:, 0].float()
    first = logits.log_softmax(1)[:, answers.ids[:, 1]]  # (b, n)
    chosen = first.topk(min(topk, len(answers.ids)), dim=1).indices
    questions = torch.arange(len(states), device=chosen.device)
    # (2, b * k): the number of pairs at a time does not depend on b.
    pairs = torch.stack([
        questions.repeat_interleave(chosen.shape[1]),
        chosen.flatten(),
    ])
    losses: List[Any] = []
    for question, answer in pairs.split(pair_batch, dim=1):
        losses.append(
            answer_losses(decoder, TextBatch(*(x[answer] for x in answers)),
                          states[question], mask[question], pad_id))
    log_probs = -torch.cat(losses).view_as(chosen)
    log_probs, order = log_probs.sort(dim=1, descending=True, stable=True)
    return RankedAnswers(chosen.gather(1, order), log_probs)
