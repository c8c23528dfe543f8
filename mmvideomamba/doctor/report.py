"""The report on this machine, in plain text."""
import importlib
import warnings
from typing import Dict, Iterable, Iterator, List, Tuple

from ..version import __version__
from .finding import FAIL, Finding

# Title of a section: modules of this folder, with a function each. A module
# takes seconds to import, so its title is printed first.
_SECTIONS: Dict[str, List[Tuple[str, str]]] = {
    'Versions (tested range)': [('versions', 'check_versions')],
    'Machine': [('backends', 'check_devices')],
    'Scan backends': [('backends', 'check_backends'),
                      ('backends', 'check_verdicts')],
    'Readers of videos': [('readers', 'check_readers')],
    'Workarounds for host bugs': [('traps', 'check_workarounds')],
    'Tried on this machine': [('traps', 'check_traps')],
}


def _findings(checks: List[Tuple[str, str]]) -> Iterator[Finding]:
    """Run the checks of a section; give each finding when known."""
    for module, function in checks:
        check = importlib.import_module(f'{__package__}.{module}')
        yield from getattr(check, function)()


def _write(*lines: str) -> None:
    """Print lines at once: the next line may take a while."""
    print(*lines, sep='\n', flush=True)


def write_section(title: str, found: Iterable[Finding]) -> List[str]:
    """Print the findings of a section, each when known.

    Args:
        title (str): Of the section.
        found (Iterable[Finding]): The findings.

    Returns:
        list[str]: Names of what is broken.
    """
    failed = []
    _write('', title)
    for finding in found:
        _write(f'  {finding.status:5} {finding.name:20} {finding.text}')
        if finding.status == FAIL:
            failed.append(finding.name)
    return failed


def report_machine() -> int:
    """Try everything but the kernels; print each finding when known.

    The first line is printed at once, the verdict is the last.

    Returns:
        int: 1 if anything needed is broken, else 0.
    """
    failed: List[str] = []
    _write(f'mmvideomamba {__version__}, a report of up to a minute')
    # Warnings of imported hosts would stand amid the findings.
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for title, checks in _SECTIONS.items():
            failed += write_section(title, _findings(checks))
    _write('', f'broken: {", ".join(failed)}' if failed else 'healthy')
    return int(bool(failed))
