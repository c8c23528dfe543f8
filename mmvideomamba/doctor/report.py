"""The report on this machine, in plain text."""
import warnings
from typing import List, Tuple

from ..version import __version__
from .backends import check_backends, check_devices, check_verdicts
from .finding import FAIL, Finding
from .readers import check_readers
from .traps import check_traps, check_workarounds
from .versions import check_versions


def report(sections: List[Tuple[str, List[Finding]]]) -> str:
    """Lay the findings out as plain text.

    Args:
        sections (list): Title and findings of each section.

    Returns:
        str: The report; the verdict is the last line.
    """
    lines = [f'mmvideomamba {__version__}']
    for title, found in sections:
        lines += ['', title]
        lines += [f'  {f.status:5} {f.name:20} {f.text}' for f in found]
    failed = [
        f.name for _, found in sections for f in found if f.status == FAIL
    ]
    verdict = f'broken: {", ".join(failed)}' if failed else 'healthy'
    return '\n'.join([*lines, '', verdict])


def report_machine() -> int:
    """Try everything but the kernels; print the report.

    Returns:
        int: 1 if anything needed is broken, else 0.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        sections = [
            ('Versions (tested range)', check_versions()),
            ('Machine', check_devices()),
            ('Scan backends', [*check_backends(), *check_verdicts()]),
            ('Readers of videos', check_readers()),
            ('Workarounds for host bugs', check_workarounds()),
            ('Tried on this machine', check_traps()),
        ]
    print(report(sections))
    return int(any(f.status == FAIL for _, found in sections for f in found))
