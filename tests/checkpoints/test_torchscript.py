"""Archives of TorchScript are read as data, and equal torch's reading."""
import pickle
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import torch
from torch import Tensor, nn

from mmvideomamba.checkpoints import read_torchscript


class Inner(nn.Module):
    """Buffers, a plain attribute, a list, and a parameter of value None."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 3)
        self.small = nn.Parameter(torch.randn(5).half())
        self.register_buffer('counts', torch.arange(4))
        self.register_buffer('lost', torch.ones(2), persistent=False)
        self.register_parameter('none', None)
        self.plain = torch.randn(3)
        self.names = ['a', 'b']
        self.kind = 'inner'

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + self.plain + self.counts.sum()


class Outer(nn.Module):
    """Views of a shared storage, an empty tensor, a scalar, two inners."""

    def __init__(self) -> None:
        super().__init__()
        whole = torch.randn(4, 6)
        self.turned = nn.Parameter(whole.t())
        self.part = nn.Parameter(whole[1:3, ::2])
        self.scale = nn.Parameter(torch.tensor(0.5, dtype=torch.bfloat16))
        self.register_buffer('empty', torch.empty(0, 3))
        self.register_buffer('flags', torch.tensor([True, False]))
        self.layers = nn.ModuleList([Inner(), Inner()])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)[:, :2] * self.scale
        return x @ self.part[:, :2] + self.turned[0, 0]


@pytest.fixture(params=['script', 'trace'])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / 'model.pt'
    if request.param == 'script':
        torch.jit.script(Outer()).save(str(path))
    else:
        torch.jit.trace(Outer(), torch.zeros(1, 2)).save(str(path))
    return path


def test_equals_the_state_of_torch(archive: Path) -> None:
    expected = torch.jit.load(str(archive)).state_dict()
    found = read_torchscript(archive)
    assert list(found) == list(expected)
    assert 'layers.1.fc.weight' in found
    for key, value in expected.items():
        assert found[key].dtype == value.dtype
        assert found[key].stride() == value.stride()
        torch.testing.assert_close(found[key], value, rtol=0, atol=0)
    pointers = [
        found[k].untyped_storage().data_ptr() for k in ('turned', 'part')
    ]
    assert pointers[0] == pointers[1]


ran = []


def mark_as_run(*args: Any) -> None:
    """Stand for the code run by a hostile archive."""
    ran.append(args)


class Call:
    """An object pickled as a call and a state."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> tuple:
        return self.reduced


class Named:
    """Pickled as a global name."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Pickler(pickle._Pickler):
    """Writes names missing on this machine, and persistent references."""
    dispatch = dict(pickle._Pickler.dispatch)

    def save_named(self, named: Named) -> None:
        self.write(b'c' + f'{named.module}\n{named.name}\n'.encode())

    dispatch[Named] = save_named

    def persistent_id(self, obj: Any) -> Any:
        return obj.pid if hasattr(obj, 'pid') else None


class Storage:
    """Pickled as a reference to the record of a storage."""

    def __init__(self, *pid: Any) -> None:
        self.pid = pid


def tensor(count: int, offset: Any, size: Any, stride: Any) -> Call:
    storage = Storage('storage', Named('torch', 'FloatStorage'), '0', 'cpu',
                      count)
    return Rebuilt(storage, offset, size, stride, False, ())


class Rebuilt(Call):
    """A tensor; protocol 2 needs the name and a reduction."""


def save_rebuilt(self: Pickler, call: Rebuilt) -> None:
    self.save_named(Named('torch._utils', '_rebuild_tensor_v2'))
    self.save(call.reduced)
    self.write(pickle.REDUCE)


Pickler.dispatch[Rebuilt] = save_rebuilt


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function to write an archive around a value."""

    def write(value: Any, packed: bool = False, **records: bytes) -> Path:
        path = tmp_path / 'bad.pt'
        content: Dict[str, bytes] = {
            'code/__torch__.py':
            b'class M(Module):\n  __parameters__ = ["w", ]\n'
            b'  __buffers__ = []\n',
            'data/0': bytes(8),
            **records
        }
        with zipfile.ZipFile(path, 'w') as archive:
            with archive.open('m/data.pkl', 'w') as file:
                file.write(b'\x80\x02c__torch__\nM\n)\x81}(X\x01\0\0\0w')
                pickler = Pickler(file, 2)
                pickler.proto = 2
                pickler.save(value)
                file.write(b'ub.')
            for name, data in content.items():
                archive.writestr(f'm/{name}', data,
                                 zipfile.ZIP_DEFLATED if packed else None)
        return path

    return write


def test_archive_by_hand(write: Callable) -> None:
    """A good archive by hand: the hostile ones differ in a single respect."""
    assert read_torchscript(write(tensor(
        2, 0, (2, ), (1, )))) == dict(w=pytest.approx(torch.zeros(2)))


@pytest.mark.parametrize('value, text', [
    (Call(mark_as_run, (1, )), 'mark_as_run is not allowed'),
    (Call(eval, ('1', )), 'eval is not allowed'),
    (Named('torch.jit._pickle', 'build_tensor_from_id'), 'is not allowed'),
    (tensor(2, 0, (3, ), (1, )), 'reaches beyond its storage of 2'),
    (tensor(2, 1, (2, ), (1, )), 'reaches beyond'),
    (tensor(2, 0, (2, ), (2, )), 'reaches beyond'),
    (tensor(2, 0, (2, 2), (1, )), 'reaches beyond'),
    (tensor(2, 1, (2, ), (-1, )), 'not sizes of a tensor'),
    (tensor(2, -1, (2, ), (1, )), 'not sizes of a tensor'),
    (tensor(2, 0, (2.0, ), (1, )), 'not sizes of a tensor'),
    (tensor(2**40, 0, (2, ), (1, )), 'storage 0 should have 1099511627776'),
    (Storage('module', 'a', 'b', 'c', 'd'), 'reference .* is not allowed'),
    (3, 'w is not a tensor'),
])
def test_hostile_archives(write: Callable, value: Any, text: str) -> None:
    with pytest.raises(ValueError, match=f'bad.pt is not .*{text}') as caught:
        read_torchscript(write(value))
    assert not ran and caught.value.__cause__ is None


def test_packed_storage(write: Callable) -> None:
    with pytest.raises(ValueError, match='storage 0 is packed'):
        read_torchscript(write(tensor(2, 0, (2, ), (1, )), packed=True))


def test_other_files(write: Callable, tmp_path: Path, archive: Path) -> None:
    with pytest.raises(FileNotFoundError, match='no.pt does not exist'):
        read_torchscript(tmp_path / 'no.pt')
    big = write(tensor(2, 0, (2, ), (1, )), byteorder=b'big')
    with pytest.raises(ValueError, match='big-endian'):
        read_torchscript(big)
    data = bytearray(archive.read_bytes())
    for cut in (data[:len(data) // 2], b'no archive'):
        archive.write_bytes(cut)
        with pytest.raises(ValueError, match='not a TorchScript archive'):
            read_torchscript(archive)
