"""The table that tells what became of each tensor of a checkpoint."""
from typing import List, NamedTuple, Optional

from mmengine.logging import print_log


class Change(NamedTuple):
    """A row of the report: what became of one tensor.

    Args:
        action (str): A word such as 'renamed', 'resized' or 'dropped'.
        key (str): Name of the tensor in the file, or in the model.
        detail (str): New name, shapes or reason.
    """
    action: str
    key: str
    detail: str


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
