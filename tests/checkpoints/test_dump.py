"""Dumps of predictions are read as data."""
import os
import pickle
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.evaluator import DumpResults, Evaluator
from mmpretrain.structures import DataSample

from mmvideomamba.checkpoints import read_dump


def equal(one: Any, other: Any) -> bool:
    """Compare nested values, types included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(
            equal(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return one == other


def test_samples_of_the_hosts(tmp_path: Path) -> None:
    """The dump by mmengine's own metric, of samples of both hosts, is read."""
    video = ActionDataSample()
    video.set_pred_score(torch.rand(5)).set_gt_label(3)
    video.set_pred_label(torch.tensor([2]))
    video.set_metainfo(
        dict(
            img_shape=(224, 224),
            video_id='a',
            timestamp=np.float64(1.5),
            frames=np.arange(6).reshape(2, 3).T,
            size=torch.Size([2, 3]),
            names={'a', 'b'}))
    image = DataSample()
    image.set_pred_score(torch.rand(4).half()).set_gt_label([1])
    image.set_field(torch.rand(3, 4)[:, 1], 'feature', dtype=torch.Tensor)
    path = tmp_path / 'out.pkl'
    evaluator = Evaluator(DumpResults(out_file_path=str(path)))
    evaluator.process([video, image])
    evaluator.evaluate(2)
    found = read_dump(path)
    assert len(found) == 2 and equal(found, mmengine.load(str(path)))


@pytest.mark.parametrize('protocol', range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_protocols(tmp_path: Path, protocol: int) -> None:
    path, value = tmp_path / 'a.pkl', [
        dict(
            a=torch.arange(6).view(2, 3).t(),
            b=np.bool_(True),
            c=b'\xff\0',
            d=1j,
            e=torch.tensor(2, dtype=torch.bfloat16),
            f=torch.zeros(0, 2))
    ]
    path.write_bytes(pickle.dumps(value, protocol))
    assert equal(read_dump(path), value)


class Call:
    """An object pickled as a call and a state."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> tuple:
        return self.reduced


def hidden() -> Call:
    """Return a call inside the bytes of a storage."""
    inner = pickle.dumps(Call(os.mkdir, ('ran', )), 2)
    return Call(torch.storage._load_from_bytes, (inner, ))


def pointers() -> Call:
    """Return an array whose state turns numbers into pointers."""
    state = (3, '<', (Call(np.dtype, ('O', )), ()), None, None, -1, -1, 0)
    kind = Call(np.dtype, ('f8', False, True), state)
    reconstruct = np.zeros(1).__reduce__()[0]
    return Call(reconstruct, (np.ndarray, (0, ), b'b'),
                (1, (1, ), kind, False, bytes(8)))


def beyond() -> Call:
    """Return a tensor with a size beyond its storage."""
    function, (storage, *rest) = torch.zeros(2).__reduce_ex__(2)
    return Call(function, (storage, 0, (10**6, ), (1, ), False, rest[-1]))


@pytest.mark.parametrize('value, text', [
    (Call(os.mkdir, ('ran', )), 'mkdir is not allowed'),
    (Call(getattr, (1, 'real')), 'getattr is not allowed'),
    (Call(torch.load, ('a', )), 'torch.serialization.load is not allowed'),
    (hidden(), 'without a plain storage'),
    (pointers(), "dtype 'O' is not allowed"),
    (np.array([dict()]), "dtype 'O8' is not allowed"),
    (beyond(), 'reaches beyond'),
    (Path('a'), 'is not allowed'),
    (Call(torch._utils._rebuild_tensor_v2,
          (1, 0, (), (), False, None)), 'without a plain storage'),
])
def test_hostile_dumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                       value: Any, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'bad.pkl'
    path.write_bytes(pickle.dumps([dict(a=value)], 2))
    with pytest.raises(
            ValueError, match=f'bad.pkl is damaged.*{text}') as caught:
        read_dump(path)
    assert caught.value.__cause__ is None and 'weights_only' not in str(
        caught.value)
    assert sorted(os.listdir()) == ['bad.pkl']


def test_states_of_functions_are_refused(tmp_path: Path) -> None:
    """A pickle cannot change the functions used to read later dumps."""
    path = tmp_path / 'bad.pkl'
    name = b'ctorch._utils\n_rebuild_tensor_v2\n'
    for state in (b'}', b'}X\x09\0\0\0_functionNs', b'N}X\x01\0\0\0aNs\x86'):
        path.write_bytes(b'\x80\x02' + name + state + b'b.')
        with pytest.raises(ValueError, match='state of a function'):
            read_dump(path)


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='test.py --dump writes it'):
        read_dump(tmp_path / 'no.pkl')
    path = tmp_path / 'a.pkl'
    whole = pickle.dumps([torch.zeros(3)])
    for content in (b'', b'no pickle', whole[:-20]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match='a.pkl is damaged'):
            read_dump(path)
