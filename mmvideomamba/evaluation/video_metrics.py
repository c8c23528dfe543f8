"""Metrics per video, also where several samples are windows of a video."""
from typing import Any, Dict, Hashable, List, Optional, Sequence, Tuple

import numpy as np
from mmaction.evaluation import AccMetric
from mmengine.evaluator import BaseMetric

from mmvideomamba.registry import METRICS


def merge_windows(results: Sequence[dict]) -> List[dict]:
    """Average the predictions of the windows of each video.

    A repeated window, as padding of a distributed sampler, counts once.

    Args:
        results (Sequence[dict]): With ``video`` (id of the video), ``window``
            (id of the window within the video), ``pred`` (np.ndarray) and
            ``label``. Without a ``video`` (None) a result stands alone.

    Returns:
        list[dict]: A ``pred`` and ``label`` for each video, in the order of
        the videos' first windows.

    Raises:
        ValueError: If windows of a video have different labels.
    """
    videos: Dict[Tuple[str, Hashable], Dict[Hashable, dict]] = {}
    for index, result in enumerate(results):
        video = result.get('video')
        # An index could equal the id of a video.
        key = ('alone', index) if video is None else ('video', video)
        windows = videos.setdefault(key, {})
        windows[result.get('window')] = result
    merged = []
    for (_, video), windows in videos.items():
        labels = [one['label'] for one in windows.values()]
        if any(np.any(label != labels[0]) for label in labels):
            raise ValueError(
                f'the windows of video {video} have different labels: '
                f'{sorted(set(map(str, labels)))}; correct the lines of the '
                'video in the annotation file')
        pred = np.mean([one['pred'] for one in windows.values()], axis=0)
        merged.append(dict(pred=pred, label=labels[0]))
    return merged


def _name(results: List[dict], samples: Sequence[dict]) -> None:
    """Write the ids of video and window into the last results."""
    # The host appends a result for each sample, in order.
    for result, sample in zip(results[len(results) - len(samples):], samples):
        result['video'] = sample.get('video_id')
        result['window'] = sample.get('timestamp')


@METRICS.register_module()
class WindowAccMetric(AccMetric):
    """The host's ``AccMetric`` over videos instead of windows.

    The scores of all windows of a video are averaged; the score of a window is
    the mean over clips and crops. Windows of a video share the ``video_id``
    and differ in ``timestamp``, see ``WindowVideoDataset``. The published code
    counts the first window only.

    Args:
        **kwargs: Arguments of ``AccMetric``.
    """

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take the predictions of a batch.

        Args:
            data_batch (Any): Not used.
            data_samples (Sequence[dict]): With ``pred_score``, ``gt_label``,
                ``video_id`` and ``timestamp``.
        """
        super().process(data_batch, data_samples)
        _name(self.results, data_samples)

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Merge the windows, then compute the host's figures.

        Args:
            results (list[dict]): Of all batches and processes.

        Returns:
            dict: The host's figures by name, ``top1`` for instance.
        """
        return super().compute_metrics(merge_windows(results))


@METRICS.register_module()
class MSEMetric(BaseMetric):
    """Mean squared error of a number per video.

    The outputs of all views of a video are averaged, then the error is
    squared, then the mean is taken over videos. Samples with a ``video_id``
    are windows; the windows of a video are merged first.

    Args:
        collect_device (str): 'cpu' or 'gpu', where the processes' results
            are gathered. Defaults to 'cpu'.
        prefix (str, optional): In front of the figures' names. Defaults to
            None, 'regression'.
        collect_dir (str, optional): Folder for the exchange of results
            between processes, with 'cpu'. Defaults to None, a temporary
            folder.

    Source: VideoMamba, arXiv:2403.06977, Section 4.3.
    """
    default_prefix = 'regression'

    def __init__(self,
                 collect_device: str = 'cpu',
                 prefix: Optional[str] = None,
                 collect_dir: Optional[str] = None) -> None:
        super().__init__(collect_device, prefix, collect_dir)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take the predictions of a batch.

        Args:
            data_batch (Any): Not used.
            data_samples (Sequence[dict]): With ``pred_score``, shape (1, ),
                and ``gt_label``, float, shape (1, ).

        Raises:
            ValueError: If a prediction does not have shape (1, ).
        """
        for sample in data_samples:
            pred = sample['pred_score'].cpu().double().numpy()
            if pred.shape != (1, ):
                raise ValueError(
                    f'pred_score has shape {pred.shape} instead of (1, ); '
                    'MSEMetric needs mmvideomamba.VideoMambaRegressionHead')
            self.results.append(
                dict(pred=pred, label=sample['gt_label'].item()))
        _name(self.results, data_samples)

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Merge the windows and compute the error.

        Args:
            results (list[dict]): Of all batches and processes.

        Returns:
            dict: ``mse``.
        """
        merged = merge_windows(results)
        errors = [one['pred'][0] - one['label'] for one in merged]
        return dict(mse=float(np.mean(np.square(errors))))
