"""Weights of losses: checks, and a warning of a teacher without a loss."""
import logging
import math
from typing import Any

from mmengine.logging import print_log


def check_loss_weight(name: str, value: Any) -> float:
    """Refuse negative weights of losses, and other values than numbers.

    Args:
        name (str): The argument, with the class.
        value (Any): Value of the argument.

    Returns:
        float: The value.

    Raises:
        ValueError: If the value is not a number, negative, infinite or NaN.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:
        raise ValueError(f'{name} must be a finite number, not negative, but '
                         f'is {value!r}; 0 leaves the loss out')
    return value


def warn_unused_teacher(model: str, setting: str) -> None:
    """Log a warning of a teacher without a loss.

    Args:
        model (str): Class of the model.
        setting (str): The setting without the loss.
    """
    print_log(
        f'{model} has a teacher used by no loss ({setting}): it only takes '
        'memory and time. Set a weight above 0, or leave the teacher out',
        'current', logging.WARNING)
