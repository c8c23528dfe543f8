"""Advice for trainings with waits for data."""
from typing import Any, List, Set

from mmvideomamba.datasets.inner_sets import inner_sets

# Steps of pipelines to open a video file: ours, and the host's.
OPENING = {
    'OpenVideo', 'OpenClip', 'DecordInit', 'PyAVInit', 'OpenCVInit',
    'TorchcodecInit', 'PIMSInit'
}


def steps_of(loaders: List[Any]) -> Set[str]:
    """Return the class names of the steps of the pipelines.

    Args:
        loaders (list[DataLoader]): Of a training.

    Returns:
        set[str]: Names without modules.
    """
    return {
        type(step).__name__
        for loader in loaders
        for dataset in inner_sets(loader.dataset)
        for step in getattr(
            getattr(dataset, 'pipeline', None), 'transforms', [])
    }


def workers_of(loader: Any) -> int:
    """Return the number of workers of a loader.

    Args:
        loader (DataLoader): Or any other iterable, without workers.

    Returns:
        int: 0 if the training's process loads the samples.
    """
    return getattr(loader, 'num_workers', 0)


def advice(loaders: List[Any], cores: int, on_gpu: bool) -> List[str]:
    """Name remedies for waits for data, the best first.

    Args:
        loaders (list[DataLoader]): Of a training.
        cores (int): Cores for the training and its workers.
        on_gpu (bool): Whether the model is on a GPU.

    Returns:
        list[str]: At least an entry.
    """
    steps, found = steps_of(loaders), []
    # A core stays for the thread that launches the work of the model.
    most = max(cores - 1, 1) // len(loaders) or 1
    # With a single core workers would only take turns with the trainer.
    few = [x for x in map(workers_of, loaders) if x < most]
    if few and (cores > 1 or on_gpu):
        found.append(f'train_dataloader.num_workers={most} (now '
                     f'{min(few)}; {cores} cores are usable)')
    if on_gpu and 'ClipRandAugment' in steps:
        found.append("default_hooks.clip_augment.on='device' (RandAugment "
                     'runs in the workers)')
    if steps & OPENING and not few:
        found.append('tools/data/prepare_videos.py, if the videos are '
                     'originals with key frames far apart')
    if not found:
        found.append('more cores for this process, or fewer steps in the '
                     'pipeline, see docs/data_speed.md')
    return found
