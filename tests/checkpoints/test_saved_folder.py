"""Tests of the folders of saved models."""
import json
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from common import SPOILED
from safetensors import SafetensorError
from torch import nn

from mmvideomamba.checkpoints import (CONFIG, FORMAT, LIBRARY, WEIGHTS,
                                      check_target, from_json, load_strict,
                                      read_config, read_state, to_json,
                                      write_folder)

GOOD = dict(library=LIBRARY, format=FORMAT, model=dict(type='A'))


def write(folder: Path, **changes: Any) -> Path:
    """Write a folder with a tensor."""
    write_folder(folder, dict(GOOD, **changes), dict(w=torch.ones(200)), 'x')
    return folder


def test_values_of_configs() -> None:
    """Tuples and classes survive JSON; other objects are refused."""
    value = dict(a=(1, [2, (3., )]), b=None, c='x', d=dict(e=True))
    again = from_json(json.loads(json.dumps(to_json(value))))
    assert again == value and isinstance(again['a'][1][1], tuple)
    assert again.d.e
    assert to_json(nn.Linear) == 'torch.nn.modules.linear.Linear'
    with pytest.raises(ValueError, match='model.a.1 is of type Tensor'):
        to_json(dict(a=[1, torch.ones(1)]), 'model')


def test_shared_memory(tmp_path: Path) -> None:
    """Tensors with shared memory, or parts of larger tensors, are kept."""
    base = torch.arange(6.)
    state = dict(a=base, b=base, c=base[2:4], d=base.view(2, 3).t())
    write_folder(tmp_path, GOOD, state, 'card')
    found = read_state(tmp_path)
    assert all(torch.equal(found[k], state[k]) for k in state)


@pytest.mark.parametrize('content, message', [
    (dict(GOOD, library='timm'), r'belongs to another library \(timm\)'),
    (dict(architecture='vit'), 'belongs to another library, not to'),
    ([1], 'belongs to another library'),
    (dict(GOOD, format=2, library_version='9.0'), 'of mmvideomamba 9.0'),
    (dict(GOOD, model=None), 'has no model'),
])
def test_other_configs(tmp_path: Path, content: Any, message: str) -> None:
    """A config.json of another program is named, and never overwritten."""
    (tmp_path / CONFIG).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f'config.json.*{message}'):
        read_config(tmp_path)
    with pytest.raises(ValueError, match='is not overwritten'):
        check_target(tmp_path)


def test_targets(tmp_path: Path) -> None:
    """Saved models, unfinished ones and clones of the Hub are written to."""
    folder = write(tmp_path / 'saved')
    check_target(folder)
    (folder / 'own_notes.txt').write_text('kept')
    write(check_target(folder))
    assert (folder / 'own_notes.txt').exists()
    (folder / CONFIG).unlink()
    with pytest.raises(ValueError, match='no saved model, but own_notes.txt'):
        check_target(folder)
    (folder / 'own_notes.txt').unlink()
    (folder / '.gitattributes').touch()
    check_target(folder)
    with pytest.raises(ValueError, match='README.md is a file'):
        check_target(folder / 'README.md')


def test_no_folder_half_written(tmp_path: Path,
                                monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted save leaves nothing to load, or the older model."""
    place = 'mmvideomamba.checkpoints.saved_folder'

    def broken(error: BaseException) -> Callable:

        def fail(*args: Any, **kwargs: Any) -> None:
            raise error

        return fail

    folder = write(tmp_path)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(f'{place}.save_file',
                        broken(SafetensorError('No space left on device')))
    with pytest.raises(OSError, match='model.safetensors cannot be .*No sp'):
        write(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    monkeypatch.undo()
    monkeypatch.setattr(f'{place}.finish_file', broken(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write(folder)
    with pytest.raises(ValueError, match='holds no config.json'):
        read_config(folder)
    monkeypatch.undo()
    (folder / 'answers.json.unfinished').touch()  # of a killed process
    write(check_target(folder))
    assert read_config(folder) == GOOD


def test_files_of_an_older_model_go(tmp_path: Path) -> None:
    """A model without texts leaves no vocabulary of the model before."""
    names = ('tokenizer/vocab.txt', 'answers.json')
    source = tmp_path / 'source'
    source.write_text('a')
    folder = tmp_path / 'saved'
    (folder / 'tokenizer').mkdir(parents=True)
    (folder / 'tokenizer' / 'vocab.txt').touch()  # of a user
    write(folder)
    assert (folder / 'tokenizer' / 'vocab.txt').exists()
    write_folder(folder, GOOD, dict(w=torch.ones(2)), 'card',
                 dict.fromkeys(names, source))
    assert all((folder / name).read_text() == 'a' for name in names)
    write(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        'README.md', 'config.json', 'model.safetensors'
    ]


@pytest.mark.parametrize('spoil', SPOILED.values(), ids=SPOILED)
def test_spoiled_weights(tmp_path: Path, spoil: Callable) -> None:
    """Broken weights are refused by name."""
    path = write(tmp_path) / WEIGHTS
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ValueError, match=WEIGHTS):
        read_state(tmp_path)
    path.unlink()
    with pytest.raises(ValueError, match='holds no model.safetensors'):
        read_state(tmp_path)


def test_weights_of_another_model() -> None:
    """All kinds of differences are counted in a line."""
    model = nn.Linear(3, 2)
    state = dict(weight=torch.zeros(2, 4), other=torch.zeros(1))
    with pytest.raises(ValueError) as error:
        load_strict(model, state, 'FILE')
    assert str(error.value) == (
        'FILE holds the weights of another model than config.json: 1 tensors '
        'missing, such as bias; 1 unexpected, such as other; 1 of another '
        'shape, such as weight: (2, 4) in the file, (2, 3) in the model; '
        'save the model again, or get the folder anew')


def test_weights_in_whole_numbers() -> None:
    """Quantised weights are refused; half precision is read."""
    model = nn.Linear(3, 2)
    state = dict(model.state_dict())
    load_strict(model, {k: v.half() for k, v in state.items()}, 'FILE')
    with pytest.raises(
            ValueError,
            match='2 of another kind of numbers, such '
            'as weight: torch.int8 in the file, torch.float32'):
        load_strict(model, {
            k: v.to(torch.int8)
            for k, v in state.items()
        }, 'FILE')
