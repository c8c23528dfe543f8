"""Evaluation of retrieval over a whole set."""
import math
from time import perf_counter
from typing import Any, Dict, Iterator, List, Union

import torch
from mmengine import dist
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, TestLoop, ValLoop, autocast

from mmvideomamba.registry import LOOPS


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
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        model.eval()
        dataset = self.dataloader.dataset
        # Videos take long; what the tokenizer lacks should show before.
        model.tokenize(dataset.texts[:1])
        start = perf_counter()
        scorer = model.retrieval_scorer(**scorer_cfg)
        for index, batch in enumerate(self.dataloader):
            runner.call_hook(
                f'before_{self.stage}_iter', batch_idx=index, data_batch=batch)
            data = model.data_preprocessor(batch, False)
            with torch.no_grad(), autocast(enabled=self.fp16):
                scorer.add_videos(
                    data['inputs'],
                    [s.video_index for s in data['data_samples']])
            runner.call_hook(
                f'after_{self.stage}_iter',
                batch_idx=index,
                data_batch=batch,
                outputs=None)
        encoded = perf_counter()
        with autocast(enabled=self.fp16):
            scores = scorer.score(dataset.texts)
        runner.logger.info(
            f'retrieval among {len(dataset.texts_of_video)} videos and '
            f'{len(dataset.texts)} texts: videos {encoded - start:.1f} s, '
            f'texts and pairs {perf_counter() - encoded:.1f} s')
        queries = list(self._queries(scores, dataset, scorer.topk > 0))
        rank, world = dist.get_dist_info()
        # Each process takes as many; what is taken twice is cut off again.
        share = [(i * world + rank) % len(queries)
                 for i in range(math.ceil(len(queries) / world))]
        self.evaluator.process([queries[i] for i in share], None)
        return self.evaluator.evaluate(len(queries))

    @staticmethod
    def _queries(scores: Any, dataset: Any,
                 ranked: bool) -> Iterator[Dict[str, Any]]:
        """Yield the queries of both directions, dual scores apart."""
        ways = dict(
            t2v=(scores.t2v, dataset.videos_of_text),
            v2t=(scores.v2t, dataset.texts_of_video)) if ranked else {}
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
        **scorer_cfg: Arguments of ``RetrievalScorer``, such as ``topk`` and
            ``pair_batch``.

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
