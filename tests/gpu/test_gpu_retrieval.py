"""Retrieval, answers and options on a GPU as on the CPU."""
import copy
from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from common import assert_close
from flows import BATCH, DEVICE, FLOWS, MARKS, Clips, batch_of, video_text
from mmengine.model import BaseModel
from mmengine.runner import Runner

from mmvideomamba.evaluation import VideoTextRecall
from mmvideomamba.models.multimodal.retrieval import RetrievalScores

pytestmark = MARKS
CLIPS = Clips(4)


def both(**kwargs: Any) -> List[BaseModel]:
    """Return the same model in evaluation mode, on the CPU and the device."""
    model = video_text(**kwargs).eval()
    return [model, copy.deepcopy(model).to(DEVICE)]


def scores(model: BaseModel, topk: int, **kwargs: Any) -> RetrievalScores:
    """Score all clips and texts of the set."""
    scorer = model.retrieval_scorer(topk=topk, progress=False, **kwargs)
    for start in range(0, len(CLIPS), BATCH):
        places = range(start, start + BATCH)
        data = model.data_preprocessor(
            batch_of(FLOWS['retrieval'], places), False)
        scorer.add_videos(data['inputs'], places)
    return scorer.score(CLIPS.texts)


@pytest.mark.parametrize('storage', ['cpu', 'disk', DEVICE.type])
@pytest.mark.parametrize('topk', [3, 128])
def test_scores_as_on_the_cpu(topk: int, storage: str) -> None:
    model, on_device = both()
    wanted = scores(model, topk)
    found = scores(on_device, topk, storage=storage, pair_batch=5)
    for name in ('dual', 'v2t', 't2v'):
        got, value = getattr(found, name), getattr(wanted, name)
        assert torch.equal(got == -100, value == -100), name
        # A score of -100 would set the scale.
        judged = value != -100
        assert_close(got[judged], value[judged], 'chain', name=name)
    assert wanted.v2t.ne(-100).sum() == min(topk, 9) * 8
    assert wanted.v2t[wanted.v2t != -100].std() > 0.01


def recalls(found: RetrievalScores) -> Dict[str, float]:
    """Return the metrics expected from an evaluation."""
    metric = VideoTextRecall()
    for group, matrix, positives in (('t2v', found.t2v, CLIPS.videos_of_text),
                                     ('v2t', found.v2t, CLIPS.texts_of_video),
                                     ('t2v_emb', found.dual.t(),
                                      CLIPS.videos_of_text),
                                     ('v2t_emb', found.dual,
                                      CLIPS.texts_of_video)):
        metric.process(None, [
            dict(group=group, scores=row, positives=right)
            for row, right in zip(matrix, positives)
        ])
    return metric.evaluate(34)


@pytest.mark.parametrize('fp16', [False, True])
def test_evaluation_of_a_runner(fp16: bool, tmp_path: Path) -> None:
    model, on_device = both()
    runner = Runner(
        model=on_device,
        work_dir=str(tmp_path),
        experiment_name=f'retrieval-{fp16}',
        val_dataloader=dict(
            batch_size=BATCH,
            num_workers=0,
            dataset=CLIPS,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate')),
        val_cfg=dict(
            type='mmvideomamba.RetrievalValLoop',
            topk=3,
            fp16=fp16,
            progress=False),
        val_evaluator=dict(type='mmvideomamba.VideoTextRecall'),
        default_scope='mmaction',
        log_level='WARNING')
    assert next(runner.model.parameters()).device.type == DEVICE.type
    found, wanted = runner.val(), recalls(scores(model, 3))
    assert len(wanted) > 12
    if not fp16:
        assert found == pytest.approx(wanted)
        return
    # One or two of 17 queries may change ranks.
    assert found.keys() == wanted.keys()
    assert found['mean_recall'] == pytest.approx(
        wanted['mean_recall'], abs=100 * 2 / 8)


def predictions(model: BaseModel) -> List[Any]:
    """Return the samples with the predictions of the model."""
    return model.val_step(batch_of(FLOWS['retrieval'], range(8)))


def test_answers_as_on_the_cpu() -> None:
    wanted, found = map(predictions, both(kind='VideoTextQA', pair_batch=7))
    answers = [sample.pred_answer for sample in wanted]
    assert [sample.pred_answer for sample in found] == answers
    assert len(answers) == 8 and len(set(answers)) > 1


def test_options_as_on_the_cpu() -> None:
    wanted, found = map(predictions, both(kind='VideoTextMC'))
    for one, other in zip(wanted, found):
        assert_close(
            torch.from_numpy(other.score), torch.from_numpy(one.score),
            'chain')
        assert other.pred_label == one.pred_label
    assert len({sample.pred_label for sample in wanted}) > 1
