"""Let mmpretrain's vis_tsne.py call the current scikit-learn."""
import functools
import inspect
import types
from typing import Any

from .workaround import Workaround, installed_release, installed_version


def _heal_tsne(module: types.ModuleType) -> None:
    kind = module.TSNE
    original = kind.__init__
    if 'n_iter' in inspect.signature(original).parameters:
        return

    # scikit-learn reads the names of parameters under the wrapper.
    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if 'n_iter' in kwargs:
            kwargs['max_iter'] = kwargs.pop('n_iter')
        original(self, *args, **kwargs)

    kind.__init__ = init


def _cause() -> str:
    if installed_release('scikit-learn') < (1, 7):
        return ''
    version = installed_version('scikit-learn')
    return f'scikit-learn {version} has renamed the n_iter of TSNE'


def _cure(module: types.ModuleType) -> None:
    """Let ``TSNE`` take the number of iterations by the old name, too.

    mmpretrain's ``vis_tsne.py`` gives ``n_iter``, now ``max_iter``.
    """
    _heal_tsne(module)


WORKAROUND = Workaround(
    name='tsne',
    cause=_cause,
    link='https://github.com/open-mmlab/mmpretrain/blob/v1.2.0/tools/'
    'visualization/vis_tsne.py',
    until='a release of mmpretrain that follows scikit-learn 1.7',
    modules=('sklearn.manifold._t_sne', ),
    cure=_cure)
