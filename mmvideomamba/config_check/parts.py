"""The dicts of a config to build, each with a registry."""
from typing import Any, Iterator, NamedTuple, Sequence, Tuple

from mmengine import registry as roots
from mmengine.registry import Registry

# Keys of a model and of transforms with a dict to build. A class of a host
# may read dicts under other keys otherwise.
_BUILT = ('backbone', 'neck', 'head', 'cls_head', 'loss_cls', 'loss_module',
          'data_preprocessor', 'module', 'transforms')
_OURS = 'mmvideomamba.'
# Types filled in by the runner.
HOOK_TYPES = dict(
    runtime_info='RuntimeInfoHook',
    timer='IterTimerHook',
    sampler_seed='DistSamplerSeedHook',
    logger='LoggerHook',
    param_scheduler='ParamSchedulerHook',
    checkpoint='CheckpointHook')
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_LOOPS = dict(
    train_cfg='EpochBasedTrainLoop', val_cfg='ValLoop', test_cfg='TestLoop')
_EVALUATORS = ('val_evaluator', 'test_evaluator')


class Part(NamedTuple):
    """A dict for a registry to build.

    Args:
        place (str): Keys from the config to the dict, for messages.
        cfg (dict): The dict.
        registry (Registry): Builds the dict.
        extra (tuple[str]): Keys taken away before the call of the class.
            Defaults to ().
    """
    place: str
    cfg: dict
    registry: Registry
    extra: Tuple[str, ...] = ()


def parts_of(cfg: Any) -> Iterator[Part]:
    """Yield the dicts of a config to build.

    Inside of models and transforms dicts are left out where the class around
    may read them otherwise.

    Args:
        cfg (Config | dict): The config.

    Yields:
        Part: Place, dict and registry.
    """
    for key in ('model', 'data_preprocessor', 'tta_model'):
        yield from _typed(cfg.get(key), key, roots.MODELS)
    for key in _LOADERS:
        yield from _loader(cfg.get(key), key)
    for key, kind in _LOOPS.items():
        loop = cfg.get(key)
        # Without a type, mmengine chooses the loop by by_epoch.
        if isinstance(loop, dict) and not loop.get('by_epoch', True):
            kind = 'IterBasedTrainLoop'
        yield from _one(loop, key, roots.LOOPS, 'by_epoch', default=kind)
    for key in _EVALUATORS:
        for place, item in _items(cfg.get(key), key):
            if 'metrics' in item:
                yield from _one(item, place, roots.EVALUATOR)
                yield from _list(item['metrics'], f'{place}.metrics',
                                 roots.METRICS)
            else:
                yield from _one(item, place, roots.METRICS)
    for place, item in _items(cfg.get('custom_hooks'), 'custom_hooks'):
        yield from _one(item, place, roots.HOOKS, 'priority')
    for name, item in (cfg.get('default_hooks') or {}).items():
        yield from _one(
            item,
            f'default_hooks.{name}',
            roots.HOOKS,
            'priority',
            default=HOOK_TYPES.get(name, ''))
    yield from _optimizer(cfg.get('optim_wrapper'))
    schedulers = cfg.get('param_scheduler')
    # A dict without a type holds schedulers by the names of several
    # optimizers.
    if not isinstance(schedulers, dict) or 'type' in schedulers:
        yield from _list(schedulers, 'param_scheduler', roots.PARAM_SCHEDULERS,
                         'convert_to_iter_based', 'epoch_length')
    yield from _list(
        cfg.get('vis_backends'), 'vis_backends', roots.VISBACKENDS)
    yield from _one(cfg.get('visualizer'), 'visualizer', roots.VISUALIZERS)
    yield from _one(
        cfg.get('log_processor'),
        'log_processor',
        roots.LOG_PROCESSORS,
        default='LogProcessor')


def _items(value: Any, place: str) -> Iterator[Tuple[str, dict]]:
    """Yield a dict, or the dicts of a list, each with the place."""
    if isinstance(value, dict):
        yield place, value
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for i, item in enumerate(value):
            if isinstance(item, dict):
                yield f'{place}.{i}', item


def _one(value: Any,
         place: str,
         registry: Registry,
         *extra: str,
         default: str = '') -> Iterator[Part]:
    """Yield a dict with a type, given or by default."""
    if isinstance(value, dict) and value.get('type', default):
        yield Part(place, dict(dict(type=default), **value), registry, extra)


def _list(value: Any, place: str, registry: Registry, *extra:
          str) -> Iterator[Part]:
    """Yield a dict with a type, or the dicts of a list."""
    for where, item in _items(value, place):
        yield from _one(item, where, registry, *extra)


def _typed(value: Any, place: str, registry: Registry) -> Iterator[Part]:
    """Yield a dict and the dicts inside, however deep."""
    for where, item in _items(value, place):
        yield from _one(item, where, registry)
        ours = str(item.get('type')).startswith(_OURS)
        for key, inner in item.items():
            # norm_cfg and others of ours name types outside of the registries.
            if key in _BUILT or ours and not str(key).endswith('_cfg'):
                yield from _typed(inner, f'{where}.{key}', registry)


def _loader(loader: Any, place: str) -> Iterator[Part]:
    """Yield data sets, pipelines and samplers of a loader."""
    if not isinstance(loader, dict):
        return
    yield from _dataset(loader.get('dataset'), f'{place}.dataset')
    for key in ('sampler', 'batch_sampler'):
        yield from _one(loader.get(key), f'{place}.{key}', roots.DATA_SAMPLERS)
    for key in ('collate_fn', 'worker_init_fn'):
        yield from _one(loader.get(key), f'{place}.{key}', roots.FUNCTIONS)


def _dataset(value: Any, place: str) -> Iterator[Part]:
    """Yield data sets, also inside of wrappers, and the pipelines."""
    for where, item in _items(value, place):
        yield from _one(item, where, roots.DATASETS)
        for key in ('dataset', 'datasets'):
            yield from _dataset(item.get(key), f'{where}.{key}')
        yield from _typed(
            item.get('pipeline'), f'{where}.pipeline', roots.TRANSFORMS)


def _optimizer(wrapper: Any) -> Iterator[Part]:
    """Yield the wrapper of an optimizer, and the optimizer."""
    place = 'optim_wrapper'
    if not isinstance(wrapper, dict) or not isinstance(
            wrapper.get('optimizer'), dict):
        return
    cfg = dict(type='OptimWrapper')
    cfg.update(wrapper)
    yield Part(place, cfg, roots.OPTIM_WRAPPERS,
               ('constructor', 'paramwise_cfg'))
    yield from _one(wrapper['optimizer'], f'{place}.optimizer',
                    roots.OPTIMIZERS)
