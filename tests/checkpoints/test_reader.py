"""One reader, one error message for each fault of a file."""
import pickle
from argparse import Namespace
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmvideomamba.checkpoints import is_torchscript, read_checkpoint, read_file
from mmvideomamba.checkpoints.reader import check_file

WEIGHTS = {'a.weight': torch.arange(4096.).view(64, 64), 'b': torch.ones(2)}


@pytest.fixture(params=['zip', 'pickle', 'safetensors'])
def good(request: Any, tmp_path: Path) -> Path:
    """A good file of each form, all under the ending of torch."""
    path = tmp_path / 'file.pth'
    if request.param == 'safetensors':
        pytest.importorskip('safetensors.torch').save_file(WEIGHTS, str(path))
    else:
        torch.save(
            WEIGHTS,
            path,
            _use_new_zipfile_serialization=request.param == 'zip')
    return path


def test_good_files(good: Path) -> None:
    check_file(good)
    found = read_checkpoint(good)
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[k], v) for k, v in WEIGHTS.items())


def test_home_folder(good: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv('HOME', str(good.parent))
    assert read_checkpoint('~/file.pth').keys() == WEIGHTS.keys()


@pytest.mark.parametrize('share', [0.001, 0.01, 0.3, 0.6, 0.99])
def test_cut_files(share: float, good: Path) -> None:
    whole = good.read_bytes()
    good.write_bytes(whole[:int(share * len(whole))])
    with pytest.raises(ValueError, match='is cut off'):
        check_file(good)
    with pytest.raises(ValueError) as error:
        read_checkpoint(good)
    assert f'{good} is cut off after {int(share * len(whole))} bytes' in str(
        error.value)
    assert 'get the file anew' in str(error.value)


@pytest.mark.parametrize('content, message', [
    (b'', 'is empty'),
    (b'version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize '
     b'28400000', 'is a Git LFS pointer, not the file of 28.4 MB itself'),
    (b'version https://git-lfs', 'is a Git LFS pointer, not the file itself'),
    (b'<html>not found</html>', 'is a web page, not a checkpoint'),
    (b'\n <!-- x --><!DOCTYPE HTML><title>Log in</title>',
     r'is a web page \("Log in"\)'),
    (b'\xef\xbb\xbf<!doctype html>', 'is a web page, not a checkpoint'),
    (b'<body>nothing here</body>', 'is a web page, not a checkpoint'),
    (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code>',
     'is a web page'),
    (b'\x1f\x8b\x08', 'is packed by gzip: unpack'),
    (b'hello', 'is not a checkpoint of torch or safetensors'),
    (b'{"weight_map": {}}', 'is not a checkpoint of torch or safetensors'),
    (b'PK\x03\x04truncated', 'is cut off after 13 bytes'),
    (b'\x80\x02', 'is cut off'),
    (b'\x80\x02\xff\xffhello', 'is damaged'),
])
def test_what_a_file_is(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / 'in.pth'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'in.pth {message}'):
        read_checkpoint(path)
    assert not is_torchscript(path)


def test_damaged_safetensors(tmp_path: Path) -> None:
    pytest.importorskip('safetensors')
    path = tmp_path / 'in.safetensors'
    for content in (b'hello world, no weights', b'\x05\0\0\0\0\0\0\0{nope'):
        path.write_bytes(content)
        with pytest.raises(ValueError, match='in.safetensors is damaged'):
            read_checkpoint(path)


def test_safetensors_are_not_installed(tmp_path: Path,
                                       monkeypatch: Any) -> None:
    import sys
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    path = tmp_path / 'in.safetensors'
    path.write_bytes(b'\x02\0\0\0\0\0\0\0{}')
    with pytest.raises(ValueError, match='pip install safetensors'):
        read_checkpoint(path)


def test_paths(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='none.pth does not exist'):
        read_checkpoint(tmp_path / 'none.pth')
    with pytest.raises(ValueError, match='is a folder, not a checkpoint: nam'):
        read_checkpoint(tmp_path)
    torch.save(WEIGHTS, tmp_path / 'mp_rank_00_model_states.pt')
    with pytest.raises(ValueError, match='such as .*mp_rank_00_model_states'):
        read_checkpoint(tmp_path)


class Code:
    """An object with a function call in its pickle."""

    def __init__(self, function: Callable, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize('extra, message', [
    (Code(print, 'run'), 'print, which could run code, and is refused'),
    (Path('x'), 'pathlib.PosixPath, which could run code'),
    (Namespace(lr=1), 'argparse.Namespace, a command line.*videomamba_to_mm'),
    (Code(getattr, WEIGHTS, 'pop'), 'could run code, and is refused'),
])
def test_more_than_weights(extra: Any, message: str, tmp_path: Path,
                           capsys: Any) -> None:
    path = tmp_path / 'in.pth'
    torch.save(dict(model=WEIGHTS, extra=extra), path)
    with pytest.raises(
            ValueError,
            match=f'in.pth holds more than weights: .*{message}') as caught:
        read_checkpoint(path)
    assert not capsys.readouterr().out
    # torch's advice to read the file without protection is not shown.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert 'weights_only' not in str(caught.value)


def test_allowed_types(tmp_path: Path) -> None:
    path = tmp_path / 'in.pth'
    torch.save(dict(args=Namespace(lr=1)), path)
    assert read_checkpoint(path, allow=[Namespace])['args'].lr == 1
    with pytest.raises(ValueError):
        read_checkpoint(path)


def test_checkpoint_of_mmengine(tmp_path: Path) -> None:
    path = tmp_path / 'in.pth'
    history = HistoryBuffer([1.], [1])
    torch.save(
        dict(message_hub=dict(loss=history), best=np.float64(0.5)), path)
    assert read_checkpoint(path)['best'] == 0.5


@pytest.mark.parametrize('content', [[1, 2], torch.ones(2), None])
def test_files_without_a_dict(content: Any, tmp_path: Path) -> None:
    path = tmp_path / 'in.pth'
    torch.save(content, path)
    with pytest.raises(ValueError, match='not the dict of a checkpoint'):
        read_checkpoint(path)
    assert type(read_file(path)) is type(content)


def test_plain_pickle(tmp_path: Path) -> None:
    path = tmp_path / 'in.pth'
    path.write_bytes(pickle.dumps(dict(a=1)))
    with pytest.raises(ValueError, match='in.pth is (damaged|cut off)'):
        read_checkpoint(path)


@pytest.mark.parametrize('place', [0.3, 0.5, 0.7])
def test_changed_bytes(place: float, tmp_path: Path) -> None:
    """torch reads changed tensors without a word."""
    path = tmp_path / 'in.pth'
    torch.save(WEIGHTS, path)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0xff
    path.write_bytes(content)
    with pytest.raises(ValueError, match='in.pth is damaged.*checksum of'):
        read_checkpoint(path)


def test_file_saved_without_checksums(tmp_path: Path) -> None:
    path = tmp_path / 'in.pth'
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(WEIGHTS, path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert read_checkpoint(path).keys() == WEIGHTS.keys()


def test_zip_of_other_files(tmp_path: Path) -> None:
    import zipfile
    path = tmp_path / 'in.pth'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('model.pth', b'1')
    with pytest.raises(ValueError, match='zip archive of other files.*unpack'):
        read_checkpoint(path)


def test_missing_device_is_no_damage(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / 'in.pth'
    torch.save(WEIGHTS, path)
    text = 'Attempting to deserialize object on a CUDA device'

    def load(*_: Any, **__: Any) -> None:
        raise RuntimeError(text)

    monkeypatch.setattr(torch, 'load', load)
    with pytest.raises(RuntimeError, match=text):
        read_checkpoint(path)
