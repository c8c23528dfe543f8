"""Data sets inside of wrappers, such as the host's ConcatDataset."""
from typing import Any, Iterator

from .bad_media import BadMediaMixin


def inner_sets(dataset: Any) -> Iterator[Any]:
    """Yield the data sets inside of any wrappers.

    Args:
        dataset (Dataset): Of a data loader.

    Yields:
        Dataset: A data set without a data set inside.
    """
    # By num_batch_per_epoch of a data loader; all other names lead inside.
    sliced = getattr(dataset, '__dict__', {}).get('_dataset')
    inside = [sliced] if sliced is not None else getattr(
        dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    for one in inside:
        if one is None:
            yield dataset
        else:
            yield from inner_sets(one)


def policy_sets(dataset: Any) -> Iterator[BadMediaMixin]:
    """Yield the data sets with a policy, inside of any wrappers.

    Args:
        dataset (Dataset): Of a data loader.

    Yields:
        BadMediaMixin: A data set.
    """
    for one in inner_sets(dataset):
        if isinstance(one, BadMediaMixin):
            yield one
