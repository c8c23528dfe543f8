"""Batches per epoch, weight decay and precision of a training."""
import copy
import inspect
import os
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, cast

from mmengine.device import get_device
from mmengine.dist import get_world_size
from mmengine.registry import DATASETS, OPTIMIZERS

from .types import find_type

# Longer lists hold more than a batch, and take their time.
_SHORT = 1 << 18  # bytes


def precision_faults(cfg: Any) -> List[str]:
    """Refuse mixed precision on a CPU.

    Args:
        cfg (Config | dict): The config of a training.

    Returns:
        list[str]: A sentence, or none.
    """
    kind = (cfg.get('optim_wrapper') or {}).get('type')
    if kind != 'AmpOptimWrapper' or get_device() != 'cpu':
        return []
    return [
        'optim_wrapper.type is AmpOptimWrapper: mixed precision needs an '
        'accelerator, and this process has none; leave --amp out, or use '
        "type='OptimWrapper' without dtype and loss_scale in a config"
    ]


def decay_warnings(cfg: Any, scope: str) -> List[str]:
    """Name the weight decay of an optimizer whose config gives none.

    Args:
        cfg (Config | dict): The config of a training.
        scope (str): Default scope.

    Returns:
        list[str]: A sentence, or none.
    """
    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer')
    if not isinstance(optimizer, dict) or 'weight_decay' in optimizer:
        return []
    kind = find_type(OPTIMIZERS, optimizer.get('type'), scope)
    try:
        # Without a type the call raises the TypeError below.
        known = inspect.signature(cast(Callable, kind)).parameters
        default = known['weight_decay'].default
    except (KeyError, TypeError, ValueError):
        return []
    used = 'no weight decay' if not default else f'a weight decay of {default}'
    return [
        'optim_wrapper.optimizer gives no weight_decay: '
        f'{optimizer["type"]} trains with {used}, its default'
    ]


def empty_epoch_fault(batches: int, samples: int, batch_size: Optional[int],
                      processes: int) -> List[str]:
    """Refuse a training loader without a batch.

    Args:
        batches (int): Batches of an epoch, in each process.
        samples (int): Samples of the data set.
        batch_size (int, optional): Samples of a batch.
        processes (int): Number of processes.

    Returns:
        list[str]: A sentence, or none.
    """
    if batches:
        return []
    return [
        f'train_dataloader: an epoch has no batch: {samples} samples over '
        f'{processes} process(es) do not fill a batch of {batch_size}, and '
        'drop_last leaves smaller ones out; lower train_dataloader.batch_size'
        ' or set train_dataloader.drop_last=False'
    ]


def early_epoch_faults(cfg: Any, scope: str) -> List[str]:
    """Refuse an epoch without a batch before the runner is built.

    The data set is built if the annotations are a short file.

    Args:
        cfg (Config | dict): The config of a training.
        scope (str): Default scope.

    Returns:
        list[str]: A sentence, or none.

    Raises:
        OSError: If the data set does not find a file.
        ValueError: If the data set refuses a file.
    """
    loader = cfg.get('train_dataloader') or {}
    size, dataset = loader.get('batch_size'), loader.get('dataset') or {}
    sampler = (loader.get('sampler') or {}).get('type')
    if not loader.get('drop_last') or not isinstance(size, int) or \
            sampler != 'DefaultSampler' or \
            loader.get('num_batch_per_epoch') or loader.get('batch_sampler'):
        return []
    if not _is_short(dataset, size * _processes(cfg)):
        return []
    with DATASETS.switch_scope_and_registry(scope) as registry:
        # A build may change dicts inside of the config.
        samples = len(registry.build(copy.deepcopy(dataset)))
    # DefaultSampler repeats samples up to a multiple of the processes.
    each = -(-samples // _processes(cfg))
    return empty_epoch_fault(each // size, samples, size, _processes(cfg))


def _processes(cfg: Any) -> int:
    """Return the number of processes, also before a connection."""
    if cfg.get('launcher', 'none') == 'none':
        return 1
    # Set by torchrun, or by Slurm.
    given = os.environ.get('WORLD_SIZE') or os.environ.get('SLURM_NTASKS')
    return int(given) if given else get_world_size()


def _is_short(dataset: dict, batch: int) -> bool:
    """Tell whether a list may have fewer entries than a batch of all."""
    ann_file = dataset.get('ann_file')
    if not isinstance(ann_file, str) or not ann_file:
        return False
    path = Path(os.path.join(dataset.get('data_root') or '', ann_file))
    if not path.is_file() or path.stat().st_size > _SHORT:
        return False
    # Other formats have no line for each entry.
    if path.suffix not in ('.txt', '.csv'):
        return True
    return sum(1 for _ in _lines(path)) < batch


def _lines(path: Path) -> Iterator[str]:
    with path.open(errors='replace') as file:
        yield from file
