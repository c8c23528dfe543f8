"""Give the hosts names removed by numpy 2."""
import importlib
import types
from typing import Any, Callable, Dict

from .workaround import Workaround


def _numpy() -> Any:
    """Return numpy, which the import of the package does not load."""
    return importlib.import_module('numpy')


def _in1d(values: Any, test_values: Any) -> Any:
    np = _numpy()
    return np.isin(np.ravel(values), test_values)


# By old name: the present one. Read late: numpy 1 has no ``trapezoid``.
_TODAY: Dict[str, Callable[[], Any]] = {
    'in1d': lambda: _in1d,
    'trapz': lambda: _numpy().trapezoid,
    'Inf': lambda: _numpy().inf,
    'NAN': lambda: _numpy().nan,
}

# By module of a host: the old name in it.
_USERS: Dict[str, str] = {
    'mmaction.datasets.transforms.pose_transforms': 'Inf',
    'mmaction.evaluation.functional.accuracy': 'trapz',
    'mmaction.evaluation.functional.ava_evaluation.metrics': 'NAN',
    'mmaction.evaluation.metrics.multimodal_metric': 'in1d',
    'mmaction.utils.misc': 'Inf',
    'mmpretrain.evaluation.metrics.retrieval': 'in1d',
}


def _heal_module(module: types.ModuleType) -> None:
    """Let ``np`` in a module of a host mean numpy and an old name."""
    old = _USERS[module.__name__]
    # A copy: a name put into numpy itself would be there for every program.
    names = types.ModuleType('numpy', f'numpy, and its old name {old}.')
    vars(names).update(vars(_numpy()))
    setattr(names, old, _TODAY[old]())
    module.__dict__['np'] = names


def _missing() -> list:
    np = _numpy()
    return [name for name in _TODAY if not hasattr(np, name)]


def _cause() -> str:
    missing = _missing()
    return missing and (
        f'numpy {_numpy().__version__} lacks {", ".join(missing)}, '
        'used by the hosts') or ''


def _cure(module: types.ModuleType) -> None:
    """Give six modules of the hosts a copy of numpy's namespace.

    The copy has the old name, too; numpy itself stays unchanged.
    """
    if _USERS[module.__name__] in _missing():
        _heal_module(module)


WORKAROUND = Workaround(
    name='numpy_names',
    cause=_cause,
    link='https://numpy.org/doc/stable/numpy_2_0_migration_guide.html',
    until='releases of the hosts for numpy 2',
    modules=tuple(_USERS),
    cure=_cure)
