"""Evaluation of retrieval over a whole set."""
import math
from time import perf_counter
from typing import Any, Dict, Iterator, List, NamedTuple, Union

import torch
from mmengine import dist
from mmengine.runner import BaseLoop, TestLoop, ValLoop, autocast

from mmvideomamba.datasets.bad_medium import BadMedium, bad_media_in
from mmvideomamba.engine.inner_model import inner_model
from mmvideomamba.evaluation.report_evaluator import say_left_out
from mmvideomamba.registry import LOOPS
from mmvideomamba.user_error import UserError


class Pairs(NamedTuple):
    """The remaining texts and videos of an evaluation.

    Args:
        videos (list[int]): Numbers of the videos in the data set.
        texts (list[str]): The texts.
        videos_of_text (list[list[int]]): Positions in ``videos``.
        texts_of_video (list[list[int]]): Positions in ``texts``.
    """
    videos: List[int]
    texts: List[str]
    videos_of_text: List[List[int]]
    texts_of_video: List[List[int]]

    @classmethod
    def of(cls, dataset: Any, left_out: Dict[int, BadMedium]) -> 'Pairs':
        """Leave out videos, and texts without any other video.

        Args:
            dataset (RetrievalDataset): In test mode.
            left_out (dict[int, BadMedium]): By number of the video.

        Returns:
            Pairs: The rest.

        Raises:
            ValueError: If no video is left.
        """
        videos = [
            i for i in range(len(dataset.texts_of_video)) if i not in left_out
        ]
        if not videos:
            raise ValueError(say_left_out(left_out, len(left_out), 'videos'))
        place = {video: i for i, video in enumerate(videos)}
        texts = [
            i for i, of_text in enumerate(dataset.videos_of_text)
            if not place.keys().isdisjoint(of_text)
        ]
        text_place = {text: i for i, text in enumerate(texts)}
        return cls(
            videos, [dataset.texts[i] for i in texts],
            [[place[v] for v in dataset.videos_of_text[i] if v in place]
             for i in texts],
            [[text_place[t] for t in dataset.texts_of_video[v]]
             for v in videos])


class _RetrievalMixin(BaseLoop):
    """What validation and test share.

    The data set tells ``texts`` (list[str]), and ``videos_of_text`` and
    ``texts_of_video`` (list[list[int]]); samples have ``video_index``.
    """

    stage: str

    def __init__(self,
                 runner: Any,
                 dataloader: Any,
                 evaluator: Union[dict, List[dict], Any],
                 fp16: bool = False,
                 **scorer_cfg: Any) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        self.scorer_cfg = scorer_cfg
        self._check_scorer()

    def _check_scorer(self) -> None:
        """Refuse arguments of the scorer before the training, not after.

        Raises:
            UserError: If the model has no scorer, or takes other arguments.
        """
        model = inner_model(self.runner.model)
        fault = ''
        if not hasattr(model, 'retrieval_scorer'):
            fault = ('it needs mmvideomamba.VideoTextModel, but the model is '
                     f'{type(model).__name__}')
        else:
            try:
                model.retrieval_scorer(**self.scorer_cfg)
            except (TypeError, ValueError) as error:
                fault = str(error)
        if fault:
            raise UserError(f'{type(self).__name__} ({self.stage}_cfg): '
                            f'{fault}' if dist.is_main_process() else '')

    def run(self) -> Dict[str, float]:
        """Run the evaluation.

        Returns:
            dict[str, float]: Of the evaluator.
        """
        self.runner.call_hook(f'before_{self.stage}')
        self.runner.call_hook(f'before_{self.stage}_epoch')
        metrics = self._retrieve(self.scorer_cfg)
        self.runner.call_hook(f'after_{self.stage}_epoch', metrics=metrics)
        self.runner.call_hook(f'after_{self.stage}')
        return metrics

    def _retrieve(self, scorer_cfg: Dict[str, Any]) -> Dict[str, float]:
        """Encode, score and evaluate."""
        runner = self.runner
        model = inner_model(runner.model)
        model.eval()
        dataset = self.dataloader.dataset
        # Videos take long; what the tokenizer lacks should show before.
        model.tokenize(dataset.texts[:1])
        start = perf_counter()
        scorer = model.retrieval_scorer(**scorer_cfg)
        rank, world = dist.get_dist_info()
        # The scorer names, or refuses, the memory of all videos after the
        # first batch, not after hours.
        scorer.expect(math.ceil(len(dataset) / world))
        left_out: Dict[int, BadMedium] = {}
        for index, batch in enumerate(self.dataloader):
            runner.call_hook(
                f'before_{self.stage}_iter', batch_idx=index, data_batch=batch)
            data = model.data_preprocessor(batch, False)
            found = bad_media_in(data)
            left_out.update((x.sample, x) for bad in found for x in bad)
            self._encode(scorer, data, found)
            runner.call_hook(
                f'after_{self.stage}_iter',
                batch_idx=index,
                data_batch=batch,
                outputs=None)
        encoded = perf_counter()
        for part in dist.all_gather_object(left_out):
            left_out.update(part)
        pairs = Pairs.of(dataset, left_out)
        if left_out:
            scorer.renumber(pairs.videos)
        with autocast(enabled=self.fp16):
            scores = scorer.score(pairs.texts)
        runner.logger.info(
            f'retrieval among {len(pairs.videos)} videos and '
            f'{len(pairs.texts)} texts: videos {encoded - start:.1f} s, '
            f'texts and pairs {perf_counter() - encoded:.1f} s')
        queries = list(self._queries(scores, pairs, scorer.topk > 0))
        # Each process takes as many; what is taken twice is cut off again.
        share = [(i * world + rank) % len(queries)
                 for i in range(math.ceil(len(queries) / world))]
        self.evaluator.process([queries[i] for i in share], None)
        metrics = self.evaluator.evaluate(len(queries))
        if left_out:
            lost = len(dataset.texts) - len(pairs.texts)
            message = say_left_out(left_out, len(dataset), 'videos')
            runner.logger.warning(
                f'{message}\n  {lost} of {len(dataset.texts)} texts, which '
                'have no other video, are left out as well')
            metrics.update(bad_media=len(left_out), texts_left_out=lost)
        return metrics

    def _encode(self, scorer: Any, data: Dict[str, Any],
                found: List[List[BadMedium]]) -> None:
        """Encode the videos of a batch, no stand-ins."""
        keep = [i for i, bad in enumerate(found) if not bad]
        if not keep:
            return
        samples = data['data_samples']
        with torch.no_grad(), autocast(enabled=self.fp16):
            scorer.add_videos(data['inputs'][keep],
                              [samples[i].video_index for i in keep])

    @staticmethod
    def _queries(scores: Any, dataset: 'Pairs',
                 ranked: bool) -> Iterator[Dict[str, Any]]:
        """Yield the queries of both directions, dual scores apart."""
        ways = dict(
            t2v=(scores.t2v, dataset.videos_of_text),
            v2t=(scores.v2t, dataset.texts_of_video)) if ranked else {}
        # (videos, texts) to (texts, videos), a row for each query.
        ways['t2v_emb'] = scores.dual.t(), dataset.videos_of_text
        ways['v2t_emb'] = scores.dual, dataset.texts_of_video
        for group, (matrix, positives) in ways.items():
            for row, right in zip(matrix, positives):
                yield dict(group=group, scores=row, positives=right)


@LOOPS.register_module()
class RetrievalValLoop(_RetrievalMixin, ValLoop):
    """Validate a video-text model by retrieval.

    All videos and texts are encoded; the judge then scores, for each query,
    the ``topk`` nearest candidates by the two encoders. The evaluator is
    ``VideoTextRecall``; its groups 't2v' and 'v2t' are of the judge,
    't2v_emb' and 'v2t_emb' of the encoders.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): Of a ``RetrievalDataset``, with a
            sampler that does not shuffle.
        evaluator (Evaluator | dict | list): ``VideoTextRecall``.
        fp16 (bool): Whether to compute in mixed precision. Defaults to
            False.
        **scorer_cfg: Arguments of ``RetrievalScorer``, such as ``topk``,
            ``pair_batch`` and ``storage``.

    Source: VideoMamba, arXiv:2403.06977, Section 4.4.
    """

    stage = 'val'


@LOOPS.register_module()
class RetrievalTestLoop(_RetrievalMixin, TestLoop):
    """Test a video-text model by retrieval; see ``RetrievalValLoop``.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): See ``RetrievalValLoop``.
        evaluator (Evaluator | dict | list): See ``RetrievalValLoop``.
        fp16 (bool): See ``RetrievalValLoop``. Defaults to False.
        **scorer_cfg: See ``RetrievalValLoop``.
    """

    stage = 'test'
