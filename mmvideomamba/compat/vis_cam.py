"""Let mmpretrain's vis_cam.py call the current pytorch-grad-cam."""
import functools
import importlib
import inspect
import sys
import types
from typing import Any, Iterator

from .workaround import Workaround, installed_release, installed_version


def _subclasses(kind: Any) -> Iterator[Any]:
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


def _without_use_cuda(kind: Any) -> None:
    """Let a method of CAM take and drop ``use_cuda``."""
    original = vars(kind)['__init__']

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        # The device is the model's.
        kwargs.pop('use_cuda', None)
        original(self, *args, **kwargs)

    kind.__init__ = init


def _with_check(kind: Any) -> None:
    """Let the base class refuse layers of ours without a map."""
    original = kind.__init__

    @functools.wraps(original)
    def init(self: Any, model: Any, target_layers: Any, *args: Any,
             **kwargs: Any) -> None:
        # First, because ``__del__`` needs what the original sets.
        original(self, model, target_layers, *args, **kwargs)
        # Without the module there is no model of ours.
        if 'mmvideomamba.models.backbones.videomamba' in sys.modules:
            cam = importlib.import_module('mmvideomamba.visualization.cam')
            cam.check_cam_layers(
                model, target_layers, self.uses_gradients
                and not self.compute_input_gradient)

    kind.__init__ = init


def _heal_methods(module: types.ModuleType) -> None:
    base = module.base_cam.BaseCAM
    _with_check(base)
    # A class with several bases comes up several times.
    for kind in set(_subclasses(base)):
        if '__init__' in vars(kind) and \
                'use_cuda' not in inspect.signature(kind).parameters:
            _without_use_cuda(kind)


def _cause() -> str:
    if installed_release('grad-cam') < (1, 5):
        return ''
    version = installed_version('grad-cam')
    return f'grad-cam {version} takes no use_cuda, which vis_cam.py gives'


def _cure(module: types.ModuleType) -> None:
    """Let the methods of pytorch-grad-cam take ``use_cuda`` and drop it.

    The model's device is used, as the host means. Layers of a VideoMamba
    without a map are refused by an error with the name of a right layer.
    """
    _heal_methods(module)


WORKAROUND = Workaround(
    name='vis_cam',
    cause=_cause,
    link='https://github.com/open-mmlab/mmpretrain/blob/v1.2.0/tools/'
    'visualization/vis_cam.py',
    until='a release of mmpretrain that follows grad-cam 1.5',
    modules=('pytorch_grad_cam', ),
    cure=_cure)
