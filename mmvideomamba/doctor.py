"""Say what works on this machine: ``python -m mmvideomamba.doctor``.

The report is plain text, made to be pasted into an issue. Each trap that the
released hosts hold is tried, not only looked up. The exit code is 1 if
something needed is broken.
"""
import configparser
import functools
import importlib
import importlib.metadata
import io
import os
import platform
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Callable, List, Tuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from . import compat
from .ops import available_backends, selective_scan
from .registry import MODELS
from .version import __version__

OK, NOTE, FAIL = 'ok', 'note', 'FAIL'
_EXTRAS = ('quickstart', 'demo', 'decord', 'torchcodec', 'multimodal', 'cuda')
_PACKAGE = 'mmvideomamba'


@dataclass
class Finding:
    """One line of the report.

    Args:
        status (str): 'ok', 'note' (works, or is optional) or 'FAIL'.
        name (str): What was looked at.
        text (str): What was found.
    """
    status: str
    name: str
    text: str


# versions ------------------------------------------------------------------


def _declared() -> Tuple[str, List[Tuple[str, str]]]:
    """Return the Python range and (extra or '', requirement) of the package.

    They are those of the installed metadata, or of setup.cfg in a checkout
    that is only on the path.
    """
    try:
        meta = importlib.metadata.metadata(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return _declared_in_checkout()
    rows = []
    for text in meta.get_all('Requires-Dist') or []:
        marker = Requirement(text).marker
        # A marker of a machine is left out of account: mmaction2 is needed
        # everywhere, though not installed everywhere by its requirement.
        extras = [''] if marker is None or 'extra' not in str(marker) else [
            extra for extra in _EXTRAS if marker.evaluate(dict(extra=extra))
        ]
        rows += [(extra, text) for extra in extras]
    return meta['Requires-Python'] or '', rows


def _declared_in_checkout() -> Tuple[str, List[Tuple[str, str]]]:
    parser = configparser.ConfigParser()
    parser.read(Path(__file__).parents[1] / 'setup.cfg')
    fields = {'': parser['options']['install_requires']}
    fields.update(
        (extra, parser['options.extras_require'][extra]) for extra in _EXTRAS)
    rows = [(extra, line) for extra, text in fields.items()
            for line in text.splitlines() if line]
    return parser['options']['python_requires'], rows


def _check_package(extra: str, text: str) -> Finding:
    """Compare an installed distribution with its declared range."""
    need = Requirement(text)
    name = need.name
    if name == 'mmcv-lite' and not compat.installed_version(name):
        name = 'mmcv'  # the compiled form of the same package
    version = compat.installed_version(name)
    tested = str(need.specifier) or 'any version'
    if not version:
        why = f'not installed (extra {extra})' if extra else 'not installed'
        if name == 'mmaction2':
            why += f': pip install --no-deps {name}{tested}'
        return Finding(NOTE if extra else FAIL, name, f'{why}, {tested}')
    if need.specifier.contains(version, prereleases=True):
        return Finding(OK, name, f'{version} ({tested})')
    return Finding(NOTE, name, f'{version} is outside the tested {tested}')


def check_versions() -> List[Finding]:
    """Compare what is installed with what the package declares."""
    python, rows = _declared()
    here = platform.python_version()
    good = here in SpecifierSet(python)
    found = [
        Finding(OK if good else NOTE, 'python', f'{here} ({python})'),
        *(_check_package(extra, text) for extra, text in rows),
        Finding(OK, 'opencv', cv2.__version__),
    ]
    for name in ('triton', 'pytorchvideo', 'imgaug'):
        if compat.installed_version(name):
            found.append(Finding(OK, name, compat.installed_version(name)))
    return found


# devices and backends ------------------------------------------------------


def check_devices() -> List[Finding]:
    """List the system, its devices and the variables that matter."""
    found = [
        Finding(OK, 'system', platform.platform()),
        Finding(
            OK, 'cpu', f'{os.cpu_count()} cores, torch uses '
            f'{torch.get_num_threads()} threads')
    ]
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        found.append(
            Finding(
                OK, f'cuda:{index}', f'{card.name}, capability '
                f'{card.major}.{card.minor}, {card.total_memory >> 20} MiB, '
                f'CUDA {torch.version.cuda or torch.version.hip}'))
    if not torch.cuda.is_available():
        found.append(Finding(NOTE, 'cuda', 'no device'))
    for name in ('MMVIDEOMAMBA_BACKEND', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD',
                 'CUDA_VISIBLE_DEVICES', 'OMP_NUM_THREADS',
                 'TRITON_INTERPRET'):
        if name in os.environ:
            found.append(Finding(NOTE, name, repr(os.environ[name])))
    return found


def _scan(backend: str, device: str) -> List[torch.Tensor]:
    """Scan a small fixed sequence; return the output and gradients."""
    generator = torch.Generator().manual_seed(0)
    u, delta, z, B, C = (
        torch.rand(2, 9, width, generator=generator)
        for width in (16, 16, 16, 4, 4))
    A = -1 - torch.rand(16, 4, generator=generator)
    inputs = [x.to(device).requires_grad_() for x in (u, delta, A, B, C)]
    y = selective_scan(*inputs, z=z.to(device), backend=backend)
    y.square().sum().backward()
    return [y.detach().cpu(), *(x.grad.cpu() for x in inputs)]


def _probe_backend(name: str) -> str:
    """Compare a backend with the definition."""
    device = 'cuda' if name in ('triton', 'mamba_ssm') else 'cpu'
    for got, want in zip(_scan(name, device), _scan('torch', 'cpu')):
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-4)
    return f'runs on {device}, equal to the definition'


def check_backends() -> List[Finding]:
    """Run every scan backend that can run; say why the others cannot."""
    found = []
    for name, reason in available_backends().items():
        if reason:
            found.append(Finding(NOTE, name, f'cannot run: {reason}'))
        else:
            found.append(_try(name, functools.partial(_probe_backend, name)))
    return found


# readers of videos ---------------------------------------------------------


def _check_reader(name: str) -> Finding:
    """Decode a small clip by a reader; its absence is a note."""
    reason = _readers().try_reader(name)
    if reason:
        return Finding(NOTE, name, ' '.join(reason.split())[:300])
    return Finding(OK, name, f'{_readers().reader_version(name)} decodes')


def check_readers() -> List[Finding]:
    """Decode by every reader of videos; name the choice of ``auto``."""
    auto = _try("reader='auto'", lambda: f'takes {_readers().reader_in_use()}')
    if auto.status == FAIL:
        return [auto]
    return [*map(_check_reader, _readers().READERS), auto]


# traps ---------------------------------------------------------------------


class _Reduced:
    """An object that a pickle stores as a call, or as a call and a state."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Tuple[Any, ...]:
        return self.reduced


_ran: List[bool] = []


def _mark_as_run() -> None:
    """Stand for the code that a hostile checkpoint would run."""
    _ran.append(True)


def _reload(value: Any) -> Any:
    """Save and load a value as mmengine does with a checkpoint."""
    file = io.BytesIO()
    torch.save(dict(meta=value), file)
    file.seek(0)
    return torch.load(file, map_location='cpu')['meta']


def _probe_checkpoint() -> str:
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    back = _reload(dict(loss=history, score=np.float64(0.5), n=np.arange(3)))
    assert back['loss'].mean() == 1.5 and back['score'] == 0.5
    return 'logs, scores and arrays of an mmengine checkpoint load'


def _probe_payloads() -> str:
    pointer = (3, '<', (_Reduced(np.dtype,
                                 ('O', )), ()), None, None, -1, -1, 0)
    payloads = dict(
        call=_Reduced(_mark_as_run, ()),
        getattr=_Reduced(getattr, (HistoryBuffer, 'register_statistics')),
        pointer=_Reduced(
            np.ndarray,
            ((1, ), _Reduced(np.dtype,
                             ('f8', False, True), pointer), bytearray(8))))
    _ran.clear()
    for name, payload in payloads.items():
        try:
            _reload(payload)
        except UnpicklingError:
            continue
        raise RuntimeError(
            f'the {name} payload was loaded' +
            (' and ran code' if _ran else '') + '; never load files of '
            'strangers here, and unset TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD')
    return 'a checkpoint that calls code is refused'


def _probe_base_config() -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'config.py')
        for scope in ('mmaction', 'mmpretrain'):
            path.write_text(f"_base_ = '{scope}::_base_/default_runtime.py'")
            Config.fromfile(path)
    return 'configs inherit from mmaction:: and mmpretrain::'


def _probe_import(module: str) -> str:
    importlib.import_module(module)
    return 'imports'


def _readers() -> Any:
    """Import the readers of videos; an import needs mmaction2."""
    return importlib.import_module('mmvideomamba.datasets.video.choice')


def _probe_video() -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, 'clip.mp4'))
        writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'mp4v'), 10,
                                 (64, 48))
        for value in range(0, 250, 25):
            writer.write(np.full((48, 64, 3), value, np.uint8))
        writer.release()
        with _readers().open_video(path) as reader:
            frames = reader.get_frames(range(len(reader)))
    means = frames.mean((1, 2, 3))
    if len(means) != 10 or not (np.diff(means) > 0).all():
        raise RuntimeError(f'{len(means)} frames of mean {means.round()}')
    return f'{reader.name} decodes what OpenCV encoded'


def _probe_model() -> str:
    model = MODELS.build(
        dict(
            type='mmvideomamba.VideoMamba',
            arch=dict(embed_dims=16, num_layers=2),
            img_size=32,
            num_frames=4))
    with torch.no_grad():
        token = model(torch.zeros(1, 3, 4, 32, 32))[-1]
    return f'a small VideoMamba gives {tuple(token.shape)}'


def _probe_cpu_ranks() -> str:
    """Open and close a gloo group of one, the way mmengine opens it."""
    dist = importlib.import_module('mmengine.dist.utils')
    with tempfile.TemporaryDirectory() as folder:
        dist._init_dist_pytorch(
            'gloo', init_method=f'file://{folder}/s', rank=0, world_size=1)
        torch.distributed.destroy_process_group()
    return 'mmengine starts gloo ranks'


def _try(name: str, probe: Callable[[], str]) -> Finding:
    """Run a probe; whatever it raises is the finding."""
    try:
        return Finding(OK, name, probe())
    except Exception as error:
        text = ' '.join(str(error).split()) or 'no message'
        return Finding(FAIL, name, f'{type(error).__name__}: {text[:300]}')


def check_traps() -> List[Finding]:
    """Try what is known to break on released hosts."""
    probes = {
        'checkpoint': _probe_checkpoint,
        'checkpoint security': _probe_payloads,
        'base configs': _probe_base_config,
        'mmaction.models': lambda: _probe_import('mmaction.models'),
        'mmpretrain.models': lambda: _probe_import('mmpretrain.models'),
        'video': _probe_video,
        'model': _probe_model,
    }
    if not torch.cuda.is_available():
        probes['cpu ranks'] = _probe_cpu_ranks
    for package, module in (('moviepy', 'moviepy.editor'),
                            ('pytorchvideo', 'pytorchvideo.transforms')):
        if compat.installed_version(package):
            probes[module] = functools.partial(_probe_import, module)
    return [_try(name, probe) for name, probe in probes.items()]


def check_workarounds() -> List[Finding]:
    """Say which workarounds of ``compat`` this machine needs."""
    found = []
    for workaround in compat.WORKAROUNDS:
        text = workaround.state
        if workaround.state == 'applied':
            text = f'applied: {workaround.reason}; {workaround.link}'
        found.append(Finding(OK, workaround.name, text))
    return found


def report(sections: List[Tuple[str, List[Finding]]]) -> str:
    """Lay the findings out as plain text.

    Args:
        sections (list): Title and findings of each section.

    Returns:
        str: The report; its last line is the verdict.
    """
    lines = [f'{_PACKAGE} {__version__}']
    for title, found in sections:
        lines += ['', title]
        lines += [f'  {f.status:5} {f.name:20} {f.text}' for f in found]
    failed = [
        f.name for _, found in sections for f in found if f.status == FAIL
    ]
    verdict = f'broken: {", ".join(failed)}' if failed else 'healthy'
    return '\n'.join([*lines, '', verdict])


def main() -> int:
    """Print the report.

    Returns:
        int: 1 if something needed is broken, else 0.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        sections = [
            ('Versions (tested range)', check_versions()),
            ('Machine', check_devices()),
            ('Scan backends', check_backends()),
            ('Readers of videos', check_readers()),
            ('Workarounds for host bugs', check_workarounds()),
            ('Tried on this machine', check_traps()),
        ]
    print(report(sections))
    return int(any(f.status == FAIL for _, found in sections for f in found))


if __name__ == '__main__':
    sys.exit(main())
