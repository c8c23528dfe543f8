import math
from types import SimpleNamespace
from typing import Any, List

import pytest
import torch
from common import GOLDEN_FLOOR, assert_close, golden
from golden_multimodal import (NAME, GoldenTokenizer, golden_inputs,
                               golden_model)
from host_tools import needs_host_texts
from mmaction.evaluation import VQAMCACC
from mmengine.structures import BaseDataElement

from mmvideomamba.models import VideoTextMC

CASE = dict(
    loss_weight=dict(vtc=1., vtm=1.), pool_type='cls+avg', keep_temporal=True)
OPTIONS = ([0, 1, 2, 3, 4], [5, 3, 1, 0, 2], [1, 2, 3, 4, 5], [4, 4, 0, 2, 1])


def choosing_model(**kwargs) -> VideoTextMC:
    data = golden(NAME)
    model = golden_model(
        CASE,
        VideoTextMC,
        teacher=None,
        mask_cfg=None,
        with_mlm=False,
        **kwargs)
    model.tokenizer = GoldenTokenizer(data['retrieval_eval/in/input_ids'],
                                      data['retrieval_eval/in/attention_mask'])
    return model


def samples() -> List[BaseDataElement]:
    return [
        BaseDataElement(
            caption_options=[str(i) for i in options],
            gt_label=torch.tensor([0])) for options in OPTIONS
    ]


def softmax(values: List[float]) -> List[float]:
    total = sum(math.exp(v) for v in values)
    return [math.exp(v) / total for v in values]


@pytest.mark.parametrize('weights', [(0.7, 0.3), (0., 1.), (1., 0.)])
def test_score_by_hand(weights: tuple) -> None:
    """Published cosines and judge's logits, put together number by number."""
    data = golden(NAME)
    model = choosing_model(
        match_weight=weights[0], similarity_weight=weights[1])
    found = model(golden_inputs('video'), samples(), mode='predict')
    cosines = data['retrieval_eval/k128/out/i2t_emb']
    logits = data['retrieval_eval/k128/out/i2t_x']
    tokens = model.tokenize([str(i) for i in range(6)])
    for video, options in enumerate(OPTIONS):
        vision = model.encode_videos(golden_inputs('video'))
        near = softmax([
            float(cosines[video, i]) / float(data['sd/temp']) for i in options
        ])
        wanted, judged = [], []
        for share, i in zip(near, options):
            with torch.no_grad():
                text = model.text_encoder.encode(tokens.ids[i:i + 1],
                                                 tokens.mask[i:i + 1])
                both = model.match_logit(text, tokens.mask[i:i + 1],
                                         vision.tokens[video:video + 1])[0]
            judged.append(both[1])
            match = softmax(both.tolist())[1]
            wanted.append(weights[0] * match + weights[1] * share)
        # Of the published evaluation, for the class of a pair.
        assert_close(
            torch.stack(judged), logits[video, options], floor=GOLDEN_FLOOR)
        assert found[video].score == pytest.approx(wanted, abs=1e-5)
        assert found[video].pred_label == max(
            range(5), key=found[video].score.__getitem__)


def test_score_of_the_host() -> None:
    """mmaction2's own rule on the same features."""
    needs_host_texts()
    from mmaction.models.multimodal.vindlu.vindlu_ret_mc import \
        VindLURetrievalMC
    model, inputs = choosing_model(), golden_inputs('video')
    normed = torch.nn.functional.normalize

    def features(_, data_samples: list) -> dict:
        tokens = model.tokenize([t for s in data_samples for t in s.text])
        vision = model.encode_videos(inputs)
        text = model.text_encoder.encode(*tokens)
        return dict(
            text_embeds=text,
            text_attn_mask=tokens.mask,
            image_embeds=vision.tokens,
            image_feat=normed(model.vision_proj(vision.pooled), dim=-1),
            text_feat=normed(model.text_proj(text[:, 0]), dim=-1))

    def as_the_host(encoder_embeds: torch.Tensor, attention_mask: torch.Tensor,
                    encoder_hidden_states: torch.Tensor,
                    **_: Any) -> SimpleNamespace:
        return SimpleNamespace(
            last_hidden_state=model.text_encoder.fuse(
                encoder_embeds, attention_mask, encoder_hidden_states))

    host = SimpleNamespace(
        extract_feat=features,
        text_encoder=as_the_host,
        itm_head=model.itm_head,
        temp=model.temp,
        score_weight=0.7,
        similarity_weight=0.3)
    with torch.no_grad():
        wanted = VindLURetrievalMC.predict(host, inputs, samples())
        found = model(inputs, samples(), mode='predict')
    for ours, theirs in zip(found, wanted):
        assert ours.score == pytest.approx(theirs.score, abs=1e-5)
        assert ours.pred_label == theirs.pred_label


def test_equal_options_are_told(mm_log: List[str]) -> None:
    model = choosing_model()
    ids = model.tokenizer.ids.clone()
    ids[3:5] = ids[1]
    model.tokenizer.ids = ids
    model(golden_inputs('video'), samples(), mode='predict')
    heads = [line for line in mm_log if 'options of a question' in line]
    # The third question repeats the first; '4' twice is the same option.
    assert [line[:6] for line in heads] == ['3 of 5', '2 of 5', '2 of 5']
    assert "  '1' = '3' = '4'" in mm_log


def test_scores_without_an_order() -> None:
    model = choosing_model()
    model.itm_head.bias.data[1] = float('nan')
    with pytest.raises(ValueError, match='5 of 5 scores of options'):
        model(golden_inputs('video'), samples(), mode='predict')


def test_accuracy_of_the_host() -> None:
    metric = VQAMCACC()
    found = choosing_model()(golden_inputs('video'), samples(), mode='predict')
    metric.process(None, [sample.to_dict() for sample in found])
    right = sum(sample.pred_label == 0 for sample in found)
    assert metric.evaluate(4)['VQAMC/acc'] == 25 * right


def test_it_trains_as_a_retrieval_model() -> None:
    model = choosing_model()
    pairs = [BaseDataElement(text=str(i), pair_id=i) for i in range(4)]
    losses = model(golden_inputs('video'), pairs, mode='loss')
    assert set(losses) == {'loss_vtc', 'loss_vtm', 'temperature'}
    assert model(golden_inputs('video')).tokens.shape[0] == 4
