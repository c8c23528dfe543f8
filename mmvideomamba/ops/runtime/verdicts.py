"""Verdicts of the self-check of the kernels: kept on the disk, and asked.

``python -m mmvideomamba.doctor --gpu`` compares every kernel with the
definition and keeps the verdict per GPU, driver, Triton, version of the
package and source of the kernels. A later process avoids wrong kernels.
"""
import contextlib
import datetime
import functools
import hashlib
import json
import logging
import re
from pathlib import Path
from typing import (Any, Collection, Dict, FrozenSet, Iterator, List,
                    NamedTuple, Optional, Sequence, Tuple)

import torch

from ...atomic_file import write_file
from ...json_file import read_json
from ...version import __version__
from .cache_folder import private_folder, user_folder
from .host import interpreting, triton_version_text
from .settings import VERDICTS, setting

logger = logging.getLogger(__name__)

# The kernels of 16 states in half precision, inside of a mixer; the other
# families are the ops as a whole.
N16_SCAN = 'n16_scan'
FAMILIES = ('selective_scan', 'causal_conv1d', 'add_rms_norm',
            'bidirectional_mixer', N16_SCAN)
COMMAND = 'python -m mmvideomamba.doctor --gpu'
FORMAT = 1
# Number of the CPU under Triton's interpreter, the value of
# ``Tensor.get_device``.
CPU = -1

_DTYPES = {
    str(t).rpartition('.')[2]: t
    for t in (torch.float32, torch.bfloat16, torch.float16)
}

Keys = FrozenSet[Tuple[str, torch.dtype]]
# Wrong kernels by device, and whether kernels are wrong on any device, both
# once asked.
_known: Dict[int, Keys] = {}
_known_anywhere: Dict[Tuple[str, torch.dtype], bool] = {}
_told: set = set()
# Wrong kernels by ``assume_wrong``, in place of all verdicts.
_assumed: List[Keys] = []


class Wrong(NamedTuple):
    """A family of kernels found wrong in a dtype.

    Attributes:
        family (str): A name in ``FAMILIES``.
        dtype (torch.dtype): Dtype of the tokens.
        why (str): Errors and bound.
    """
    family: str
    dtype: torch.dtype
    why: str

    @property
    def dtype_name(self) -> str:
        """Name of the dtype without 'torch.'."""
        return str(self.dtype).rpartition('.')[2]


class Verdict(NamedTuple):
    """Result of a self-check.

    Attributes:
        checked (str): Date and time in ISO format, UTC.
        wrong (tuple[Wrong, ...]): Wrong kernels, none on a healthy GPU.
    """
    checked: str
    wrong: Tuple[Wrong, ...]


def _driver() -> str:
    """Return the version of the GPU's driver, as far as the system tells."""
    module = 'amdgpu' if torch.version.hip else 'nvidia'
    try:
        version = Path(f'/sys/module/{module}/version').read_text().strip()
    except OSError:
        version = ''
    api = getattr(torch._C, '_cuda_getDriverVersion', None)
    return f'{version} {api() if api else ""}'.strip()


@functools.lru_cache()
def _sources() -> str:
    """Return a fingerprint of the source files of all Triton kernels."""
    ops = Path(__file__).parents[1]
    content = hashlib.sha256()
    for path in sorted(ops.rglob('*.py')):
        name = path.relative_to(ops).as_posix()
        if 'triton' in name:
            content.update(name.encode() + path.read_bytes())
    return content.hexdigest()[:16]


def facts_of(device: int) -> Dict[str, str]:
    """Return all that a verdict holds for.

    Args:
        device (int): Number of a GPU, or ``CPU``.

    Returns:
        dict[str, str]: Name and capability of the device, driver, versions
        of Triton and the package, fingerprint of the kernels' sources.
    """
    if device == CPU:
        name, capability, driver = "Triton's interpreter", '', ''
    else:
        found = torch.cuda.get_device_properties(device)
        name, driver = found.name, _driver()
        capability = f'{found.major}.{found.minor}'
        if torch.version.hip:
            capability = getattr(found, 'gcnArchName', capability)
    return dict(
        device=name,
        capability=capability,
        driver=driver,
        triton=triton_version_text(),
        mmvideomamba=__version__,
        sources=_sources())


def _file_name(facts: Dict[str, str]) -> str:
    short = re.sub(r'\W+', '-', facts['device']).strip('-').lower()
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    return f'{short}-{key.hexdigest()[:16]}.json'


def _folders(make: bool = False) -> List[Path]:
    """Return the folders of verdicts, the user's cache first."""
    found = user_folder('verdicts'), private_folder('verdicts', make)
    return [f for f in found if f is not None]


def keep_verdict(facts: Dict[str, str],
                 wrong: Sequence[Wrong]) -> Optional[Path]:
    """Keep a verdict for later processes.

    Args:
        facts (dict[str, str]): Result of ``facts_of``.
        wrong (Sequence[Wrong]): Wrong kernels.

    Returns:
        Path, optional: The file, or None if no folder can be written.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    content = dict(
        format=FORMAT,
        checked=now.isoformat(timespec='milliseconds'),
        facts=facts,
        wrong=[
            dict(family=w.family, dtype=w.dtype_name, why=w.why) for w in wrong
        ])
    for folder in _folders(make=True):
        path = folder / _file_name(facts)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_file(path, json.dumps(content, indent=1) + '\n')
        except OSError:
            continue
        forget()
        return path
    return None


def read_verdict(facts: Dict[str, str]) -> Optional[Verdict]:
    """Read the newest verdict that holds for these facts.

    Args:
        facts (dict[str, str]): Result of ``facts_of``.

    Returns:
        Verdict, optional: None without a verdict; a damaged file is left
        out of account, with a line in the log.
    """
    found = []
    for folder in _folders():
        path = folder / _file_name(facts)
        try:
            content = read_json(path, 'verdict', f'run {COMMAND}')
            found.append(_parse(content, facts))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning(
                'the verdict on the kernels in %s is damaged and left out of '
                'account (%s: %s); run %s', path,
                type(error).__name__, error, COMMAND)
    return max(found, default=None, key=lambda v: v.checked)


def _parse(content: Any, facts: Dict[str, str]) -> Verdict:
    """Turn the content of a file into a verdict, or raise."""
    if content['format'] != FORMAT or content['facts'] != facts:
        raise ValueError('made for something else')
    wrong = []
    for entry in content['wrong']:
        if entry['family'] not in FAMILIES:
            raise ValueError(f'unknown kernels {entry["family"]!r}')
        wrong.append(
            Wrong(entry['family'], _DTYPES[entry['dtype']], str(entry['why'])))
    return Verdict(str(content['checked']), tuple(wrong))


def device_verdicts() -> Dict[str, Optional[Verdict]]:
    """Return the verdict on each kind of GPU here.

    Returns:
        dict[str, Verdict]: By name of the GPU; None without a verdict.
    """
    found = {}
    for index in range(torch.cuda.device_count()):
        facts = facts_of(index)
        if facts['device'] not in found:
            found[facts['device']] = read_verdict(facts)
    return found


def _ask(device: int) -> Keys:
    """Read the verdict on a device; log wrong kernels in a line."""
    if setting(VERDICTS) == 'ignore' or not any(
            next(f.glob('*.json'), None) for f in _folders()):
        return frozenset()
    facts = facts_of(device)
    verdict = read_verdict(facts)
    if verdict is None or not verdict.wrong:
        return frozenset()
    families: Dict[str, List[Wrong]] = {}
    for entry in verdict.wrong:
        families.setdefault(entry.family, []).append(entry)
    each = '; '.join(f'{family} {", ".join(w.dtype_name for w in entries)} '
                     f'({entries[0].why})'
                     for family, entries in families.items())
    text = (f'wrong kernels on {facts["device"]}, avoided by backend auto: '
            f'{each}; found by the self-check of {verdict.checked[:10]}; '
            f'check again: {COMMAND} (or use them: {VERDICTS}=ignore)')
    if text not in _told:
        _told.add(text)
        logger.warning(text)
    return frozenset((w.family, w.dtype) for w in verdict.wrong)


def is_wrong(family: str, dtype: torch.dtype, device: int) -> bool:
    """Tell whether the self-check found kernels wrong on a device.

    The verdict is read once per process and device.

    Args:
        family (str): A name in ``FAMILIES``.
        dtype (torch.dtype): Dtype of the tokens.
        device (int): Number of the GPU, or ``CPU``.

    Returns:
        bool: False also for kernels that were not checked.
    """
    if _assumed:
        return (family, dtype) in _assumed[-1]
    found = _known.get(device)
    if found is None:
        found = _known[device] = _ask(device)
    return (family, dtype) in found


def wrong_anywhere(family: str, dtype: torch.dtype) -> bool:
    """Tell whether kernels are wrong on any device visible to the process.

    Args:
        family (str): A name in ``FAMILIES``.
        dtype (torch.dtype): Dtype of the tokens.

    Returns:
        bool: True if ``is_wrong`` is for one of the devices.
    """
    key = family, dtype
    if _assumed:
        return key in _assumed[-1]
    found = _known_anywhere.get(key)
    if found is None:
        devices = [CPU] if interpreting() else range(torch.cuda.device_count())
        found = any(is_wrong(family, dtype, i) for i in devices)
        _known_anywhere[key] = found
    return found


def forget() -> None:
    """Read the verdicts anew at the next question."""
    _known.clear()
    _known_anywhere.clear()


@contextlib.contextmanager
def assume_wrong(wrong: Collection[Tuple[str,
                                         torch.dtype]] = ()) -> Iterator[None]:
    """Take these kernels for wrong inside the block, whatever verdicts say.

    Args:
        wrong (Collection[tuple]): Families and dtypes. Defaults to none.
    """
    _assumed.append(frozenset(wrong))
    try:
        yield
    finally:
        _assumed.pop()
