"""mmengine's checkpoints load, and no checkpoint runs code."""
import argparse
import importlib
import io
import operator
import os
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Tuple

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader
from torch.serialization import (add_safe_globals, clear_safe_globals,
                                 get_safe_globals)

from mmvideomamba.compat import checkpoint, checkpoint_types


class Reduced:
    """A pickled call, or a pickled call and state."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Tuple[Any, ...]:
        return self.reduced


def write(value: Any, path: Path) -> str:
    """Save a value the way mmengine saves a checkpoint."""
    torch.save(dict(meta={}, state_dict={}, message_hub=value), path)
    return str(path)


def load(path: str) -> Any:
    """Load a value the way mmengine loads a checkpoint.

    Our reader, used once our models are imported, names the file in an error
    caused by torch's.
    """
    try:
        return CheckpointLoader.load_checkpoint(
            path, map_location='cpu')['message_hub']
    except ValueError as error:
        assert path in str(error)
        raise error.__context__ or error


# Applied to a copy of the float64 dtype, numpy would trust the state and take
# the bytes of an array for pointers.
POINTER_STATE = (3, '<', (Reduced(np.dtype,
                                  ('O', )), ()), None, None, -1, -1, 0)


def never() -> None:
    """Stand for the code of a hostile checkpoint."""
    raise AssertionError('a checkpoint ran code')


def test_cause_is_tried() -> None:
    allowed = get_safe_globals()
    clear_safe_globals()
    try:
        assert 'refuses' in checkpoint.WORKAROUND.cause()
    finally:
        add_safe_globals(allowed)
    assert checkpoint.WORKAROUND.cause() == ''


def test_history_keeps_its_statistics(tmp_path: Path) -> None:
    history = HistoryBuffer([1., 2., 6.], [1, 1, 2])
    back = load(write(history, tmp_path / 'a.pth'))
    assert type(back) is HistoryBuffer
    assert all(type(part) is np.ndarray for part in back.data)
    for name in ('mean', 'min', 'max', 'current'):
        assert back.statistics(name) == history.statistics(name)
    back.update(3.)
    assert back.current() == 3.


@pytest.mark.parametrize('code', sorted(checkpoint_types._NUMERIC))
def test_numbers_of_every_type(tmp_path: Path, code: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(code)
    value = dict(array=array, fortran=array.T, scalar=array[1, 2])
    back = load(write(value, tmp_path / 'a.pth'))
    assert type(back['scalar']) is type(value['scalar'])
    for key in value:
        np.testing.assert_array_equal(back[key], value[key])
        assert back[key].dtype == value[key].dtype


@pytest.mark.parametrize('old, new', [
    (b'numpy._core.multiarray', b'numpy.core.multiarray'),
    (b'numpy.core.multiarray', b'numpy._core.multiarray'),
])
def test_files_of_the_other_numpy(old: bytes, new: bytes) -> None:
    file = io.BytesIO()
    torch.save([np.arange(3.), np.float64(2)],
               file,
               _use_new_zipfile_serialization=False)
    file = io.BytesIO(file.getvalue().replace(old, new))
    array, scalar = torch.load(file)
    assert array.tolist() == [0, 1, 2] and scalar == 2


@pytest.mark.parametrize('payload', [
    Reduced(os.system, ('exit 3', )),
    Reduced(never, ()),
    Reduced(eval, ('1', )),
    Reduced(exec, ('pass', )),
    Reduced(getattr, (os.path.join, '__globals__')),
    Reduced(getattr, (HistoryBuffer, 'register_statistics')),
    Reduced(getattr, (HistoryBuffer, '__init__')),
    Reduced(getattr, (Reduced(HistoryBuffer, ()), 'mean')),
    Reduced(operator.attrgetter, ('mean', )),
    Reduced(importlib.import_module, ('os', )),
    argparse.Namespace(lr=1),
    Reduced(np.dtype, ('O', )),
    Reduced(np.dtype, ('V8', )),
    Reduced(np.dtype, ([('a', 'O')], )),
    np.array([None]),
    np.array(['text']),
    Reduced(np.ndarray, ((1, ), 'f8')),
    Reduced(
        np.ndarray,
        ((1, ), Reduced(np.dtype,
                        ('f8', False, True), POINTER_STATE), bytearray(8))),
    Reduced(np.arange(2).__reduce__()[0], (dict, (0, ), b'b')),
])
def test_payload_is_refused(tmp_path: Path, payload: Any) -> None:
    path = write(payload, tmp_path / 'a.pth')
    with pytest.raises(UnpicklingError):
        load(path)


def test_dtype_ignores_the_state_of_the_file(tmp_path: Path) -> None:
    state = (3, '>', (np.dtype('f8'), (2, )), None, None, -1, -1, 63)
    hostile = Reduced(np.dtype, ('f8', False, True), state)
    back = load(write(hostile, tmp_path / 'a.pth'))
    assert back is np.dtype('f8')
    assert back.subdtype is None and back.flags == 0 and back.isnative


def test_filled_types_cannot_be_named() -> None:
    named = {
        entry[1]: entry[0]
        for entry in get_safe_globals() if isinstance(entry, tuple)
    }
    filled = [n for n, kind in named.items() if isinstance(kind, type)]
    assert {named[n] for n in filled} >= {np.ndarray, type(np.dtype('f8'))}
    assert all('\n' in name for name in filled)


def test_namespace_only_where_it_is_allowed(tmp_path: Path) -> None:
    path = write(argparse.Namespace(lr=1), tmp_path / 'a.pth')
    with torch.serialization.safe_globals([argparse.Namespace]):
        assert load(path).lr == 1
    with pytest.raises(UnpicklingError, match='Namespace'):
        load(path)
