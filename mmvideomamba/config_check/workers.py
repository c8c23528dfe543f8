"""Settings of data loaders for worker processes."""
from typing import Any, Iterator, List


def worker_faults(cfg: Any, *loaders: str) -> List[str]:
    """Find loaders without workers, but with settings of workers.

    torch refuses the combination in a traceback only.

    Args:
        cfg (Config | dict): The config.
        *loaders (str): Keys of data loaders.

    Returns:
        list[str]: A sentence per fault.
    """
    return [fault for key in loaders for fault in _faults(cfg, key)]


def _faults(cfg: Any, key: str) -> Iterator[str]:
    loader = cfg.get(key)
    if not isinstance(loader, dict):
        return
    workers = loader.get('num_workers', 0)
    if not isinstance(workers, int) or workers < 0:
        yield (f'{key}.num_workers must be an integer of at least 0, but is '
               f'{workers!r}')
    elif workers == 0:
        for name, off in (('persistent_workers', False), ('prefetch_factor',
                                                          None)):
            if loader.get(name) not in (off, None):
                yield (f'{key}.{name}={loader[name]!r} needs workers, but '
                       f'{key}.num_workers is 0; add {key}.{name}={off}, or '
                       f'set {key}.num_workers to 1 or more')
