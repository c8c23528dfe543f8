from types import SimpleNamespace

import pytest
import torch
from common import golden
from golden_multimodal import NAME, golden_towers
from host_tools import needs_host_texts

from mmvideomamba.models import TextTower
from mmvideomamba.models.multimodal import TextBatch
from mmvideomamba.models.multimodal.answer_decoder import (answer_losses,
                                                           build_decoder,
                                                           decoder_state,
                                                           rank_answers)

TINY = dict(
    vocab_size=20,
    hidden_size=8,
    num_hidden_layers=5,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=16,
    # A wide spread keeps scores apart, for a unique ranking.
    initializer_range=0.5)
WORDS = [[5, 6, 3], [5, 7, 3], [5, 3], [8, 9, 6, 3], [9, 3], [10, 5, 7, 3]]


def answers(words: list = WORDS, length: int = 5) -> TextBatch:
    ids = torch.zeros(len(words), length, dtype=torch.long)
    for row, one in zip(ids, words):
        row[:len(one) + 1] = torch.tensor([2, *one])
    return TextBatch(ids, (ids != 0).long())


@pytest.fixture(scope='module')
def tower() -> TextTower:
    torch.manual_seed(1)
    return TextTower(TINY, fusion_layer=3, encoder_width=8).eval()


@pytest.fixture(scope='module')
def decoder(tower) -> torch.nn.Module:
    return build_decoder(tower).eval()


@pytest.fixture(scope='module')
def questions() -> tuple:
    torch.manual_seed(2)
    mask = torch.ones(3, 4, dtype=torch.long)
    mask[1, 2:] = 0
    return torch.randn(3, 4, 8), mask


def log_probs(decoder, words: list, states, mask) -> torch.Tensor:
    """Score one answer word by word, each time from the first word."""
    total, said = torch.zeros(()), [2]
    for word in words:
        logits = decoder(torch.tensor([said]), states[None], mask[None])[0, -1]
        total = total + logits.log_softmax(0)[word]
        said.append(word)
    return total


def test_start_from_a_tower(tower, decoder) -> None:
    source = tower.state_dict()
    for key, value in decoder.state_dict().items():
        if '.layer.' in key:
            parts = key.split('.')
            parts[3] = str(int(parts[3]) + 3)
            key = '.'.join(parts)
        assert torch.equal(value, source[key]), key
    assert len(decoder.bert.encoder.layer) == 2
    head = decoder.cls.predictions.decoder
    words = decoder.bert.embeddings.word_embeddings
    assert head.weight is words.weight
    assert not any(p is q for p in decoder.parameters()
                   for q in tower.parameters())


@pytest.mark.parametrize('bare', [False, True])
def test_start_from_a_published_file(bare: bool, mm_log) -> None:
    """Layers 2 and 3 of 4; keys and values see text, not video: 48, not 40."""
    data = golden(NAME)
    case = dict(pool_type='cls+avg', keep_temporal=True)
    cfg = golden_towers(case, with_mlm=False)['text_encoder']
    cfg.pop('type')
    decoder = build_decoder(TextTower(**cfg))
    own = {f'text_decoder.{k}': v for k, v in decoder.state_dict().items()}
    state = data.under('sd/')
    if bare:  # the file of a retrieval model
        state = {
            k.replace('bert.', ''): v
            for k, v in state.items() if '.cls.' not in k
        }
    found = decoder_state(state, 2, own)
    prefix = 'text_encoder.' if bare else 'text_encoder.bert.'
    for i in range(2):
        for name in ('attention.self.query.weight', 'output.dense.bias',
                     'crossattention.self.query.weight',
                     'crossattention.output.LayerNorm.weight'):
            assert torch.equal(
                found[f'text_decoder.bert.encoder.layer.{i}.{name}'],
                state[f'{prefix}encoder.layer.{i + 2}.{name}'])
    words = 'embeddings.word_embeddings.weight'
    assert torch.equal(found[f'text_decoder.bert.{words}'],
                       state[prefix + words])
    fresh = sorted(set(own) - set(found))
    cross = [
        f'text_decoder.bert.encoder.layer.{i}.crossattention.self.{name}.{x}'
        for i in range(2) for name in ('key', 'value')
        for x in ('bias', 'weight')
    ]
    heads = [k for k in own if '.cls.' in k]
    assert fresh == sorted(cross + (heads if bare else []))
    assert all(v.shape == own[k].shape for k, v in found.items())
    said = [line for line in mm_log if line.startswith('fresh')]
    assert len(said) == len(fresh)
    assert sum('another width' in line for line in said) == 8


def test_decoder_does_not_look_ahead(decoder, questions) -> None:
    ids = torch.tensor([[2, 5, 6, 3], [2, 5, 9, 9]])
    found = decoder(ids, *(x[:1].expand(2, *x.shape[1:]) for x in questions))
    torch.testing.assert_close(found[0, :2], found[1, :2])
    assert not torch.allclose(found[0, 2], found[1, 2])


def test_losses_by_brute_force(decoder, questions) -> None:
    states, mask = questions
    found = answer_losses(
        decoder,
        answers(),
        states[[1]].expand(6, -1, -1),
        mask[[1]].expand(6, -1),
        pad_id=0)
    wanted = [-log_probs(decoder, w, states[1], mask[1]) for w in WORDS]
    torch.testing.assert_close(found, torch.stack(wanted))


@pytest.mark.parametrize('topk', [1, 2, 4, 6, 128])
@pytest.mark.parametrize('pair_batch', [512, 4])
def test_ranking_by_brute_force(decoder, questions, topk: int,
                                pair_batch: int) -> None:
    # Distinct first words make the choice by first words unique.
    words = [[w] + rest for w, (_, *rest) in zip((5, 7, 11, 8, 9, 10), WORDS)]
    states, mask = questions
    found = rank_answers(decoder, answers(words), states, mask, 0, topk,
                         pair_batch)
    assert found.ids.shape == (3, min(topk, 6))
    for q in range(3):
        first = [log_probs(decoder, w[:1], states[q], mask[q]) for w in words]
        best = sorted(range(6), key=lambda i: -first[i])[:topk]
        whole = {
            i: log_probs(decoder, words[i], states[q], mask[q])
            for i in best
        }
        order = sorted(best, key=lambda i: -whole[i])
        assert found.ids[q].tolist() == order
        torch.testing.assert_close(found.log_probs[q],
                                   torch.stack([whole[i] for i in order]))


def test_the_host_counts_the_first_word_twice(decoder, questions) -> None:
    needs_host_texts()
    from mmaction.models.multimodal.vindlu.vindlu_vqa import VindLUVQA
    states, mask = questions
    batch = answers()

    def as_the_host(ids, attention_mask=None, labels=None, **kwargs):
        logits = decoder(ids, kwargs['encoder_hidden_states'],
                         kwargs['encoder_attention_mask'], attention_mask)
        losses = None if labels is None else torch.nn.functional.cross_entropy(
            logits[:, :-1].transpose(1, 2), labels[:, 1:],
            reduction='none').sum(1)
        return SimpleNamespace(logits=logits, loss=losses)

    host = SimpleNamespace(
        text_decoder=as_the_host, tokenizer=SimpleNamespace(pad_token_id=0))
    ids, shares = VindLUVQA.rank_answer(host, states, mask, *batch, 6)
    ours = rank_answers(decoder, batch, states, mask, 0, 6)
    for q in range(3):
        twice = torch.stack([
            log_probs(decoder, w, states[q], mask[q]) +
            log_probs(decoder, w[:1], states[q], mask[q]) for w in WORDS
        ])
        torch.testing.assert_close(shares[q], twice.softmax(0)[ids[q]])
        assert sorted(ours.ids[q].tolist()) == list(range(6))
    with pytest.raises(RuntimeError):  # fewer answers than candidates
        VindLUVQA.rank_answer(host, states, mask, *batch, 128)
