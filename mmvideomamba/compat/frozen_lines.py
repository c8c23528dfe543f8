"""Let mmengine report frozen parameters together."""
import functools
import logging
import re
import sys
import types
from typing import Any, List

from .workaround import Workaround, installed_version

_LINE = re.compile(r'\.?(\S+) is skipped since its requires_grad=False')


class _FrozenLines(logging.Filter):
    """Collect the names of frozen parameters, and drop the lines."""

    def __init__(self) -> None:
        super().__init__()
        self.names: List[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Return False for the line of a frozen parameter."""
        found = _LINE.fullmatch(record.getMessage())
        if found:
            self.names.append(found[1])
        return found is None


def summary(names: List[str]) -> str:
    """Describe frozen parameters in one line.

    Args:
        names (list[str]): Full names, in order, at least one.

    Returns:
        str: The number in each part of the model.
    """
    parts: List[str] = []
    for name in names:
        parts.append('.'.join(name.split('.')[:2]) if name.startswith((
            'backbone.', 'cls_head.')) else name.split('.')[0])
    counts = {part: parts.count(part) for part in dict.fromkeys(parts)}
    named = ', '.join(f'{part} ({count})' for part, count in counts.items())
    return (f'{len(names)} parameters are frozen (requires_grad=False) and '
            f'left out of the optimizer, from {names[0]} to {names[-1]}: '
            f'{named}')


def _heal_constructor(module: types.ModuleType) -> None:
    host = module.DefaultOptimWrapperConstructor
    original = host.__call__

    @functools.wraps(original)
    def build(self: Any, model: Any) -> Any:
        # Not at the top: compat must not load mmengine.
        logger = sys.modules['mmengine.logging'].MMLogger.get_current_instance(
        )
        lines = _FrozenLines()
        logger.addFilter(lines)
        try:
            return original(self, model)
        # After an error as well: the logger lives on.
        finally:
            logger.removeFilter(lines)
            if lines.names:
                module.print_log(
                    summary(lines.names), 'current', logging.WARNING)

    host.__call__ = build


def _cause() -> str:
    version = installed_version('mmengine')
    return version and (f'mmengine {version} logs a line for each frozen '
                        'parameter')


def _cure(module: types.ModuleType) -> None:
    """Collect the lines while an optimizer is built.

    A frozen teacher alone has 150 parameters, whose lines hide other
    warnings.
    """
    _heal_constructor(module)


WORKAROUND = Workaround(
    name='frozen_lines',
    cause=_cause,
    link='https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/optim/'
    'optimizer/default_constructor.py',
    until='a release of mmengine that reports frozen parameters together',
    modules=('mmengine.optim.optimizer.default_constructor', ),
    cure=_cure)
