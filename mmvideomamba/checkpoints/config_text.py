"""The config in a checkpoint, read as data.

A runner keeps the config as Python text. ``Config.fromstring`` would run the
text, and a checkpoint from elsewhere could do anything with it.
"""
import ast
from typing import Any, Callable, Dict

# mmengine writes numbers by repr, and Python has no literals for both.
_NUMBERS = dict(inf=float('inf'), nan=float('nan'))
_SEQUENCES: Dict[type, Callable] = {
    ast.List: list,
    ast.Tuple: tuple,
    ast.Set: set
}


def _value(node: ast.expr) -> Any:
    """Return a literal, or a call of dict with keywords."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return _SEQUENCES[type(node)](_value(item) for item in node.elts)
    if isinstance(node, ast.Dict):
        keys = [key for key in node.keys if key is not None]
        if len(keys) < len(node.keys):
            raise ValueError('a dict inside a dict by **')
        return {
            _value(key): _value(value)
            for key, value in zip(keys, node.values)
        }
    if isinstance(node, ast.Name) and node.id in _NUMBERS:
        return _NUMBERS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(
            node.op, ast.USub) and isinstance(node.operand, ast.Name):
        return -_value(node.operand)
    if isinstance(node, ast.Call):
        name = getattr(node.func, 'id', '')
        names = [one.arg for one in node.keywords]
        # mmengine writes a dict whose keys are no names as dict({...}).
        tables = all(isinstance(one, ast.Dict) for one in node.args)
        if name == 'dict' and tables and len(node.args) < 2 and (None
                                                                 not in names):
            found = _value(node.args[0]) if node.args else {}
            found.update({k.arg: _value(k.value) for k in node.keywords})
            return found
        # An empty set has no literal.
        if name == 'set' and not node.args and not names:
            return set()
    return ast.literal_eval(node)


def read_config_text(text: str, name: str) -> Dict[str, Any]:
    """Read the config of a runner without running the text.

    Args:
        text (str): ``meta['cfg']`` of a checkpoint: assignments of numbers,
            texts, lists, tuples and dicts.
        name (str): Name of the file, for an error.

    Returns:
        dict[str, Any]: The values by name.

    Raises:
        ValueError: If the text holds anything else; the message names the
            line.
    """
    found: Dict[str, Any] = {}
    line = 0
    try:
        for statement in ast.parse(text).body:
            line = statement.lineno
            if not isinstance(statement, ast.Assign) or len(
                    statement.targets) != 1 or not isinstance(
                        statement.targets[0], ast.Name):
                raise ValueError('no assignment of a value')
            found[statement.targets[0].id] = _value(statement.value)
    # A text made to harm may nest deeper than the parser can go.
    except (SyntaxError, ValueError, TypeError, RecursionError,
            MemoryError) as error:
        raise ValueError(
            f'{name}: the config inside holds more than values, at line '
            f'{getattr(error, "lineno", None) or line}; give the config file '
            'of the training') from error
    return found
