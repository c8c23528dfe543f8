"""Folders of Hugging Face: whole files, shards, and missing files."""
import json
from pathlib import Path
from typing import Dict

import pytest
import torch
from torch import Tensor

from mmvideomamba.checkpoints import find_weights, read_weights

STATE = {f'layer.{i}.weight': torch.full((2, ), float(i)) for i in range(3)}


def write_shards(folder: Path) -> Path:
    """Write three shards and an index, as ``save_pretrained`` does."""
    places: Dict[str, str] = {}
    for i, (key, value) in enumerate(STATE.items(), 1):
        places[key] = f'pytorch_model-{i:05d}-of-00003.bin'
        torch.save({key: value}, folder / places[key])
    index = folder / 'pytorch_model.bin.index.json'
    index.write_text(json.dumps(dict(metadata={}, weight_map=places)))
    return index


def check(found: Dict[str, Tensor]) -> None:
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[k], v) for k, v in STATE.items())


def test_folder_with_one_file(tmp_path: Path) -> None:
    safetensors = pytest.importorskip('safetensors.torch')
    torch.save(dict(other=torch.zeros(1)), tmp_path / 'pytorch_model.bin')
    safetensors.save_file(STATE, str(tmp_path / 'model.safetensors'))
    assert find_weights(tmp_path).name == 'model.safetensors'
    check(read_weights(tmp_path))


def test_shards_by_folder_and_by_index(tmp_path: Path) -> None:
    index = write_shards(tmp_path)
    check(read_weights(tmp_path))
    check(read_weights(index))


def test_missing_shard_is_named(tmp_path: Path) -> None:
    write_shards(tmp_path)
    (tmp_path / 'pytorch_model-00002-of-00003.bin').unlink()
    with pytest.raises(
            ValueError,
            match='names 3 shards, but pytorch_model-'
            '00002-of-00003.bin is missing'):
        read_weights(tmp_path)


def test_one_shard_alone(tmp_path: Path) -> None:
    write_shards(tmp_path)
    shard = tmp_path / 'pytorch_model-00002-of-00003.bin'
    with pytest.raises(ValueError, match='one of the 3 shards .*the folder'):
        read_weights(shard)
    (tmp_path / 'pytorch_model.bin.index.json').unlink()
    with pytest.raises(
            ValueError, match='not their index pytorch_model.bin.i'):
        read_weights(tmp_path)


@pytest.mark.parametrize('content, message', [
    ('{}', 'needs a weight_map'),
    ('{"weight_map": {"a": "../outside.bin"}}', 'needs a weight_map'),
    ('{"weight_map": ', 'is not JSON'),
    ('{"weight_map": {"lost": "pytorch_model-00001-of-00003.bin"}}',
     '1 tensors, such as lost, that pytorch_model-00001-of-00003.bin lacks'),
])  # yapf: disable
def test_bad_index(content: str, message: str, tmp_path: Path) -> None:
    write_shards(tmp_path).write_text(content)
    with pytest.raises(ValueError, match=message):
        read_weights(tmp_path)


def test_folder_without_weights(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='is a folder, not a checkpoint'):
        read_weights(tmp_path)
    (tmp_path / 'config.json').write_text('{}')
    with pytest.raises(ValueError, match='config.json, but none of.*download'):
        read_weights(tmp_path)
