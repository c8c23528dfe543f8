"""Classes scored by the published cosines and logits of their prompts."""
from typing import Any, Dict, List

import pytest
import torch
from common import GOLDEN_FLOOR, assert_close, golden
from golden_multimodal import (NAME, GoldenTokenizer, golden_inputs,
                               golden_model)
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmvideomamba.models import VideoTextClassifier

CASE = dict(
    loss_weight=dict(vtc=1., vtm=1.), pool_type='cls+avg', keep_temporal=True)
# Six golden texts, as unequally many prompts of three classes.
PROMPTS: Dict[str, Any] = dict(a=['0', '1'], b='2', c=['3', '4', '5'])
ROWS = ([0, 1], [2], [3, 4, 5])


def classifier(**kwargs: Any) -> VideoTextClassifier:
    data = golden(NAME)
    model = golden_model(
        CASE,
        VideoTextClassifier,
        teacher=None,
        mask_cfg=None,
        with_mlm=False,
        prompts=PROMPTS,
        **kwargs)
    model.tokenizer = GoldenTokenizer(data['retrieval_eval/in/input_ids'],
                                      data['retrieval_eval/in/attention_mask'])
    model.set_classes(list(PROMPTS))
    return model


def predictions(**kwargs: Any) -> List[BaseDataElement]:
    samples = [BaseDataElement() for _ in golden_inputs('video')]
    return classifier(**kwargs)(
        golden_inputs('video'), samples, mode='predict')


def by_class(row: Tensor, reduction: str) -> Tensor:
    """Score the classes by hand."""
    parts = [[row.tolist()[i] for i in rows] for rows in ROWS]
    return torch.tensor([
        max(part) if reduction == 'max' else sum(part) / len(part)
        for part in parts
    ])


@pytest.mark.parametrize('reduction', ['mean', 'max'])
def test_scores_are_those_of_the_published_evaluation(reduction: str) -> None:
    data = golden(NAME)
    cosines = data['retrieval_eval/k128/out/i2t_emb']
    logits = data['retrieval_eval/k128/out/i2t_x']
    for pair_batch in (2, 128):
        found = predictions(reduction=reduction, pair_batch=pair_batch)
        assert len(found) == len(cosines)
        for sample, near, judged in zip(found, cosines, logits):
            assert_close(
                sample.emb_score,
                by_class(near, reduction),
                floor=GOLDEN_FLOOR)
            wanted = by_class(judged, reduction)
            assert_close(sample.pred_score, wanted, floor=GOLDEN_FLOOR)
            assert sample.pred_label.tolist() == [int(wanted.argmax())]


def test_classes_that_are_not_judged_follow_the_encoders() -> None:
    logits = golden(NAME)['retrieval_eval/k128/out/i2t_x']
    for topk in (1, 2):
        for sample, row in zip(predictions(topk=topk), logits):
            order = sample.emb_score.argsort(descending=True)
            judged, rest = order[:topk], order[topk:]
            assert_close(
                sample.pred_score[judged],
                by_class(row, 'mean')[judged],
                floor=GOLDEN_FLOOR)
            scores = torch.cat([
                sample.pred_score[judged].min().view(1),
                sample.pred_score[rest]
            ])
            assert (scores.diff() < 0).all()


def test_without_a_judge_the_encoders_decide() -> None:
    alone, judged = predictions(topk=0), predictions()
    for one, other in zip(alone, judged):
        assert torch.equal(one.pred_score, other.emb_score)
        assert 'emb_score' not in one


def test_padding_changes_nothing() -> None:
    """And the number of texts encoded at a time."""
    model = classifier(text_batch=2)
    tokens = model.tokenizer
    model.tokenizer = GoldenTokenizer(*(torch.nn.functional.pad(x, (0, 3))
                                        for x in (tokens.ids, tokens.mask)))
    model.set_classes(list(PROMPTS))
    found = model(
        golden_inputs('video'),
        [BaseDataElement() for _ in golden_inputs('video')],
        mode='predict')
    for one, other in zip(found, predictions()):
        assert_close(one.pred_score, other.pred_score, floor=GOLDEN_FLOOR)


def test_scores_that_are_no_numbers_are_refused() -> None:
    model = classifier()
    model.itm_head.bias.data[1] = float('nan')
    sample = [BaseDataElement() for _ in golden_inputs('video')]
    with pytest.raises(ValueError, match='6 of 6 logits of the judge'):
        model(golden_inputs('video'), sample, mode='predict')
    model.vision_proj.bias.data[0] = float('inf')
    with pytest.raises(ValueError, match='similarities .* NaN: the model has'):
        model(golden_inputs('video'), sample, mode='predict')


def test_faults() -> None:
    for kwargs, message in ((dict(reduction='sum'), "mean.*but is 'sum'"),
                            (dict(topk=-1), 'topk .* at least 0'),
                            (dict(pair_batch=0), 'pair_batch .* at least 1')):
        with pytest.raises(ValueError, match=message):
            classifier(**kwargs)
    model = classifier()
    model._class_texts = None
    with pytest.raises(ValueError, match='knows no classes.*PromptTestLoop'):
        model(golden_inputs('video'), [], mode='predict')
    with pytest.raises(ValueError, match="no texts for 1 .*'d'"):
        model.set_classes(['a', 'd'])
