"""The report on this machine, in plain text."""
import warnings
from typing import Callable, Dict, List

from ..version import __version__
from .backends import check_backends, check_devices, check_verdicts
from .finding import FAIL, Finding
from .readers import check_readers
from .traps import check_traps, check_workarounds
from .versions import check_versions


def _write(*lines: str) -> None:
    """Print lines at once: the next section may take a while."""
    print(*lines, sep='\n', flush=True)


def write_section(title: str, found: List[Finding]) -> List[str]:
    """Print the findings of a section.

    Args:
        title (str): Of the section.
        found (list[Finding]): The findings.

    Returns:
        list[str]: Names of what is broken.
    """
    _write('', title, *(f'  {f.status:5} {f.name:20} {f.text}' for f in found))
    return [f.name for f in found if f.status == FAIL]


def report_machine() -> int:
    """Try everything but the kernels; print each section when it is done.

    The verdict is the last line.

    Returns:
        int: 1 if anything needed is broken, else 0.
    """
    sections: Dict[str, Callable[[], List[Finding]]] = {
        'Versions (tested range)': check_versions,
        'Machine': check_devices,
        'Scan backends': lambda: [*check_backends(), *check_verdicts()],
        'Readers of videos': check_readers,
        'Workarounds for host bugs': check_workarounds,
        'Tried on this machine': check_traps,
    }
    failed: List[str] = []
    _write(f'mmvideomamba {__version__}')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for title, check in sections.items():
            failed += write_section(title, check())
    _write('', f'broken: {", ".join(failed)}' if failed else 'healthy')
    return int(bool(failed))
