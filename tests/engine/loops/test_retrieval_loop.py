"""All videos and texts are encoded, scored and handed to the metric once."""
import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List

import pytest
import torch
from bad_media_run import FakeDecode, listed, medium
from mmaction.datasets.transforms import PackActionInputs
from mmengine.evaluator import Evaluator
from mmengine.model import BaseDataPreprocessor, BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mmvideomamba.datasets import RetrievalDataset
from mmvideomamba.engine.hooks import BadMediaHook
from mmvideomamba.engine.loops import (RetrievalTestLoop, RetrievalValLoop,
                                       retrieval_loop)
from mmvideomamba.engine.loops.retrieval_loop import Pairs
from mmvideomamba.evaluation import VideoTextRecall
from mmvideomamba.models.multimodal import RetrievalScores

# Similarity of 3 videos (rows) and 4 texts. Text 1 is nearest to video 0
# instead of video 1; every other text is nearest to a matching video.
DUAL = torch.tensor([[.9, .8, .1, .2], [.1, .3, .7, .1], [.2, .1, .2, .6]])
# The judge finds the right partner each time.
JUDGED = torch.tensor([[5., 1, 0, 0], [0, 6, 5, 0], [0, 0, 0, 4]])


class Videos(Dataset):
    """Numbers of videos, and the matching texts of each."""
    metainfo: dict = {}
    texts = ['a', 'b', 'c', 'd']
    videos_of_text = [[0], [1], [1], [2]]
    texts_of_video = [[0], [1, 2], [3]]

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> int:
        return index


class Scorer:
    """Hand out scores after all videos were added."""

    def __init__(self, topk: int) -> None:
        self.topk = topk
        self.added: List[int] = []

    def expect(self, videos: int) -> None:
        self.expected = videos

    def add_videos(self, inputs: torch.Tensor, ids: List[int]) -> None:
        assert not torch.is_grad_enabled()
        assert inputs.tolist() == ids
        self.added += ids

    def score(self, texts: List[str]) -> RetrievalScores:
        assert texts == Videos.texts and self.added == [0, 1, 2]
        return RetrievalScores(DUAL, JUDGED, JUDGED.t())


class Model(nn.Module):
    """A model with numbers as videos."""

    def tokenize(self, texts: List[str]) -> None:
        assert texts == ['a'] and not self.training

    def retrieval_scorer(self, topk: int = 2) -> Scorer:
        return Scorer(topk)

    def data_preprocessor(self, batch: List[int], training: bool) -> dict:
        samples = [SimpleNamespace(video_index=i) for i in batch]
        return dict(inputs=torch.tensor(batch), data_samples=samples)


def build(kind: type, **kwargs: Any) -> Any:
    runner = SimpleNamespace(
        model=Model(),
        calls=[],
        logger=logging.getLogger('retrieval'),
        visualizer=SimpleNamespace())
    runner.call_hook = lambda name, **_: runner.calls.append(name)
    loader = DataLoader(Videos(), batch_size=2, collate_fn=list)
    evaluator = Evaluator(VideoTextRecall(topk=(1, )))
    return kind(runner, loader, evaluator, **kwargs)


def test_recalls_of_judge_and_encoders() -> None:
    found = build(RetrievalTestLoop).run()
    # Every video has a matching text first, three of four texts a matching
    # video.
    assert found['v2t_emb/R@1'] == 100 and found['t2v_emb/R@1'] == 75
    assert found['v2t/R@1'] == found['t2v/R@1'] == 100
    assert found['mean_recall'] == 100


def test_without_a_judge_only_the_encoders_count() -> None:
    found = build(RetrievalValLoop, topk=0).run()
    assert {key.split('/')[0]
            for key in found} == {'t2v_emb', 'v2t_emb', 'mean_recall_emb'}


def test_arguments_are_refused_before_a_run() -> None:
    with pytest.raises(ValueError, match="Loop .val_cfg.: .*'topkk'"):
        build(RetrievalValLoop, topkk=3)


@pytest.mark.parametrize('kind, stage', [(RetrievalValLoop, 'val'),
                                         (RetrievalTestLoop, 'test')])
def test_hooks_are_called_as_by_the_host(kind: type, stage: str) -> None:
    loop = build(kind)
    loop.run()
    assert loop.runner.calls == [
        f'before_{stage}', f'before_{stage}_epoch',
        *[f'before_{stage}_iter', f'after_{stage}_iter'] * 2,
        f'after_{stage}_epoch', f'after_{stage}'
    ]


@pytest.mark.parametrize('world', [1, 3, 4])
def test_queries_are_shared_by_the_processes(monkeypatch, world: int) -> None:
    """Query i belongs to process i % world; the metric drops repetitions."""
    taken: Dict[int, List[tuple]] = {}
    for rank in range(world):
        monkeypatch.setattr(retrieval_loop.dist, 'get_dist_info', lambda:
                            (rank, world))
        loop = build(RetrievalTestLoop)
        process = loop.evaluator.process
        monkeypatch.setattr(
            loop.evaluator, 'process', lambda queries, _: taken.update(
                {rank: [(q['group'], *q['positives'])
                        for q in queries]}) or process(queries, None))
        monkeypatch.setattr(loop.evaluator, 'evaluate', lambda size: size)
        assert loop.run() == 14  # of 4 texts and 3 videos, twice
    wanted = [(f'{group}{tail}', *right) for tail in ('', '_emb')
              for group, way in (('t2v', Videos.videos_of_text),
                                 ('v2t', Videos.texts_of_video))
              for right in way]
    counts = {len(share) for share in taken.values()}
    assert counts == {-(-14 // world)}
    joined = [q for share in zip(*taken.values()) for q in share]
    assert joined[:14] == wanted


def test_bad_videos_leave_the_candidates() -> None:
    """Texts without a good video leave together with the bad videos."""
    data = SimpleNamespace(
        texts=['a', 'b', 'c', 'd'],
        videos_of_text=[[0], [1, 2], [1], [2]],
        texts_of_video=[[0], [1, 2], [1, 3]])
    assert Pairs.of(data, {}) == ([0, 1, 2], *vars(data).values())
    pairs = Pairs.of(data, {1: medium('1.mp4')})
    assert pairs == ([0, 2], ['a', 'b', 'd'], [[0], [1], [1]], [[0], [1, 2]])
    with pytest.raises(ValueError, match='3 of 3 videos are left out'):
        Pairs.of(data, {i: medium(f'{i}.mp4') for i in range(3)})


def test_evaluation_without_a_bad_video(monkeypatch) -> None:
    bad = {1: [medium('1.mp4', sample=1)]}
    monkeypatch.setattr(
        retrieval_loop, 'bad_media_in',
        lambda data: [bad.get(i, []) for i in data['inputs'].tolist()])

    def score(self, texts: List[str]) -> RetrievalScores:
        assert texts == ['a', 'd'] and self.kept == [0, 2]
        dual = DUAL[[0, 2]][:, [0, 3]]
        return RetrievalScores(dual, dual, dual.t())

    monkeypatch.setattr(Scorer, 'score', score)
    monkeypatch.setattr(
        Scorer,
        'renumber',
        lambda self, videos: setattr(self, 'kept', videos),
        raising=False)
    loop = build(RetrievalTestLoop)
    found = loop.run()
    assert found['bad_media'] == 1 and found['texts_left_out'] == 2
    assert found['v2t_emb/R@1'] == found['t2v_emb/R@1'] == 100


class RealScorer(Scorer):
    """Score videos by number; a text holds the number of its video."""

    def add_videos(self, inputs: torch.Tensor, ids: List[int]) -> None:
        self.added += zip(ids, inputs[:, 0].int().tolist())

    def renumber(self, videos: List[int]) -> None:
        places = {video: i for i, video in enumerate(videos)}
        self.added = [(places[video], n) for video, n in self.added]

    def score(self, texts: List[str]) -> RetrievalScores:
        numbers = [n for _, n in sorted(self.added)]
        dual = torch.tensor([[float(str(n) in text) for text in texts]
                             for n in numbers])
        return RetrievalScores(dual, dual, dual.t())


class RealModel(BaseModel):
    """A model of the samples of a ``RetrievalDataset``."""

    def forward(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""

    def tokenize(self, texts: List[str]) -> None:
        """Do nothing."""

    def retrieval_scorer(self) -> RealScorer:
        return RealScorer(2)


class Stack(BaseDataPreprocessor):
    """Stack the videos."""

    def forward(self, data: dict, training: bool = False) -> dict:
        return dict(data, inputs=torch.stack(data['inputs']))


def test_bad_files_of_a_real_set(tmp_path: Path) -> None:
    names = ['0', '1_bad', '2', '3', '4_bad']
    entries = [
        dict(video=f'{n}.mp4', caption=[f'a {n[0]}', f'the {n[0]}'])
        for n in names
    ]
    # A text with a second, good video.
    entries.append(dict(video=['4_bad.mp4', '3.mp4'], caption='with 3'))
    (tmp_path / 'x.json').write_text(json.dumps(entries))
    steps = [FakeDecode(), PackActionInputs(algorithm_keys=('video_index', ))]
    runner = Runner(
        RealModel(Stack()),
        str(tmp_path),
        default_scope='mmengine',
        custom_hooks=[BadMediaHook()],
        test_dataloader=dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
            dataset=RetrievalDataset(
                str(tmp_path / 'x.json'),
                steps,
                check_files=False,
                test_mode=True,
                bad_media='report')),
        test_cfg=dict(type='mmvideomamba.RetrievalTestLoop'),
        test_evaluator=[VideoTextRecall(topk=(1, ))])
    found = runner.test()
    assert found['bad_media'] == 2 and found['texts_left_out'] == 4
    assert found['t2v/R@1'] == found['v2t/R@1'] == 100
    assert listed(tmp_path, 'test').keys() == {'1_bad', '4_bad'}
