"""What the checkpoint hooks of backbone and head share."""
from typing import List, NamedTuple, Optional

from mmengine.logging import print_log


class Change(NamedTuple):
    """A row of the report: what became of one tensor."""
    action: str
    key: str
    detail: str


def unwrap(checkpoint: dict) -> dict:
    """Return the state dict inside a checkpoint file.

    Args:
        checkpoint (dict): Flat, or with the weights under 'state_dict',
            'model' or 'module'.

    Returns:
        dict: Key to tensor.
    """
    for key in ('state_dict', 'model', 'module'):
        if isinstance(checkpoint.get(key), dict):
            return checkpoint[key]
    return checkpoint


def log_changes(changes: List[Change],
                logger: Optional[str] = 'current') -> None:
    """Log the changes as one table, nothing if there are none.

    Args:
        changes (List[Change]): Rows.
        logger (str, optional): mmengine's logger name. Defaults to
            'current'.
    """
    if not changes:
        return
    width = max(len(c.key) for c in changes)
    rows = [f'{c.action:<9} {c.key:<{width}} {c.detail}' for c in changes]
    print_log('\n'.join(['VideoMamba checkpoint:'] + rows), logger)
