"""Keys of a config's dict unknown to the class."""
import difflib
import inspect
from typing import (Any, Callable, Collection, Dict, Iterable, Iterator, List,
                    Optional)

from mmengine.registry import FUNCTIONS, Registry
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

from .parts import HOOK_TYPES, Part, parts_of
from .signature import keywords, named_keywords

_LOCAL = ('disk', 'local')
# Keys taken away by mmengine before the call of the class.
_COMMON = ('type', '_scope_')
_LOADER = ('dataset', 'sampler', 'batch_sampler', 'collate_fn',
           'worker_init_fn', 'num_batch_per_epoch',
           'disable_subprocess_warning')
_PARAMWISE = ('bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult',
              'flat_decay_mult', 'dwconv_decay_mult', 'dcn_offset_lr_mult',
              'bypass_duplicate', 'custom_keys')

_PLAIN = dict(
    env_cfg=('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'),
    randomness=('seed', 'diff_rank_seed', 'deterministic'),
    auto_scale_lr=('enable', 'base_batch_size'))


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return a question for the names most like a given name.

    Args:
        name (str): The name.
        known (Iterable[str]): Existing names.
        cutoff (float): Least similarity, from 0 to 1. Defaults to 0.6.

    Returns:
        str: Such as ``'; did you mean lr?'``, or '' if no name is alike.
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, 1, 0.9) or \
        difflib.get_close_matches(name, names, 3, cutoff)
    return f'; did you mean {" or ".join(near)}?' if near else ''


def find_type(registry: Registry, kind: Any, scope: str) -> Optional[Callable]:
    """Find the class or function of a type.

    Args:
        registry (Registry): A root registry of mmengine.
        kind (Any): The type, a name or a class.
        scope (str): The default scope of the config.

    Returns:
        Callable, optional: None if the registry has no such name, or the
        modules of the type cannot be imported.
    """
    if not isinstance(kind, str):
        return kind if callable(kind) else None
    try:
        with registry.switch_scope_and_registry(scope) as scoped:
            return scoped.get(kind)
    except Exception:  # of any kind, from a module of the host
        return None


def type_faults(cfg: Any, scope: str) -> List[str]:
    """List the keys of a config unknown to the types.

    Args:
        cfg (Config | dict): The config.
        scope (str): Default scope.

    Returns:
        list[str]: A sentence per key or type, with the place in front. No
        sentence stands for types without import and for unknown keywords.
    """
    faults: List[str] = []
    for part in parts_of(cfg):
        faults += _part_faults(part, scope)
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(key)
        if isinstance(loader, dict) and 'dataset' in loader:
            # mmengine takes some keys and gives the others to DataLoader.
            known = {*inspect.signature(DataLoader).parameters, *_LOADER}
            faults += _unknown(loader, known, key, 'a dataloader')
    for key, names in _PLAIN.items():
        if isinstance(cfg.get(key), dict):
            faults += _unknown(cfg[key], names, key, f'the runner\'s {key}')
    faults += _clipping(cfg.get('optim_wrapper') or {})
    faults += _untyped_hooks(cfg.get('default_hooks') or {})
    return faults + list(_paramwise(cfg.get('optim_wrapper') or {}))


def _part_faults(part: Part, scope: str) -> Iterator[str]:
    """Yield the keys of a dict unknown to the type."""
    scope, kind = part.cfg.get('_scope_') or scope, part.cfg['type']
    target = find_type(part.registry, kind, scope)
    if target is None:
        near = nearest(str(kind), _names(part.registry, scope), 0.85)
        # Without a like name, a package of another kind may be missing.
        if near:
            yield f'{part.place}.type: there is no {kind!r}{near}'
        return
    taken = keywords(target)
    named = named_keywords(target)
    if 'io_backend' in named and taken is None and \
            part.cfg.get('io_backend', 'disk') in _LOCAL:
        taken = named  # the others are for another backend
    if taken is not None:
        name = str(getattr(target, '__name__', kind))
        yield from _unknown(part.cfg, {*taken, *part.extra}, part.place, name)


def _names(registry: Registry, scope: str) -> List[str]:
    """Return the names of types in a config of a scope."""
    if registry is FUNCTIONS:  # filled by imports of other registries
        return []
    names = list(registry.module_dict)
    for child in registry._children.values():
        if child.scope == scope:
            names += child.module_dict
        names += [f'{child.scope}.{name}' for name in child.module_dict]
    return names


def _unknown(cfg: dict, known: Collection[str], place: str,
             name: str) -> Iterator[str]:
    """Yield a sentence for each unknown key."""
    for key in cfg:
        if key not in known and key not in _COMMON:
            yield (f'{place}.{key}: {name} takes no {key!r}' +
                   (nearest(str(key), known)
                    or f' (it takes {", ".join(sorted(known)) or "none"})'))


def _untyped_hooks(hooks: dict) -> Iterator[str]:
    """Yield hooks without a type, of a mistyped name."""
    for name, hook in hooks.items():
        if isinstance(hook, dict) and 'type' not in hook and \
                name not in HOOK_TYPES:
            others = [key for key in (*hooks, *HOOK_TYPES) if key != name]
            yield (f'default_hooks.{name} has no type, and is not a hook of '
                   f'the runner{nearest(name, others)}')


def _clipping(wrapper: dict) -> Iterator[str]:
    """Yield keys of ``clip_grad`` unknown to the function of torch."""
    clip = wrapper.get('clip_grad')
    functions: Dict[str, Callable] = dict(
        norm=clip_grad_norm_, value=clip_grad_value_)
    if not isinstance(clip, dict):
        return
    function = functions.get(clip.get('type', 'norm'))
    if function is not None:
        known = set(inspect.signature(function).parameters) - {'parameters'}
        yield from _unknown(clip, known, 'optim_wrapper.clip_grad',
                            function.__name__)


def _paramwise(wrapper: dict) -> Iterator[str]:
    """Yield mistyped keys of ``paramwise_cfg``, which mmengine passes over."""
    default = 'DefaultOptimWrapperConstructor'
    if wrapper.get('constructor', default) != default:
        return
    for key in wrapper.get('paramwise_cfg') or {}:
        near = nearest(key, _PARAMWISE, 0.75)
        if key not in _PARAMWISE and near:
            yield (f'optim_wrapper.paramwise_cfg.{key}: {default} takes no '
                   f'{key!r}{near}')
