"""Loaders, samplers and data sets under a policy for bad media."""
from typing import Any, List, Optional

from mmengine.dataset import InfiniteSampler

from mmvideomamba.datasets.inner_sets import inner_sets, policy_sets
from mmvideomamba.datasets.samplers import PlacedSampler
from mmvideomamba.datasets.transforms import OpenVideo


def loaders_of(loader: Any) -> List[Any]:
    """Return the data loaders of a loop; a loader may join several.

    Args:
        loader (DataLoader | ModalityLoader): Of the loop.

    Returns:
        list[DataLoader]: At least a loader.
    """
    loaders = getattr(loader, 'loaders', None)
    return list(loaders.values()) if isinstance(loaders, dict) else [loader]


def readers_of(loader: Any) -> List[str]:
    """Return the names of the readers of videos in the pipelines of a loop.

    Args:
        loader (DataLoader | ModalityLoader): Of the loop.

    Returns:
        list[str]: Each name once, such as 'auto'.
    """
    found = {
        step.reader
        for one in loaders_of(loader)
        for dataset in inner_sets(one.dataset)
        for step in getattr(
            getattr(dataset, 'pipeline', None), 'transforms', [])
        if isinstance(step, OpenVideo)
    }
    return sorted(found)


def tell_places(loader: Any, seed: int) -> Optional[PlacedSampler]:
    """Let a loader's numbers of samples carry seed, epoch and position.

    Args:
        loader (DataLoader): Not yet iterated over.
        seed (int): The same on each process.

    Returns:
        PlacedSampler, optional: The sampler; None for a loader without
        numbers, or without a policy.
    """
    datasets = list(policy_sets(loader.dataset))
    if not datasets:
        return None
    # A data set with 'report' raises without the mark, since nothing would
    # keep bad samples out of the metrics.
    for dataset in datasets:
        dataset.watched = True
    batches: Any = getattr(loader, 'batch_sampler', None)
    batches = getattr(batches, 'batches', batches)
    sampler = getattr(batches, 'sampler', None)
    if sampler is None:
        return None
    if not isinstance(sampler, PlacedSampler):
        batches.sampler = PlacedSampler(sampler, seed)
    return batches.sampler


def begin_anew(loop: Any, loader: Any) -> None:
    """Let a loop read anew, if the loop began before its loader was set.

    ``IterBasedTrainLoop`` starts the workers while being built, and these
    would go on without later settings: with ``InfiniteSampler`` for ever.

    Args:
        loop (BaseLoop): Of the training, before the first batch.
        loader (DataLoader): Of the loop.
    """
    iterator = getattr(loop, 'dataloader_iterator', None)
    if iterator is None or not loader.num_workers:
        return
    sampler = loader.sampler
    if isinstance(sampler, InfiniteSampler):
        # The numbers drawn ahead for the workers would be left out.
        sampler.indices = sampler._indices_of_rank()
    loop.dataloader_iterator = None  # ends the workers
    loop.dataloader_iterator = type(iterator)(loader)
