"""The table of changes to the tensors of a checkpoint."""
from typing import Dict, List, NamedTuple, Optional, Tuple

from mmengine.logging import print_log

# As many similar tensors have a row each.
_FEW = 4


class Change(NamedTuple):
    """A row of the report, about a tensor.

    Args:
        action (str): A word such as 'renamed', 'resized' or 'dropped'.
        key (str): Name of the tensor in the file, or in the model.
        detail (str): New name, shapes or reason.
    """
    action: str
    key: str
    detail: str


def _pattern(parts: List[str]) -> str:
    """Join parts of a name, layers without their numbers."""
    return '.'.join('*' if part.isdigit() else part for part in (*parts, '*'))


def _kind(change: Change) -> Tuple[str, str, str]:
    """Return the action, names and detail of similar rows."""
    old = change.key.split('.')
    if change.action in ('fresh', 'missing'):
        return change.action, _pattern(old[:-1]), change.detail
    if change.action != 'renamed' or not change.detail.startswith('to '):
        return change.action, _pattern(old[:1]), change.detail
    new = change.detail[len('to '):].split('.')
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return change.action, _pattern(old), f'to {_pattern(new)}'


def group_changes(changes: List[Change]) -> List[Change]:
    """Merge rows about similar tensors, as in the layers of a part.

    Fresh tensors are named more closely than dropped ones.

    Args:
        changes (list[Change]): A row for each tensor.

    Returns:
        list[Change]: A row for each kind, in the order of the first, with the
        number of tensors and the first.
    """
    kinds: Dict[Tuple[str, str, str], List[Change]] = {}
    for change in changes:
        kinds.setdefault(_kind(change), []).append(change)
    found: List[Change] = []
    for (action, names, detail), rows in kinds.items():
        if len(rows) > _FEW:
            detail = f'{detail} ({len(rows)} tensors, such as {rows[0].key})'
            rows = [Change(action, names, detail)]
        found += rows
    return found


def log_changes(changes: List[Change],
                logger: Optional[str] = 'current',
                grouped: bool = True) -> None:
    """Log the changes as a table.

    Args:
        changes (list[Change]): Rows.
        logger (str, optional): mmengine's logger name. Defaults to
            'current'.
        grouped (bool): Whether similar tensors share a row. Defaults to
            True.
    """
    if not changes:
        return
    if grouped:
        changes = group_changes(changes)
    width = max(len(c.key) for c in changes)
    rows = [f'{c.action:<9} {c.key:<{width}} {c.detail}' for c in changes]
    print_log('\n'.join(['VideoMamba checkpoint:'] + rows), logger)
