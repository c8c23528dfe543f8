import os
from pathlib import Path

import pytest
import torch
from common import GOLDEN_FLOOR, assert_close, golden
from golden_multimodal import (NAME, GoldenTokenizer, golden_inputs,
                               golden_model)
from mmengine import dist
from preloaded_python import spawn

from mmvideomamba.evaluation import VideoTextRecall
from mmvideomamba.models import VideoTextModel
from mmvideomamba.models.multimodal import log_once, retrieval

CASE = dict(
    loss_weight=dict(vtc=1., vtm=1.), pool_type='cls+avg', keep_temporal=True)
CFG = golden(NAME).config['retrieval_eval']
TEXTS = [str(i) for i in range(6)]


def retrieval_model() -> VideoTextModel:
    data = golden(NAME)
    model = golden_model(CASE, teacher=None, mask_cfg=None, with_mlm=False)
    model.tokenizer = GoldenTokenizer(data['retrieval_eval/in/input_ids'],
                                      data['retrieval_eval/in/attention_mask'])
    return model


def scores(topk: int,
           videos=range(4),
           place='cpu',
           **kwargs) -> retrieval.RetrievalScores:
    model = retrieval_model().to(place)
    scorer = model.retrieval_scorer(topk=topk, **kwargs)
    clips = golden_inputs('video').to(place)
    for i in videos:
        scorer.add_videos(clips[i:i + 1], [i])
    return scorer.score(TEXTS)


RIGHT = dict(
    img=[[CFG['txt2img'][str(i)]] for i in range(6)],
    txt=[CFG['img2txt'][str(i)] for i in range(4)])


def recalls(found: retrieval.RetrievalScores) -> dict:
    """Return the recalls under the published names."""
    metric = VideoTextRecall()
    for suffix, matrices in (('', dict(img=found.t2v, txt=found.v2t)),
                             ('_emb', dict(img=found.dual.t(),
                                           txt=found.dual))):
        for name, matrix in matrices.items():
            metric.process(None, [
                dict(group=name + suffix, scores=row, positives=positives)
                for row, positives in zip(matrix, RIGHT[name])
            ])
    return metric.evaluate(20)


def tie_bounds(row: torch.Tensor, positives: list, k: int) -> tuple:
    """Tell whether the first k hold a right item in all, and in some, orders.

    Items of equal score, such as all items not judged, may come in any order.
    """
    best = row[positives].max()
    better = int((row > best).sum())
    wrong = int((row == best).sum() - (row[positives] == best).sum())
    return better + wrong < k, better < k


@pytest.mark.parametrize('topk', [128, 3])
@pytest.mark.parametrize('pair_batch', [64, 2])
def test_golden_matrices(topk: int, pair_batch: int, place) -> None:
    data = golden(NAME)
    found = scores(
        topk, place=place, pair_batch=pair_batch, text_batch=4, progress=False)
    for name, matrix in (('i2t_x', found.v2t), ('t2i_x', found.t2v),
                         ('i2t_emb', found.dual), ('t2i_emb', found.dual.t())):
        wanted = data[f'retrieval_eval/k{topk}/out/{name}']
        assert torch.equal(matrix == -100, wanted == -100), name
        ranked = wanted != -100
        assert_close(
            matrix[ranked], wanted[ranked], floor=GOLDEN_FLOOR, name=name)


@pytest.mark.parametrize('topk', [128, 3])
def test_golden_recalls(topk: int) -> None:
    """Recalls equal the golden values; unjudged pairs could tie."""
    scored = scores(topk, progress=False)
    found = recalls(scored)
    judged = dict(img=scored.t2v, txt=scored.v2t)
    for kind, suffix in (('rerank', ''), ('emb', '_emb')):
        for name in ('img', 'txt'):
            for k in (1, 5, 10):
                wanted = CFG[f'k{topk}'][kind][f'{name}_r{k}']
                bounds = 100 * torch.tensor([
                    tie_bounds(row, positives, k)
                    for row, positives in zip(judged[name], RIGHT[name])
                ]).double().mean(0)
                if kind == 'rerank':
                    low, high = bounds.tolist()
                    assert low - 0.005 <= wanted <= high + 0.005
                    # No tie crosses rank k, so the recall has one value.
                    assert low == high
                assert found[f'{name}{suffix}/R@{k}'] == pytest.approx(
                    wanted, abs=0.005)


@pytest.mark.parametrize('row, positives, k, bounds', [
    ([1., 0., 0.], [0], 1, (True, True)),
    ([1., 0., 0.], [1], 2, (False, True)),
    ([1., 0., 0.], [1], 1, (False, False)),
    ([0., 0., 0.], [1, 2], 2, (True, True)),
])
def test_mean_over_ties_lies_within_the_bounds(row: list, positives: list,
                                               k: int, bounds: tuple) -> None:
    assert tie_bounds(torch.tensor(row), positives, k) == bounds
    metric = VideoTextRecall(topk=(k, ))
    metric.process(
        None, [dict(group='x', scores=torch.tensor(row), positives=positives)])
    assert bounds[0] <= metric.evaluate(1)[f'x/R@{k}'] / 100 <= bounds[1]


def test_more_than_all_candidates_is_said_once(mm_log, monkeypatch) -> None:
    monkeypatch.setattr(log_once, '_SAID', set())
    found = [scores(128), scores(6, progress=False)]
    for one, other in zip(*found):
        assert torch.equal(one, other)
    said = [line for line in mm_log if 'topk=128 is more than' in line]
    assert len(said) == 1


def test_no_judge() -> None:
    found = scores(0, progress=False)
    assert found.v2t.eq(-100).all() and not found.dual.eq(-100).any()


@pytest.mark.parametrize('kwargs, match', [
    (dict(topk=-1), 'topk of the retrieval.*-1'),
    (dict(topk=1, pair_batch=0), 'pair_batch.*0'),
    (dict(topk=1, video_batch=0), 'video_batch.*0'),
    (dict(topk=2.5), 'topk .*an integer.*2.5'),
])
def test_bad_numbers(kwargs: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        scores(**kwargs)


def test_missing_videos() -> None:
    with pytest.raises(ValueError, match='1 videos were not.*number 1'):
        scores(3, videos=(0, 2, 3), progress=False)
    with pytest.raises(ValueError, match='has 0 and 6'):
        scores(3, videos=(), progress=False)


def test_videos_that_are_left_out() -> None:
    whole = scores(128, progress=False)
    scorer = retrieval_model().retrieval_scorer(topk=128, progress=False)
    clips = golden_inputs('video')
    for i in (3, 0, 2):
        scorer.add_videos(clips[i:i + 1], [i])
    scorer.renumber([0, 2, 3])
    found = scorer.score(TEXTS)
    assert_close(found.dual, whole.dual[[0, 2, 3]])
    assert_close(found.v2t, whole.v2t[[0, 2, 3]])


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2)
    # Process 0 has more videos than process 1.
    share = ((0, 3, 2), (1, ))[rank]
    found = scores(3, share, text_batch=4, progress=False)
    torch.save([*found], os.path.join(folder, f'{rank}.pth'))
    dist.barrier()
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    spawn(work, (str(tmp_path), ), 2)
    wanted = scores(3, text_batch=4, progress=False)
    for rank in range(2):
        found = torch.load(tmp_path / f'{rank}.pth')
        # Batches hold other videos: rounding differs.
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_texts_of_equal_tokens_are_told(mm_log: list) -> None:
    model = retrieval_model()
    ids = model.tokenizer.ids.clone()
    ids[4] = ids[1]
    model.tokenizer.ids = ids
    scorer = model.retrieval_scorer(topk=0)
    scorer.add_videos(golden_inputs('video')[:1], [0])
    scorer.score([*TEXTS, '0'])
    at = mm_log.index("  '1' = '4'")
    assert mm_log[at - 1].startswith('2 of 7 texts have the same tokens as')


def test_scores_without_an_order() -> None:
    """Before, and after, the judge."""
    scorer = retrieval_model().retrieval_scorer(topk=2)
    scorer.add_videos(golden_inputs('video')[:1], [0])
    scorer.model.itm_head.bias.data[1] = float('nan')
    with pytest.raises(ValueError, match='6 of 6 logits of the judge'):
        scorer.score(TEXTS)
    scorer.model.text_proj.bias.data[0] = float('inf')
    with pytest.raises(ValueError, match='6 of 6 similarities .* NaN: the'):
        scorer.score(TEXTS)
