"""Name the command that installs mmaction2's writer of videos."""
import functools
import importlib
import types
from typing import Any

from .workaround import Workaround, installed_release, installed_version


def _cause() -> str:
    host = installed_version('mmaction2')
    if not host or installed_release('moviepy')[0] == 1:
        return ''
    found = installed_version('moviepy')
    here = f'moviepy {found} has none' if found else 'there is no moviepy'
    return f'mmaction2 {host} writes videos by moviepy.editor, and {here}'


def _cure(module: types.ModuleType) -> None:
    """Let ``LocalVisBackend.add_video`` tell which moviepy is needed.

    The host asks for "moviepy", and a current one lacks the module.
    """
    host = module.LocalVisBackend
    original = host.add_video

    @functools.wraps(original)
    def add_video(self: Any,
                  name: str,
                  frames: Any,
                  step: int = 0,
                  fps: int = 4,
                  out_type: str = 'img',
                  **kwargs: Any) -> None:
        if out_type != 'img':
            importlib.import_module('mmvideomamba.extras').require(
                'moviepy.editor', 'demo', f'an output file of type {out_type}')
        original(self, name, frames, step, fps, out_type, **kwargs)

    host.add_video = add_video


WORKAROUND = Workaround(
    name='moviepy',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/'
    'visualization/video_backend.py',
    until='a release of mmaction2 that writes videos by moviepy 2',
    modules=('mmaction.visualization.video_backend', ),
    cure=_cure)
