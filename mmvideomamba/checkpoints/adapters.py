"""Weights of adapters, such as LoRA, and of the adapted model.

mmpretrain's ``LoRAModel`` keeps a layer as ``NAME.original_layer``, peft as
``NAME.base_layer``, or ``NAME.original_module`` next to the trained copies
``NAME.modules_to_save.ADAPTER``; everything else below ``NAME`` belongs to the
adapter.
"""
import re
from types import MappingProxyType
from typing import Any, Dict, Iterable, List, Mapping, Tuple

from torch import Tensor

from .fit import adapt_checkpoint
from .report import Change

# original_layer is a name of mmpretrain's LoRALinear, the others are of peft.
_KEPT = re.compile(r'\.(?:original_layer|base_layer|original_module)(?=\.)')
_COPY = re.compile(r'\.modules_to_save\.[^.]+(?=\.)')


def plain_name(name: str) -> str:
    """Return the name of a tensor in the model without adapters.

    Args:
        name (str): Name in the model with adapters.

    Returns:
        str: The name without the layer inside.
    """
    return _KEPT.sub('', name)


def adapted_layers(own: Dict[str, Tensor]) -> Tuple[str, ...]:
    """Name the layers with an adapter.

    Args:
        own (dict[str, Tensor]): State dict of the model.

    Returns:
        tuple[str, ...]: Names, each with a dot at the end.
    """
    found = {name[:m.start() + 1] for name in own
             for m in _KEPT.finditer(name)}  # yapf: disable
    return tuple(sorted(found))


def _layer_of(name: str, layers: Tuple[str, ...]) -> str:
    """Return the adapted layer above a tensor, or ''."""
    return next((one for one in layers if name.startswith(one)), '')


def split_adapters(
    state_dict: Dict[str, Tensor],
    layers: Tuple[str, ...],
    own: Iterable[str] = ()
) -> Tuple[Dict[str, Tensor], Dict[str, Tensor]]:
    """Part the weights of adapters from those of the model.

    Args:
        state_dict (dict[str, Tensor]): Weights of a file, or of a model.
        layers (tuple[str, ...]): Of ``adapted_layers``.
        own (Iterable[str]): Plain names of the model, which no adapter has.
            Defaults to ().

    Returns:
        tuple: Weights of the model under plain names, and of the adapters
        under the names in the file.

    Raises:
        ValueError: If the file has adapters, and the model has none.
    """
    if not layers:
        check_no_adapters(state_dict)
        return state_dict, {}
    plain, adapters, own = {}, {}, frozenset(own)
    for name, tensor in state_dict.items():
        layer = _layer_of(name, layers)
        # Below a layer stand weight and bias, or the layer inside.
        inside = bool(layer) and '.' in name[len(layer):]
        if name not in own and ('.lora_' in name or
                                (inside
                                 and not _KEPT.match(name,
                                                     len(layer) - 1))):
            adapters[name] = tensor
        else:
            plain[plain_name(name)] = tensor
    return plain, adapters


def check_no_adapters(state_dict: Dict[str, Tensor]) -> None:
    """Refuse a file of a model with adapters.

    Args:
        state_dict (dict[str, Tensor]): For a model without adapters.

    Raises:
        ValueError: If a tensor belongs to an adapter.
    """
    found = [k for k in state_dict if '.lora_' in k or _KEPT.search(k)]
    if found:
        raise ValueError(
            f'the checkpoint has adapters in {len(found)} tensors, such as '
            f'{found[0]}, but the model has none. Build the model with the '
            'same LoRAModel (of mmpretrain) or peft config, or merge the '
            'adapters before saving.')


def fit_adapters(
    given: Dict[str, Tensor],
    own: Dict[str, Tensor],
    layers: Tuple[str, ...],
    copies: Mapping[str, Tensor] = MappingProxyType({})
) -> Tuple[Dict[str, Tensor], List[Change]]:
    """Refuse adapters of another form.

    Args:
        given (dict[str, Tensor]): Weights of adapters, of a file.
        own (dict[str, Tensor]): All adapters of the model. Of several a file
            may have one.
        layers (tuple[str, ...]): Of ``adapted_layers``.
        copies (Mapping[str, Tensor]): Weights for adapters that the file has
            under plain names. Defaults to none.

    Returns:
        tuple: Weights for the adapters, and a change if the file has none.

    Raises:
        ValueError: If some are missing, have no place or another shape.
    """
    kinds = {name[len(_layer_of(name, layers)):] for name in given}
    faults = [
        f'{k} is missing' for k in own
        if k not in given and k[len(_layer_of(k, layers)):] in kinds
    ]
    faults += [f'{k} has no place' for k in given if k not in own]
    faults += [
        f'{k}: {tuple(given[k].shape)} in the file, {tuple(own[k].shape)} in '
        'the model' for k in own
        if k in given and given[k].shape != own[k].shape
    ]
    if faults:
        raise ValueError(
            f'the adapters of the checkpoint do not fit: {len(faults)} '
            f'tensors differ, such as {faults[0]}. Check that rank and '
            'targets are those of the checkpoint.')
    # Copies start as the layers in the file, so they do not count as fresh.
    fresh = 0 if given else len(own) - len(copies)
    changes = [
        Change('missing', f'{fresh} tensors',
               'of adapters, stay at their initial value')
    ]
    return {**own, **copies, **given}, changes if fresh else []


def adapt_all(
        checkpoint: Mapping[str, Any],
        own: Dict[str, Tensor],
        grid: Tuple[int, int],
        inflation: str = 'center') -> Tuple[Dict[str, Tensor], List[Change]]:
    """Turn a checkpoint into the state dict of a backbone with adapters.

    Args:
        checkpoint (Mapping): A loaded file, wrapped or flat: of a model
            without adapters, or with the same, or of adapters alone.
        own (dict[str, Tensor]): State dict of the backbone to fill.
        grid (tuple[int, int]): Its rows and columns of patches.
        inflation (str): Mode of ``inflate_patch_kernel``. Defaults to
            'center'.

    Returns:
        tuple: Complete state dict for the backbone, and every change made.
        Weights that start fresh are there all the same, for a strict load.

    Raises:
        ValueError: If the file holds another model, or other adapters.
    """
    # Layers of another kind, such as quantised ones, may keep other things.
    others = {
        k: checkpoint[k]
        for k, v in own.items()
        if k in checkpoint and not isinstance(v, Tensor)
    }
    own = {k: v for k, v in own.items() if k not in others}
    layers = adapted_layers(own)
    plain, own_adapters = split_adapters(own, layers)
    given, adapters = split_adapters(
        {
            k: v
            for k, v in checkpoint.items() if k not in others
        }, layers, plain)
    if adapters and all(name.endswith('.bias') for name in given):
        # With bias='all', peft saves adapters and biases alone.
        given = {**plain, **given} if given else {}
    fitted: Dict[str, Tensor] = {}
    changes: List[Change] = []
    # A file of mmpretrain's LoRAModel holds adapters alone.
    if given or not adapters:
        fitted, changes = adapt_checkpoint(given, plain, grid, inflation)
    names = {plain_name(k): k for k in own if k not in own_adapters}
    # A plain file fills the trained copies, too: copies run in the place of
    # the layers.
    copies = {} if adapters else _copies(own_adapters, fitted)
    fitted = {names[k]: fitted.get(k, plain[k]) for k in plain}
    if layers:
        found, rest = fit_adapters(adapters, own_adapters, layers, copies)
        fitted, changes = {**fitted, **found}, changes + rest
    return {**fitted, **others}, changes


def _copies(own: Iterable[str], fitted: Dict[str,
                                             Tensor]) -> Dict[str, Tensor]:
    """Return weights for the copies that are trained in a layer's place."""
    pairs = ((name, _COPY.sub('', name, 1)) for name in own)
    return {name: fitted[plain] for name, plain in pairs
            if name != plain and plain in fitted}  # yapf: disable
