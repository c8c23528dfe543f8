"""The keywords of a class or function, followed through the bases."""
import ast
import functools
import inspect
import textwrap
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Set

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD,
          inspect.Parameter.KEYWORD_ONLY)

# ``**kwargs`` go to a function without an argument left to give.
_CLOSED = ('mmengine.hooks.checkpoint_hook.CheckpointHook', )


@functools.lru_cache(maxsize=None)
def keywords(target: Callable) -> Optional[FrozenSet[str]]:
    """Return the keywords of a call.

    ``**kwargs`` are followed into the next class of the method resolution
    order, if they go to ``super().__init__(..., **kwargs)`` and nowhere else.

    Args:
        target (Callable): A class or a function.

    Returns:
        frozenset[str], optional: The names; None if unknown: ``**kwargs``
        serve another purpose, or there is no source.
    """
    if not inspect.isclass(target):
        found = _parameters(target)
        if found is None or found['']:
            return None
        return frozenset(found) - {''}
    own: Any = target
    if own.__init__ is object.__init__:
        plain = own.__new__ is object.__new__
        return frozenset() if plain else None
    names: set = set()
    owners = [c for c in own.__mro__ if '__init__' in vars(c)]
    for owner in owners:
        if owner is object:
            break
        init = vars(owner)['__init__']
        found = _parameters(init)
        if found is None:
            return None
        rest = found.pop('')
        names.update(list(found)[1:])  # without self
        if not rest:
            break
        if f'{owner.__module__}.{owner.__qualname__}' in _CLOSED:
            break
        # A class hands the rest to the base, less what the class takes out.
        popped = _taken_on_the_way(init, rest)
        if popped is None:
            return None
        names.update(popped)
    return frozenset(names)


def named_keywords(target: Callable) -> FrozenSet[str]:
    """Return the keywords in the signature of a class or function.

    Args:
        target (Callable): A class or a function.

    Returns:
        frozenset[str]: The names, without ``**kwargs``.
    """
    return frozenset(_parameters(target) or {}) - {''}


def _parameters(function: Any) -> Optional[Dict[str, str]]:
    """Return the named parameters, and under '' the name of ``**kwargs``."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    found = {p.name: p.name for p in parameters if p.kind in _NAMED}
    rest = [p.name for p in parameters if p.kind is p.VAR_KEYWORD]
    return {**found, '': rest[0] if rest else ''}


def _taken_on_the_way(function: Any, rest: str) -> Optional[Set[str]]:
    """Follow the use of ``**kwargs`` in the source of an ``__init__``.

    Args:
        function (Callable): The ``__init__``, decorated or not.
        rest (str): Name of the argument with two asterisks.

    Returns:
        set[str], optional: Keys popped by name; None if ``**kwargs`` do not
        go to the next ``__init__``, or elsewhere as well.
    """
    try:
        source = inspect.getsource(inspect.unwrap(function))
        tree = ast.parse(textwrap.dedent(source))
    except (OSError, TypeError, SyntaxError):
        return None
    known: List[ast.AST] = []  # uses without surprise
    taken: Set[str] = set()
    passed = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            known.append(node.value)
        elif isinstance(node, ast.Compare):
            known += node.comparators
        elif isinstance(node, ast.Call) and _is_super_init(node.func):
            spread = [k.value for k in node.keywords if k.arg is None]
            passed += sum(_is_name(value, rest) for value in spread)
            known += spread
        elif isinstance(node, ast.Call) and isinstance(
                node.func, ast.Attribute) and node.args and isinstance(
                    node.args[0], ast.Constant):
            if node.func.attr in ('get', 'pop', 'setdefault'):
                known.append(node.func.value)
                if node.func.attr == 'pop' and _is_name(node.func.value, rest):
                    taken.add(str(node.args[0].value))
    understood = [node for node in known if _is_name(node, rest)]
    # Any other use may take any key: no statement then.
    uses = [node for node in ast.walk(tree) if _is_name(node, rest)]
    return taken if passed and len(uses) == len(understood) else None


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_super_init(node: ast.expr) -> bool:
    """Recognise ``super().__init__`` and ``super(Class, self).__init__``."""
    if not isinstance(node, ast.Attribute) or node.attr != '__init__':
        return False
    inner = node.value
    return isinstance(inner, ast.Call) and isinstance(
        inner.func, ast.Name) and inner.func.id == 'super'
