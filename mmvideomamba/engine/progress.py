"""Place within a training, in the message hub and so in each checkpoint.

The record tells how many batches of the current epoch are done, and whether
the model was validated since the last one. The training loops write the
record, ``SafeCheckpointHook`` notes a validation, and a resumed loop goes on
from there.
"""
from typing import Any, Dict

from mmengine.logging import MessageHub

PROGRESS = 'training_progress'  # key in the message hub


def read_progress(hub: MessageHub) -> Dict[str, Any]:
    """Return the record.

    Args:
        hub (MessageHub): Of the runner.

    Returns:
        dict: A copy; {} for a training without a record. ``batches`` (int)
        are the batches done in the current epoch, ``validated`` (bool) tells
        whether the model was validated since the last batch; the training
        loop adds keys about data and processes.
    """
    return dict(hub.get_info(PROGRESS, {}) or {})


def note_progress(hub: MessageHub, **changes: Any) -> None:
    """Change keys of the record.

    Args:
        hub (MessageHub): Of the runner.
        **changes (Any): Keys and values, see ``read_progress``.
    """
    hub.update_info(PROGRESS, dict(read_progress(hub), **changes))
