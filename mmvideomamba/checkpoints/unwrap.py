"""Finding the weights of a model below the wrappers of any trainer.

Trainers wrap a state dict under a key (``model``, ``state_dict_ema``, ...),
and modules put a prefix before each name (``module.`` of DataParallel,
``_orig_mod.`` of torch.compile, ``model.`` of Lightning, ...), several at once
and in any order. Both are read word by word: ``ema_model_state_dict`` needs no
entry in a table. A file with several models of equal rank is refused.
"""
import re
from typing import (Any, Dict, Iterator, List, Mapping, NamedTuple, Sequence,
                    Tuple)

from mmengine.logging import print_log
from torch import Tensor

# Words of wrappers and prefixes around weights as the optimizer left them.
_PLAIN = frozenset(
    'state dict statedict model models module net network param params '
    'parameters weight weights student online backbone encoder trunk vision '
    'visual video checkpoint ckpt orig mod forward fsdp wrapped base best '
    'final last latest pretrained trained classifier callback callbacks ddp '
    'dp image unwrapped'.split())
# Words of wrappers and prefixes around an average over the training.
_AVERAGED = frozenset(
    'ema avg averaged averaging average mean polyak swa shadow teacher '
    'target'.split())
# Wrappers of single modules may stand anywhere in a name.
_TRANSPARENT = re.compile(
    r'(?<![^.])(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|'
    r'_forward_module|_fpw_module)\.')
_BLOCK = re.compile(r'(?:^|(?<=\.))layers\.\d+\.mixer\.')
# A prefix from here on is a part of the model, not a wrapper around all.
_PARTS = ('backbone', 'encoder', 'vision_encoder')
_MAX_DEPTH = 8


class Unwrapped(NamedTuple):
    """The weights of a model, and the place where the file holds them.

    Args:
        weights (dict[str, Tensor]): Under the names of the model.
        place (str): Keys and prefix that were removed, '' for none.
        averaged (bool): Whether the weights are known to be EMA weights.
        other (str): Place of EMA weights left out, '' for none.
        unknown (Sequence[str]): Places of further models left out.
        outside (Sequence[str]): Tensors outside of the model, left out.
    """
    weights: Dict[str, Tensor]
    place: str
    averaged: bool
    other: str = ''
    unknown: Sequence[str] = ()
    outside: Sequence[str] = ()


class _Found(NamedTuple):
    """A model in a file: path of keys, state dict, prefix of the names."""
    path: Tuple[str, ...]
    state: Dict[str, Tensor]
    prefix: str

    @property
    def place(self) -> str:
        return '.'.join((*self.path, self.prefix)) or 'the top of the file'


def _words(name: str) -> List[str]:
    """Split 'model_ema', 'modelEma' or 'ema.0.' into words, no numbers."""
    spaced = re.sub(r'(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])', '_', name)
    return [w for w in re.split(r'[^a-z]+', spaced.lower()) if w]


def is_averaged(name: str) -> bool:
    """Tell whether the name of a wrapper or prefix speaks of an average.

    Args:
        name (str): Keys and prefixes, joined by dots.

    Returns:
        bool: Whether a word such as 'ema' or 'teacher' is among the words.
    """
    return not _AVERAGED.isdisjoint(_words(name))


def _is_known(name: str) -> bool:
    return set(_words(name)) <= _PLAIN | _AVERAGED


def state_dicts(
    node: Mapping, path: Tuple[str, ...] = ()
) -> Iterator[Tuple[Tuple[str, ...], Dict[str, Tensor]]]:
    """Find the state dicts in a file.

    Args:
        node (Mapping): Content of the file, or a part.
        path (tuple[str, ...]): Keys that lead to the part. Defaults to ().

    Yields:
        tuple: The path of keys to a state dict, and the tensors there.
    """
    state = {
        k: v
        for k, v in node.items()
        if isinstance(k, str) and isinstance(v, Tensor)
    }
    # Names of weights have dots; metrics and counters of a trainer seldom do.
    if any('.' in key for key in state):
        yield path, state
    if len(path) == _MAX_DEPTH:
        return
    for key, value in node.items():
        if isinstance(value, (list, tuple)):
            value = dict(zip(map(str, range(len(value))), value))
        if isinstance(key, str) and isinstance(value, Mapping):
            yield from state_dicts(value, (*path, key))


def _clean(state: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Remove wrappers of single modules from the names."""
    return {_TRANSPARENT.sub('', k): v for k, v in state.items()}


def trunk_prefixes(names: Any) -> List[str]:
    """Find the prefix of the blocks of each VideoMamba.

    Args:
        names (Iterable[str]): Keys of a state dict.

    Returns:
        list[str]: Prefixes such as 'module.backbone.', in order; '' where
        the blocks are at the top.
    """
    found: Dict[str, None] = {}
    for name in names:
        block = _BLOCK.search(name)
        if block:
            found[name[:block.start()]] = None
    return list(found)


def holds_videomamba(checkpoint: Mapping) -> bool:
    """Tell whether a file holds a VideoMamba, wherever.

    Args:
        checkpoint (Mapping): What a file holds.

    Returns:
        bool: Whether there are blocks with a mixer and a patch embedding
        and a class token.
    """
    for _, state in state_dicts(checkpoint):
        names = _clean(state)
        if any(
            {f'{p}patch_embed.proj.weight', f'{p}cls_token'} <= names.keys()
                for p in trunk_prefixes(names)):
            return True
    return False


def _mmengine_swapped(checkpoint: Mapping) -> bool:
    """Tell whether the averaged weights were saved as those of the model.

    mmengine's EMAHook and Lightning's weight averaging exchange both when
    saving.
    """
    meta, ema = checkpoint.get('meta'), checkpoint.get('ema_state_dict')
    # EMAHook of mmengine exchanges both state dicts on saving; steps is the
    # counter of mmengine's averaged models.
    by_mmengine = isinstance(ema, Mapping) and 'state_dict' in checkpoint and (
        'steps' in ema
        or isinstance(meta, Mapping) and 'mmengine_version' in meta)
    # Lightning's weight averaging does the same.
    return by_mmengine or ('current_model_state' in checkpoint
                           and 'state_dict' in checkpoint)


def _choose(found: List[_Found], ema: bool,
            swapped: bool) -> Tuple[_Found, bool, str]:
    """Pick a model; tell whether EMA, and the place of further EMA weights."""

    def averaged(item: _Found) -> bool:
        if swapped and item.path and item.path[0] in ('state_dict',
                                                      'ema_state_dict',
                                                      'current_model_state'):
            return item.path[0] == 'state_dict'
        return is_averaged('.'.join((*item.path, item.prefix)))

    if swapped and not ema:
        # Both trainers mean the averaged weights to be loaded.
        ema = any(f.path[:1] == ('state_dict', ) for f in found)
    known = [f for f in found if _is_known('.'.join((*f.path, f.prefix)))]
    if not known and all(_is_known('.'.join(f.path)) for f in found):
        # The prefix is the name of an attribute in the trainer's module.
        known = found
    mean = [f for f in known if averaged(f)]
    plain = [f for f in known if f not in mean]
    choice = mean if ema or not plain else plain
    if not choice:
        places = ', '.join(f.place for f in found)
        if ema and plain:
            raise ValueError('the checkpoint holds no EMA weights, only those '
                             f'at {plain[0].place}; leave the option out')
        raise ValueError(
            f'the checkpoint holds weights at {places}, not under a known '
            'name (state_dict, model, module, net, params and the like, with '
            'or without _ema); save the state_dict in there alone')
    if len(choice) > 1:
        places = ' and '.join(f.place for f in choice)
        raise ValueError(
            f'the checkpoint holds several models, at {places}, and does not '
            'say which one is meant; save the state_dict of one alone')
    other = mean[0].place if mean and choice is plain else ''
    return choice[0], averaged(choice[0]), other


def _outer(prefix: str) -> str:
    """Return the part of a prefix before the whole model."""
    kept: List[str] = []
    for token in prefix.split('.')[:-1]:
        if token in _PARTS:
            break
        kept.append(token + '.')
    return ''.join(kept)


def _model_names(item: _Found, others: List[str]) -> Dict[str, Tensor]:
    """Remove the outer prefix, and the tensors of other models."""
    outer = _outer(item.prefix)
    part = item.prefix[len(outer):]
    short = part
    # A trunk deeper in the model gets the name of the backbone of a model.
    if part.count('.') > 1 and not part.startswith('vision_encoder.'):
        short = 'backbone.'
    weights = {}
    for key, value in item.state.items():
        if any(
                key.startswith(o) for o in others
                if not item.prefix.startswith(o)):
            continue
        if part and key.startswith(item.prefix):
            weights[short + key[len(item.prefix):]] = value
        elif key.startswith(outer):
            weights.setdefault(key[len(outer):], value)
    return weights


def _common_outer(state: Dict[str, Tensor]) -> str:
    """Return the ``module.`` before every tensor of any model, or ''."""
    outer = ''
    while state and all(k.startswith(f'{outer}module.') for k in state):
        outer += 'module.'
    return outer


def _refuse_shard(state: Dict[str, Tensor]) -> None:
    """Refuse the part of the weights that one process of several held."""
    if any(
            key.endswith('flat_param') or (
                _BLOCK.search(key) and not value.numel())
            for key, value in state.items()):
        raise ValueError(
            'the checkpoint is one shard of a model trained by FSDP or '
            'DeepSpeed ZeRO-3, not the whole weights: gather them, by '
            'zero_to_fp32.py of DeepSpeed or a FULL_STATE_DICT of FSDP')


def find_weights(checkpoint: Mapping, ema: bool = False) -> Unwrapped:
    """Find the weights of a model in a file.

    Args:
        checkpoint (Mapping): What a file holds, or a state dict.
        ema (bool): Whether to take the EMA weights. Defaults to False:
            where a file holds both, the weights of the last step.

    Returns:
        Unwrapped: The weights and the place.

    Raises:
        ValueError: If there is no model under a known name, or several, or
            a shard of a model.
    """
    states = [(path, _clean(state)) for path, state in state_dicts(checkpoint)]
    found = [
        _Found(path, state, prefix) for path, state in states
        for prefix in trunk_prefixes(state)
    ]
    if not found:  # another model
        found = [
            _Found(path, state, _common_outer(state)) for path, state in states
            if _is_known('.'.join(path))
        ]
        # The largest state dict of each kind: metrics may hold tensors, too.
        found.sort(key=lambda f: len(f.state))
        largest = {is_averaged('.'.join(f.path)): f for f in found}
        found = list(largest.values())
    if not found:
        if ema:
            raise ValueError('the checkpoint holds no EMA weights; leave the '
                             'option out')
        plain = {k: v for k, v in checkpoint.items() if isinstance(v, Tensor)}
        return Unwrapped(plain, '', False)
    item, averaged, other = _choose(found, ema, _mmengine_swapped(checkpoint))
    _refuse_shard(item.state)
    others = [
        f.prefix for f in found
        if f.path == item.path and f.prefix != item.prefix
    ]
    place = '.'.join((*item.path, _outer(item.prefix)))
    unknown = [
        f.place for f in found
        if f is not item and not _is_known('.'.join((*f.path, f.prefix)))
    ]
    outer = _outer(item.prefix)
    outside = [
        k for k in item.state
        if not k.startswith((outer, *others)) and item.prefix
    ]
    return Unwrapped(
        _model_names(item, others), place, averaged, other, unknown, outside)


def unwrap(checkpoint: Mapping, ema: bool = False) -> Dict[str, Tensor]:
    """Return the weights in a file; log the place of EMA weights.

    Args:
        checkpoint (Mapping): What a file holds, or a state dict.
        ema (bool): Whether to take the EMA weights. Defaults to False.

    Returns:
        dict[str, Tensor]: Under the names of the model; names of parts, like
        ``backbone.``, stay.

    Raises:
        ValueError: If there is no model under a known name, or several.
    """
    found = find_weights(checkpoint, ema)
    if found.other:
        print_log(
            f'The checkpoint holds EMA weights too, at {found.other}; they '
            'are left out. To take them, set ema=True in the init_cfg, or '
            'convert the file with --ema', 'current')
    elif found.averaged:
        print_log(f'The weights at {found.place} are EMA weights', 'current')
    if found.outside:
        print_log(
            f'{len(found.outside)} tensors outside of the model in '
            f'{found.place}*, such as {found.outside[0]}, are left out',
            'current')
    for place in found.unknown:
        print_log(f'Another model in the checkpoint, at {place}, is left out',
                  'current')
    return found.weights
