"""Evaluator without the samples of bad media."""
import logging
from typing import Any, Dict, List, Optional, Sequence, Sized, cast

from mmengine import dist
from mmengine.dataset import DefaultSampler
from mmengine.logging import print_log
from torch.utils.data import DataLoader

from mmvideomamba.datasets.annotation_faults import fault_list
from mmvideomamba.datasets.bad_medium import BadMedium, bad_media_in


class ReportEvaluator:
    """Hand the host's evaluator only the predictions of real samples.

    A data set with ``bad_media='report'`` puts a marked stand-in in the
    place of an unreadable sample. The stand-ins are left out here, and so is
    the padding of the processes' shares by the host's sampler: the host would
    cut the padding off by counting, and wrongly where samples are missing.

    Args:
        evaluator (Evaluator): The host's.
        dataloader (DataLoader): Of the data set.
    """

    def __init__(self, evaluator: Any, dataloader: DataLoader) -> None:
        self.evaluator, self.dataloader = evaluator, dataloader
        self.size = len(cast(Sized, dataloader.dataset))
        self.seen = 0
        self.left_out: Dict[int, BadMedium] = {}

    def __getattr__(self, name: str) -> Any:
        if name == 'evaluator':  # not yet set, while being copied
            raise AttributeError(name)
        return getattr(self.evaluator, name)

    def start(self) -> None:
        """Forget an interrupted evaluation."""
        self.seen = 0
        self.left_out.clear()

    def process(self,
                data_samples: Sequence[Any],
                data_batch: Optional[Any] = None) -> None:
        """Hand on the predictions of a batch.

        Args:
            data_samples (Sequence[BaseDataElement | dict]): Predictions.
            data_batch (Any, optional): Of the data loader. Defaults to None,
                predictions without a batch.

        Raises:
            ValueError: If the model's predictions cannot be assigned to the
                samples of the batch, or the sampler's padding is unknown.
        """
        if data_batch is None:
            self.evaluator.process(data_samples, None)
            return
        found = bad_media_in(data_batch)
        if len(found) != len(data_samples):
            raise ValueError(
                f"bad_media='report' needs a prediction for each data sample "
                f'of a batch, but the model gave {len(data_samples)} for '
                f'{len(found)}; set bad_media=\'raise\'')
        keep = [self._take(bad) for bad in found]
        counts = [len(self._results(m)) for m in self.evaluator.metrics]
        if all(keep):
            self.evaluator.process(data_samples, data_batch)
        elif any(keep):
            self.evaluator.process(
                _only(data_samples, keep), {
                    k: _only(v, keep)
                    for k, v in data_batch.items()
                })
        # The host puts the results of the processes in order by place, so each
        # sample needs a place.
        if dist.get_world_size() > 1:
            for metric, before in zip(self.evaluator.metrics, counts):
                _hold_places(self._results(metric), before, keep)

    @staticmethod
    def _results(metric: Any) -> list:
        return getattr(metric, 'results', [])

    def _take(self, bad: List[BadMedium]) -> bool:
        """Count a sample; tell whether the sample is for the metrics."""
        rank, world = dist.get_dist_info()
        position = self.seen * world + rank
        self.seen += 1
        # After the last sample the host's sampler repeats the first samples.
        padding = position >= self.size
        if world > 1 and (bad or padding):
            self._check_sampler()
        if world > 1 and padding:
            return False
        if bad:
            # Keyed by position, not by sample number: two joined data sets
            # both number samples from 0.
            self.left_out[position] = bad[0]
        return not bad

    def _check_sampler(self) -> None:
        """Refuse samplers with an unknown order of the samples."""
        sampler = getattr(self.dataloader, 'sampler', None)
        if not isinstance(sampler, DefaultSampler):
            raise ValueError("bad_media='report' on several processes needs "
                             f'DefaultSampler, not {type(sampler).__name__}')

    def evaluate(self, size: int) -> Dict[str, float]:
        """Compute the metrics over the remaining samples.

        Args:
            size (int): Samples of the data set.

        Returns:
            dict[str, float]: Of the host, and ``bad_media``, the samples
            left out, if there are any.

        Raises:
            ValueError: If no sample is left.
        """
        left_out: Dict[int, BadMedium] = {}
        for part in dist.all_gather_object(self.left_out):
            left_out.update(part)
        # The next evaluation begins with an empty record, also after an error
        # below.
        self.start()
        if left_out and len(left_out) >= size:
            raise ValueError(say_left_out(left_out, size))
        metrics = self.evaluator.evaluate(size)
        if left_out:
            print_log(say_left_out(left_out, size), 'current', logging.WARNING)
            metrics['bad_media'] = len(left_out)
        return metrics


def say_left_out(left_out: Dict[int, BadMedium],
                 size: int,
                 unit: str = 'samples') -> str:
    """Say how many samples the metrics do without.

    Args:
        left_out (dict[int, BadMedium]): Reason by number of the sample.
        size (int): All samples.
        unit (str): Plural of a sample. Defaults to 'samples'.

    Returns:
        str: The number, and the first files.
    """
    faults = {bad.file: bad.fault for _, bad in sorted(left_out.items())}
    return fault_list(
        f'{len(left_out)} of {size} {unit} are left out of the metrics, since '
        f'{len(faults)} files are bad',
        [f'{file} {fault}' for file, fault in faults.items()])


def _only(values: Any, keep: Sequence[bool]) -> Any:
    """Take the marked entries of something with an entry for each sample."""
    if isinstance(values, (list, tuple)) and values and isinstance(
            values[0], (list, tuple)):  # of test-time augmentation
        return [_only(view, keep) for view in values]
    if isinstance(values, (list, tuple)) and len(values) == len(keep):
        return [value for value, wanted in zip(values, keep) if wanted]
    return values


def _hold_places(results: list, before: int, keep: Sequence[bool]) -> None:
    """Put None in the place of samples left out; the host drops None.

    The host takes a result of each process in turn: with the places held,
    the results come in the order of the data set.
    """
    new = iter(results[before:])
    if len(results) - before == sum(keep):
        results[before:] = [next(new) if wanted else None for wanted in keep]
