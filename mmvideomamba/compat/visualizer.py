"""Let mmaction2's visualizer read files by our readers."""
import functools
import importlib
import os
import types
from typing import Any

from .workaround import Workaround, installed_version


def _heal_visualizer(module: types.ModuleType) -> None:
    host = module.ActionVisualizer
    original = host._load_video

    @functools.wraps(original)
    def load_video(self: Any, video: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(video, str) and os.path.isfile(video):
            # Not at the top: the readers need modules of the host.
            readers = importlib.import_module(
                'mmvideomamba.datasets.video.choice')
            with readers.open_video(video) as reader:
                frames = reader.get_frames(range(len(reader)))
            video = list(frames[..., ::-1])  # BGR, as by the host
        return original(self, video, *args, **kwargs)

    host._load_video = load_video


def _cause() -> str:
    version = installed_version('mmaction2')
    return version and f'mmaction2 {version} draws videos read by decord'


def _cure(module: types.ModuleType) -> None:
    """Let ``ActionVisualizer`` read files of videos by our readers.

    Without decord the host cannot draw a prediction into a video; decord
    misses frames of some kinds of file.
    """
    _heal_visualizer(module)


WORKAROUND = Workaround(
    name='visualizer',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/'
    'visualization/action_visualizer.py',
    until='a release of mmaction2 that draws without decord',
    modules=('mmaction.visualization.action_visualizer', ),
    cure=_cure)
