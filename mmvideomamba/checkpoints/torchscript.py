"""The weights of a TorchScript archive, read as data.

``torch.jit.load`` compiles the code of an archive. Only the attributes of
the modules are read here: the archive's pickle by stand-ins, the tensors from
the records of the storages.
"""
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple, Union

import torch
from torch import Tensor

from .plain_pickle import PlainUnpickler, StandIn, tensor_view

_DTYPES = dict(
    Float=torch.float32,
    Double=torch.float64,
    Half=torch.float16,
    BFloat16=torch.bfloat16,
    Long=torch.int64,
    Int=torch.int32,
    Short=torch.int16,
    Char=torch.int8,
    Byte=torch.uint8,
    Bool=torch.bool)
_CODE = '__torch__'
_LISTS = ('intlist', 'doublelist', 'boollist', 'tensorlist')
_MODULE = re.compile(r'^class (\w+)\(Module\):\n((?:  __\w+__ = .*\n)*)', re.M)
_NAMES = re.compile(r'__(parameters|buffers)__ = \[(.*)\]')
_FAULTS = (pickle.UnpicklingError, zipfile.BadZipFile, EOFError, OSError,
           LookupError, ValueError, TypeError, AttributeError, RuntimeError,
           NotImplementedError, MemoryError, RecursionError)


class _Object:
    """An object of the archive: the name of a type, and attributes."""
    type_name = ''

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError(
                f'{self.type_name} keeps a state of its own')
        self.attributes = state


class _Slots(NamedTuple):
    """Names of a module's parameters and buffers."""
    parameters: List[str]
    buffers: List[str]


class _Archive(PlainUnpickler):
    """The unpickler of an archive's ``data.pkl``."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        names = {
            'torch._utils._rebuild_tensor_v2': StandIn(tensor_view),
            'collections.OrderedDict': StandIn(OrderedDict),
            'torch.jit._pickle.restore_type_tag':
            StandIn(lambda value, tag: value),
            'torch.device': StandIn(str),
            **{
                f'torch.jit._pickle.build_{kind}': StandIn(list)
                for kind in _LISTS
            },
            **{
                f'torch.{name}Storage': name
                for name in _DTYPES
            }
        }
        super().__init__(archive.open(f'{root}data.pkl'), names)
        self.archive, self.root = archive, root
        self.storages: Dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return a stub for a type of the archive, else a stand-in."""
        full = f'{module}.{name}'
        if module.split('.')[0] != _CODE:
            return super().find_class(module, name)
        return type('_Object', (_Object, ), dict(type_name=full))

    def persistent_load(self, pid: Any) -> Tensor:
        """Return the elements of a storage, shape (n, )."""
        kind, name, key, _, count = pid
        if kind != 'storage' or name not in _DTYPES:
            return super().persistent_load(pid)
        if key not in self.storages:
            self.storages[key] = self._read(str(key), _DTYPES[name])
        storage = self.storages[key]
        if storage.dtype != _DTYPES[name] or storage.numel() != count:
            raise pickle.UnpicklingError(
                f'storage {key} should have {count} elements of {name}, but '
                f'has {storage.numel()} of {storage.dtype}')
        return storage

    def _read(self, key: str, dtype: torch.dtype) -> Tensor:
        """Read the record of a storage."""
        record = self.archive.getinfo(f'{self.root}data/{key}')
        # A packed record can be far larger than the file.
        if record.compress_type != zipfile.ZIP_STORED:
            raise pickle.UnpicklingError(f'storage {key} is packed')
        content = bytearray(self.archive.read(record))
        # torch.frombuffer refuses an empty buffer.
        if not content:
            return torch.empty(0, dtype=dtype)
        return torch.frombuffer(content, dtype=dtype)


def _slots(archive: zipfile.ZipFile, root: str) -> Dict[str, _Slots]:
    """Find the names of parameters and buffers in the archive's code."""
    found = {}
    for record in archive.namelist():
        path = record[len(root):]
        if not (path.startswith(f'code/{_CODE}') and path.endswith('.py')):
            continue
        place = path[len('code/'):-len('.py')].replace('/', '.')
        # data.pkl does not tell weights from other attributes of a module; the
        # code names the weights.
        for name, lines in _MODULE.findall(archive.read(record).decode()):
            slots = {
                kind: re.findall(r'"(.*?)"', text)
                for kind, text in _NAMES.findall(lines)
            }
            found[f'{place}.{name}'] = _Slots(
                slots.get('parameters', []), slots.get('buffers', []))
    return found


def _tensors(module: Any,
             slots: Dict[str, _Slots],
             prefix: str = '') -> Iterator[Tuple[str, Tensor]]:
    """Yield parameters, buffers, then the tensors of the modules inside."""
    values = module.attributes
    own = slots[module.type_name]
    for name in own.parameters + own.buffers:
        value = values.get(name)
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif value is not None:
            raise ValueError(f'{prefix}{name} is not a tensor')
    for name, value in values.items():
        if getattr(value, 'type_name', '') in slots:
            yield from _tensors(value, slots, f'{prefix}{name}.')


def read_torchscript(path: Union[str, Path]) -> Dict[str, Tensor]:
    """Read the weights of a TorchScript archive without running any code.

    Args:
        path (str | Path): An archive of ``torch.jit.save``.

    Returns:
        dict[str, Tensor]: As ``torch.jit.load(path).state_dict()``, on the
            CPU. Tensors with a common storage share memory.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the archive is damaged, or holds more than modules and
            tensors of numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'the archive {path} does not exist')
    try:
        with zipfile.ZipFile(path) as archive:
            roots = [
                name[:-len('data.pkl')] for name in archive.namelist()
                if name.endswith('/data.pkl') and name.count('/') == 1
            ]
            if len(roots) != 1:
                raise ValueError(f'{len(roots)} records data.pkl')
            order = f'{roots[0]}byteorder'
            if order in archive.namelist() and archive.read(
                    order) != b'little':
                raise ValueError('written on a big-endian machine')
            module = _Archive(archive, roots[0]).load()
            return dict(_tensors(module, _slots(archive, roots[0])))
    except _FAULTS as error:
        # The cause of a refusal is in the message.
        raise ValueError(
            f'{path} is not a TorchScript archive of plain weights '
            f'({str(error)[:200] or type(error).__name__}): it is damaged, '
            'or could run code; get the file anew') from None
