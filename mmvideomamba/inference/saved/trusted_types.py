"""Types in a config from elsewhere: looked up, and never imported."""
import importlib
import re
import sys
from typing import Any, Iterator, List, Mapping, Optional, Tuple

from mmengine.registry import MODELS, TRANSFORMS

from mmvideomamba.checkpoints import from_json

SCOPES = ('mmvideomamba', 'mmaction', 'mmpretrain', 'mmengine', 'mmcv')
# Norms of our layers, built without a registry.
_BUILTIN = ('RMSNorm', 'LN', 'mmvideomamba.RMSNorm', 'mmvideomamba.LN')
# Parts of the hosts that fetch a model by name or read a pickle; transformers
# runs the code that comes with a model if a config says so.
_LOADERS = re.compile(r'mmaction\.models\.(multimodal|similarity|roi_heads)\b|'
                      r'mmpretrain\.models\.(multimodal|retrievers|'
                      r'classifiers\.(hugging_face|timm)|'
                      r'backbones\.timm_backbone|'
                      r'utils\.(huggingface|tokenizer))\b|'
                      r'mmpretrain\.utils\.dependency$')
# mmpretrain evaluates 'torch.' + dtype in its 'torchvision/' steps.
_DTYPE = re.compile(r'\w+')


def _nodes(node: Any, place: str) -> Iterator[Tuple[str, Mapping[str, Any]]]:
    """Yield the dicts in a config, with places."""
    if isinstance(node, Mapping):
        yield place, node
        for key, value in node.items():
            yield from _nodes(value, f'{place}.{key}')
    elif isinstance(node, (list, tuple)):
        for i, value in enumerate(node):
            yield from _nodes(value, f'{place}.{i}')


def _candidates(kind: str) -> List[Any]:
    """List what a type may stand for, without an import by name."""
    scope, _, name = kind.rpartition('.')
    known = [
        registry for root in (MODELS, TRANSFORMS)
        for registry in (root, *root.children.values())
    ]
    if scope in ('', *SCOPES):
        return [
            registry.module_dict[name] for registry in known
            if scope in ('', registry.scope) and name in registry.module_dict
        ]
    # The path of a registered class, as configs in pure Python have.
    found = getattr(sys.modules.get(scope), '__dict__', {}).get(name)
    return [
        found for registry in known
        if any(found is one for one in registry.module_dict.values())
    ]


def _fault(node: Mapping[str, Any]) -> Optional[str]:
    """Say what is wrong with a dict of a config, None for nothing."""
    scope = node.get('_scope_', SCOPES[0])
    if scope not in SCOPES:
        return f'_scope_ is {scope!r}, none of {list(SCOPES)}'
    if 'type' not in node:
        return None
    kind = node['type']
    parts = _candidates(kind) if isinstance(kind, str) else []
    if not parts and kind not in _BUILTIN:
        return (f'type is {kind!r}, which no registry knows; import the '
                f'module that registers {kind!r} first, if you trust it')
    if any(_LOADERS.match(part.__module__) for part in parts):
        return (f'type is {kind!r}, which reads other files or fetches other '
                'models, and maybe their code; no model on a VideoMamba has '
                'such a part')
    dtype = node.get('dtype')
    if '/' in kind and isinstance(dtype, str) and not _DTYPE.fullmatch(dtype):
        return f'dtype is {dtype!r}, which is not the name of a type'
    return None


def _import_registries() -> None:
    """Let the hosts and our package register models and steps."""
    for scope in SCOPES[:3]:
        found = importlib.import_module(f'{scope}.registry')
        for name in ('MODELS', 'TRANSFORMS'):
            getattr(found, name).import_from_location()


def check_types(values: Mapping[str, Any], name: str) -> None:
    """Refuse a config whose types are not in the registries.

    A registry takes any name with a module in front for an import, and would
    run whatever function a config from elsewhere names. Some parts of the
    hosts are refused too: those that run code of their arguments.

    Args:
        values (Mapping): Of ``config_values``, read from a file.
        name (str): Name of the file, for an error.

    Raises:
        ValueError: If a type is not registered, or refused.
    """
    scope = values.get('default_scope')
    if scope not in (None, *SCOPES):
        raise ValueError(f'{name}: default_scope is {scope!r}, none of '
                         f'{list(SCOPES)}')
    _import_registries()
    for key in ('model', 'test_pipeline'):
        for place, node in _nodes(from_json(values.get(key)), key):
            fault = _fault(node)
            if fault:
                raise ValueError(f'{name}: {place}.{fault}')
