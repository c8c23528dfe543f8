"""Stand-ins for the weighted draws of masks and of wrong partners."""
from contextlib import ExitStack
from typing import Any, Callable
from unittest import mock

# The name in each file with draws.
DRAWS = [
    f'mmvideomamba.models.{name}.draw_distinct'
    for name in ('masking.visible_tokens', 'multimodal.video_text_model')
]


def replaced_draws(stand_in: Callable[..., Any]) -> ExitStack:
    """Return a context with another function for draws.

    Args:
        stand_in (Callable): Called as ``draw_distinct``.
    """
    stack = ExitStack()
    for name in DRAWS:
        stack.enter_context(mock.patch(name, stand_in))
    return stack
