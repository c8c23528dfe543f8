import json
from pathlib import Path
from typing import List

import pytest
import torch
from common import golden
from golden_multimodal import (NAME, GoldenTokenizer, golden_inputs,
                               golden_model, golden_towers)
from mmengine.structures import BaseDataElement

from mmvideomamba.models import VideoTextQA
from mmvideomamba.models.multimodal import TextBatch
from mmvideomamba.models.multimodal.answer_decoder import answer_losses

CASE = dict(
    loss_weight=dict(vtc=1., vtm=1., mlm=1.),
    pool_type='cls+avg',
    keep_temporal=True)
WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'red', 'blue', 'disc']
ANSWERS = ['red', 'blue', 'red disc', 'blue disc']


@pytest.fixture
def build(tmp_path: Path):
    """Return a function to build the model from words and answers."""
    (tmp_path / 'vocab.txt').write_text('\n'.join(WORDS))
    (tmp_path / 'answers.json').write_text(json.dumps(ANSWERS))

    def make(**kwargs) -> VideoTextQA:
        data = golden(NAME)
        kwargs = {**dict(answer_file=str(tmp_path / 'answers.json')), **kwargs}
        model = VideoTextQA(
            **golden_towers(CASE, with_mlm=kwargs.pop('with_mlm', False)),
            tokenizer=dict(folder=str(tmp_path), max_length=9),
            **kwargs)
        model.load_state_dict(data.under('sd/'), strict=False)
        model.tokenizer = GoldenTokenizer(data['in/input_ids'],
                                          data['in/attention_mask'])
        return model.eval()

    return make


def samples() -> List[BaseDataElement]:
    answers = [['red'], ['blue', 'red disc'], ['blue disc'], ['red', 'blue']]
    weights = [[1.], [0.75, 0.25], [1.], [0.5, 0.5]]
    return [
        BaseDataElement(question=str(i), gt_answer=a, gt_answer_weight=w)
        for i, (a, w) in enumerate(zip(answers, weights))
    ]


def test_loading_a_pretrained_file(build) -> None:
    """Towers come from the file; the decoder starts from the text tower."""
    data, model = golden(NAME), build()
    source = golden_model(dict(CASE, loss_weight=dict(vtc=1.)), teacher=None)
    own, wanted = model.state_dict(), source.state_dict()
    for key, value in own.items():
        if key.startswith(('text_encoder.', 'vision_encoder.')):
            assert torch.equal(value, wanted[key]), key
    layer = 'text_{}.bert.encoder.layer.{}.attention.self.key.weight'
    for i in range(2):
        assert torch.equal(own[layer.format('decoder', i)],
                           data[f'sd/{layer.format("encoder", i + 2)}'])
    head = 'cls.predictions.transform.dense.weight'
    assert torch.equal(own[f'text_decoder.{head}'],
                       data[f'sd/text_encoder.{head}'])
    # A runner calls init_weights before loading a file.
    model.init_weights()
    assert all(torch.equal(v, own[k]) for k, v in model.state_dict().items())


def test_own_file_is_taken_as_it_is(build) -> None:
    model, other = build(), build()
    for parameter in model.text_decoder.parameters():
        parameter.data.normal_()
    other.load_state_dict(dict(state_dict=model.state_dict()), strict=True)
    for key, value in other.state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key
    before = other.state_dict()
    part = {k: v for k, v in before.items() if k.startswith('vision')}
    other.text_decoder.cls.predictions.bias.data.fill_(3)
    other.load_state_dict(part, strict=False)
    assert other.text_decoder.cls.predictions.bias.eq(3).all()


def test_loss_by_hand(build) -> None:
    model, batch = build(), samples()
    found = model(golden_inputs('video'), batch, mode='loss')
    with torch.no_grad():
        states, mask = model.read_questions(golden_inputs('video'), batch)
    total = torch.zeros(())
    ids = dict(zip(WORDS, range(len(WORDS))))
    for q, sample in enumerate(batch):
        for answer, weight in zip(sample.gt_answer, sample.gt_answer_weight):
            row = [2, *(ids[w] for w in answer.split()), 3]
            one = torch.tensor([row])
            total += weight * answer_losses(
                model.text_decoder, TextBatch(one, torch.ones_like(one)),
                states[q:q + 1], mask[q:q + 1], 0)[0]
    torch.testing.assert_close(found['loss_answer'].detach(), total / 4)
    found['loss_answer'].backward()
    without = [
        k for k, p in model.named_parameters()
        if p.requires_grad and p.grad is None and 'neck' not in k
    ]
    # Pooling is for the similarity of retrieval.
    assert without == [
        'vision_encoder.pool_norm.weight', 'vision_encoder.pool_norm.bias'
    ]


def test_the_video_matters(build) -> None:
    model, batch = build(), samples()
    inputs = golden_inputs('video')
    states, _ = model.read_questions(inputs, batch)
    other, _ = model.read_questions(inputs.flip(0), batch)
    assert not torch.allclose(states, other)
    one_clip = model.read_questions(inputs[:, None], batch)[0]
    torch.testing.assert_close(one_clip, states)
    assert model(inputs).tokens.shape[0] == 4


@pytest.mark.parametrize('topk', [4, 128])
def test_prediction_is_the_most_probable(build, topk: int, mm_log) -> None:
    model, batch = build(topk=topk), samples()
    found = model(golden_inputs('video'), batch, mode='predict')
    said = [line for line in mm_log if 'all of them are ordered' in line]
    assert len(said) == (topk == 128)
    for q, sample in enumerate(found):
        losses = []
        for answer in ANSWERS:
            one = BaseDataElement(
                question=str(q), gt_answer=[answer], gt_answer_weight=[1.])
            losses.append(
                model(golden_inputs('video')[q:q + 1], [one],
                      mode='loss')['loss_answer'])
        assert sample.pred_answer == ANSWERS[int(torch.stack(losses).argmin())]


def test_answers_of_the_same_tokens(build, tmp_path: Path, mm_log) -> None:
    """Five tokens keep three words."""
    answers = [
        'red', 'red disc red blue', 'red disc red red', 'Red', 'blue',
        'red disc red'
    ]
    (tmp_path / 'answers.json').write_text(json.dumps(answers))
    model = build()
    model(golden_inputs('video'), samples(), mode='predict')
    assert model.answers == ['red', 'red disc red blue', 'blue']
    model(golden_inputs('video'), samples(), mode='loss')
    start = [i for i, line in enumerate(mm_log) if 'the same tokens' in line]
    head, first, second, remedy = mm_log[start[0]:start[0] + 4]
    assert len(start) == 1 and head.startswith('5 of 6 answers of ')
    assert first == "  'red' = 'Red'"
    assert second.count("'red disc red") == 3
    assert remedy.endswith('answer_length=6 cuts none of them.')
    longer = build(answer_length=6)
    assert len(longer.answers) == 5
    assert 'answer_length' not in mm_log[-2]


def test_answers_without_an_order(build) -> None:
    model = build()
    model.text_decoder.cls.predictions.bias.data[5] = float('nan')
    with pytest.raises(ValueError, match='log-probabilities of answers are'):
        model(golden_inputs('video'), samples(), mode='predict')


@pytest.mark.parametrize('content, match', [
    (None, 'there is no .*answers.json.*set it to'),
    ('[', 'answers.json is not JSON'),
    ('{}', 'answers.json must hold a list'),
    ('[]', 'at least one'),
    ('["a", " ", ""]', "2 empty answers.*' '"),
    ('["a", 3]', 'not text, the first is 3'),
])
def test_bad_answer_files(build, tmp_path: Path, content: str,
                          match: str) -> None:
    """Raised by the first batch of training, and by prediction."""
    path = tmp_path / 'answers.json'
    path.unlink() if content is None else path.write_text(content)
    for mode in ('loss', 'predict'):
        with pytest.raises(ValueError, match=match):
            build()(golden_inputs('video'), samples(), mode=mode)


def test_training_alone_needs_no_list(build) -> None:
    model = build(answer_file=None)
    assert 'loss_answer' in model(
        golden_inputs('video'), samples(), mode='loss')
    with pytest.raises(ValueError, match='answer_file of VideoTextQA: .*None'):
        model(golden_inputs('video'), samples(), mode='predict')


@pytest.mark.parametrize('change, match', [
    (dict(topk=0), 'topk of VideoTextQA.*0'),
    (dict(pair_batch=0), 'pair_batch of VideoTextQA.*0'),
    (dict(answer_length=2), 'max_length.*2'),
])
def test_bad_arguments(build, change: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        build(**change)


def test_bad_mode(build) -> None:
    with pytest.raises(ValueError, match="loss, predict or tensor.*'test'"):
        build()(golden_inputs('video'), samples(), mode='test')
