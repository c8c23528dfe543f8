"""Traps of the released hosts, tried on this machine."""
import functools
import importlib
import io
import tempfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Iterator, List, Tuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer

from .. import compat
from ..registry import MODELS
from .finding import OK, Finding, try_probe
from .readers import readers


class _Reduced:
    """An object stored by a pickle as a call, or a call and a state."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Tuple[Any, ...]:
        return self.reduced


_ran: List[bool] = []


def _mark_as_run() -> None:
    """Stand for the code of a hostile checkpoint."""
    _ran.append(True)


def _reload(value: Any) -> Any:
    """Save and load a value as mmengine does with a checkpoint."""
    file = io.BytesIO()
    torch.save(dict(meta=value), file)
    file.seek(0)
    # Without weights_only, as mmengine calls torch.load.
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
            'other users here, and unset TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD')
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


def _probe_video() -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, 'clip.mp4'))
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*'mp4v'), 10,
                                 (64, 48))
        for value in range(0, 250, 25):
            writer.write(np.full((48, 64, 3), value, np.uint8))
        writer.release()
        with readers().open_video(path) as reader:
            frames = reader.get_frames(range(len(reader)))
    means = frames.mean((1, 2, 3))
    # A lossy codec changes grey levels, but not the order of the levels.
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
    """Open and close a gloo group of one, as mmengine does."""
    dist = importlib.import_module('mmengine.dist.utils')
    with tempfile.TemporaryDirectory() as folder:
        # A file in place of a port: a port may be in use.
        dist._init_dist_pytorch(
            'gloo', init_method=f'file://{folder}/s', rank=0, world_size=1)
        torch.distributed.destroy_process_group()
    return 'mmengine starts gloo ranks'


def check_traps() -> Iterator[Finding]:
    """Try all known traps of the released hosts, one after the other."""
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
    return (try_probe(name, probe) for name, probe in probes.items())


def check_workarounds() -> List[Finding]:
    """List the workarounds of ``compat``, with the reason for each."""
    found = []
    for workaround in compat.WORKAROUNDS:
        # Of hosts that are not imported yet, too.
        text = workaround.decide()
        if text == 'applied':
            text = f'applied: {workaround.reason}; {workaround.link}'
        found.append(Finding(OK, workaround.name, text))
    return found
