"""Limits of the configs in files of others.

mmengine imports ``custom_imports``, and takes a ``type`` of no registry for
the path of any Python object.
"""
from contextlib import suppress
from importlib import import_module
from typing import Any, Dict, Iterator, Set

from mmengine import registry
from mmengine.registry import Registry

SCOPES = ('mmvideomamba', 'mmaction', 'mmpretrain', 'mmengine', 'mmcv')
HOSTS = ('mmaction', 'mmpretrain')


def refuse_foreign_code(config: Dict[str, Any], source: str,
                        remedy: str) -> None:
    """Refuse a config that could run other code than ours and the hosts'.

    Args:
        config (dict): With ``model``, ``default_scope``, ``custom_imports``.
        source (str): The file, for the error.
        remedy (str): The way for a trusted file, for the error.

    Raises:
        ValueError: If the config imports other packages, or names a type
            that neither ours nor the hosts' registers.
    """
    imports = (config.get('custom_imports') or {}).get('imports') or []
    imports = [imports] if isinstance(imports, str) else imports
    wrong = [
        f'custom_imports of {x!r}' for x in imports
        if str(x).partition('.')[0] not in SCOPES
    ]
    scope = config.get('default_scope')
    if scope not in HOSTS:
        wrong.append(f'default_scope {scope!r}')
    if not wrong:
        known = registered_names()
        for part in ('model', 'data_preprocessor'):
            wrong += _wrong_values(config.get(part), known)
    if wrong:
        raise ValueError(f'{source} asks for {", ".join(wrong)}, which could '
                         f'run code of other packages. {remedy}')


def registered_names() -> Set[str]:
    """Return the names of all types of ours and the hosts'.

    Returns:
        set[str]: Names without scopes.
    """
    for scope in SCOPES[:3]:
        import_module(f'{scope}.registry')
    names: Set[str] = set()
    waiting = [x for x in vars(registry).values() if isinstance(x, Registry)]
    while waiting:
        one = waiting.pop()
        # The hosts name some modules without having them.
        with suppress(ImportError):
            one.import_from_location()
        names |= set(one.module_dict)
        waiting += one.children.values()
    return names


def _wrong_values(value: Any, known: Set[str]) -> Iterator[str]:
    """Find types and scopes that are not ours or the hosts'."""
    if isinstance(value, (list, tuple, set)):
        for one in value:
            yield from _wrong_values(one, known)
    if not isinstance(value, dict):
        return
    for key, one in value.items():
        if key == 'type' and isinstance(one, str):
            scope, dot, name = one.rpartition('.')
            if name not in known or dot and scope not in SCOPES:
                yield f'type {one!r}'
        elif key == '_scope_' and one not in SCOPES:
            yield f'_scope_ {one!r}'
        elif key == 'trust_remote_code' and one:
            yield 'trust_remote_code'
        else:
            yield from _wrong_values(one, known)
