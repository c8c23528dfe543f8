"""Let mmpretrain's browse_dataset.py call the current matplotlib."""
import functools
import inspect
from typing import Any, Optional

from .workaround import Workaround, installed_release, installed_version


def _heal_adjust_bbox(module: Any) -> None:
    original = module.adjust_bbox
    parameters = inspect.signature(original).parameters
    if 'renderer' not in parameters or \
            parameters['renderer'].default is not inspect.Parameter.empty:
        return

    # matplotlib itself gives fixed_dpi by place: *args takes any further.
    @functools.wraps(original)
    def adjust_bbox(fig: Any,
                    bbox_inches: Any,
                    renderer: Optional[Any] = None,
                    *args: Any,
                    **kwargs: Any) -> Any:
        if renderer is None:
            renderer = fig.canvas.get_renderer()
        return original(fig, bbox_inches, renderer, *args, **kwargs)

    module.adjust_bbox = adjust_bbox


def _cause() -> str:
    if installed_release('matplotlib') < (3, 11):
        return ''
    version = installed_version('matplotlib')
    return f'matplotlib {version} asks for a renderer in adjust_bbox'


def _cure(module: Any) -> None:
    """Let ``adjust_bbox`` take the renderer of the figure's canvas.

    mmpretrain's ``browse_dataset.py`` calls a private function of
    matplotlib in the form of earlier releases.
    """
    _heal_adjust_bbox(module)


WORKAROUND = Workaround(
    name='adjust_bbox',
    cause=_cause,
    link='https://github.com/open-mmlab/mmpretrain/blob/v1.2.0/tools/'
    'visualization/browse_dataset.py',
    until='a release of mmpretrain that follows matplotlib 3.11',
    modules=('matplotlib._tight_bbox', ),
    cure=_cure)
