"""Accuracy of recognition by prompts."""
from typing import Any, Dict, List, Sequence

from mmaction.evaluation import AccMetric

from mmvideomamba.registry import METRICS


@METRICS.register_module()
class PromptAccMetric(AccMetric):
    """The host's ``AccMetric``, by the judge and by the encoders alone.

    ``top1``, ``top5`` and ``mean1``, the mean over the classes, belong to
    ``pred_score``; ``top1_emb`` and so on to ``emb_score``, in samples with
    both. Shares are from 0 to 1.

    Args:
        **kwargs: Arguments of ``AccMetric``.
    """

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take the predictions of a batch.

        Args:
            data_batch (Any): Not used.
            data_samples (Sequence[dict]): With ``pred_score``, shape (c, ),
                ``gt_label``, shape (1, ), and perhaps ``emb_score``.

        Raises:
            ValueError: If a label is none of the classes.
        """
        for sample in data_samples:
            count = len(sample['pred_score'])
            labels = sample['gt_label'].tolist()
            if len(labels) != 1 or not 0 <= labels[0] < count:
                raise ValueError(
                    f'a sample has the label {labels}, but the data set names '
                    f'{count} classes, from 0 to {count - 1}; correct '
                    'metainfo.classes or the annotation file')
        super().process(data_batch, data_samples)
        # The host appends a result for each sample, in order.
        new = self.results[len(self.results) - len(data_samples):]
        for result, sample in zip(new, data_samples):
            if 'emb_score' in sample:
                result['emb'] = sample['emb_score'].cpu().numpy()

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Compute the host's figures of both scores.

        Args:
            results (list[dict]): Of all batches and processes.

        Returns:
            dict: Figures by name, ``top1`` and ``top1_emb`` for instance.
        """
        found = dict(super().compute_metrics(results))
        # Without a judge the scores are of the encoders already.
        if all('emb' in one for one in results):
            emb = [dict(one, pred=one['emb']) for one in results]
            found.update({
                f'{name}_emb': value
                for name, value in super().compute_metrics(emb).items()
            })
        return found
