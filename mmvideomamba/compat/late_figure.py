"""Import matplotlib when a visualizer draws."""
import functools
import inspect
from types import ModuleType
from typing import Any

from .workaround import Workaround, installed_version

_PARTS = ('fig_save_canvas', 'fig_save', 'ax_save', 'dpi')


class _Waiting:
    """Stand for each part of a figure before the first look.

    Args:
        cfg (dict): Of the figure.
    """

    def __init__(self, cfg: dict) -> None:
        self.cfg = cfg

    def get_dpi(self) -> '_Waiting':
        return self


class _Part:
    """A part of the figure, an attribute of a visualizer.

    Args:
        name (str): Of the attribute.
        make (Callable): The host's method, from a config to a figure.
    """

    def __init__(self, name: str, make: Any) -> None:
        self.name, self.make = name, make

    def __set__(self, visualizer: Any, value: Any) -> None:
        vars(visualizer)[self.name] = value

    def __get__(self, visualizer: Any, owner: Any) -> Any:
        if visualizer is None:
            raise AttributeError(self.name)
        parts = vars(visualizer)
        if self.name not in parts:
            raise AttributeError(self.name)
        value = parts[self.name]
        # The constructor of the host only hands the parts on.
        if isinstance(value, _Waiting) and not parts.get('_figure_waits'):
            self._draw(visualizer, value)
        return parts[self.name]

    def _draw(self, visualizer: Any, waiting: _Waiting) -> None:
        canvas, figure, axes = self.make(visualizer, waiting.cfg)
        # A part that a user has set in the meantime stays.
        made = zip(_PARTS, (canvas, figure, axes, figure.get_dpi()))
        vars(visualizer).update({
            name: part
            for name, part in made if vars(visualizer).get(name) is waiting
        })


def _cause() -> str:
    version = installed_version('mmengine')
    return (f'mmengine {version} makes a figure of matplotlib, a second long, '
            'for each visualizer')


def _cure(module: ModuleType) -> None:
    """Make the figure of a visualizer when the figure is first used."""
    host = module.__dict__['Visualizer']
    make, start = host._initialize_fig, host.__init__

    @functools.wraps(make)
    def initialize_fig(self: Any, fig_cfg: dict) -> tuple:
        # A subclass may change the figure.
        if not vars(self).get('_figure_waits') or (type(self)._initialize_fig
                                                   is not initialize_fig):
            return make(self, fig_cfg)
        return (_Waiting(fig_cfg), ) * 3

    @functools.wraps(start)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        given = inspect.signature(start).bind(self, *args, **kwargs).arguments
        # An image in the constructor is drawn at once.
        self._figure_waits = given.get('image') is None
        try:
            start(self, *args, **kwargs)
        finally:
            self._figure_waits = False

    # ManagerMeta looks for ``name`` among the arguments of subclasses.
    init.__dict__['__signature__'] = inspect.signature(start)
    host.__init__, host._initialize_fig = init, initialize_fig
    for name in _PARTS:
        # A descriptor with __set__ goes before the attribute of an object.
        setattr(host, name, _Part(name, make))


WORKAROUND = Workaround(
    name='late_figure',
    cause=_cause,
    link='https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/'
    'visualization/visualizer.py',
    until='a release of mmengine that imports matplotlib on demand',
    modules=('mmengine.visualization.visualizer', ),
    cure=_cure)
