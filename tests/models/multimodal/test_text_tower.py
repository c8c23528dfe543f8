import json
from pathlib import Path

import pytest
import torch
from common import SPOILED

from mmvideomamba.models import TextTower

TINY = dict(
    vocab_size=20,
    hidden_size=8,
    num_hidden_layers=4,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=16)
WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'cat', '##s']


def tower(**kwargs) -> TextTower:
    return TextTower(**{**dict(arch=TINY, encoder_width=6), **kwargs}).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / 'vocab.txt').write_text('\n'.join(WORDS) + '\n')
    (tmp_path / 'config.json').write_text(json.dumps(TINY))
    return tmp_path


def test_padding_changes_nothing() -> None:
    model, vision = tower(), torch.randn(1, 5, 6)
    ids = torch.tensor([[2, 5, 6, 3]])
    padded = torch.tensor([[2, 5, 6, 3, 0, 0]])
    masks = torch.ones_like(ids), (padded != 0).long()
    found = [
        model.fuse(model.encode(x, mask), mask, vision)[:, :4]
        for x, mask in zip((ids, padded), masks)
    ]
    torch.testing.assert_close(*found)
    assert model.word_logits(found[0]).shape == (1, 4, 20)


def test_texts_of_several_videos() -> None:
    """Rows in turn: as many for each video as texts per video."""
    torch.manual_seed(0)
    model, vision = tower(), torch.randn(3, 5, 6)
    ids = torch.randint(5, 20, (6, 4))
    mask = torch.ones_like(ids)
    mask[2:4, 3] = 0
    text = model.encode(ids, mask)
    wanted = torch.cat([
        model.fuse(text[i:i + 1], mask[i:i + 1], vision[i // 2:i // 2 + 1])
        for i in range(6)
    ])
    torch.testing.assert_close(model.fuse(text, mask, vision), wanted)
    first = model.fuse_first(text, mask, vision)
    torch.testing.assert_close(first, wanted[:, 0])
    first = model.fuse_first(model.attend(text, mask), mask, vision, True)
    torch.testing.assert_close(first, wanted[:, 0])
    with pytest.raises(ValueError, match='6 texts.*4 videos'):
        model.fuse(text, mask, torch.randn(4, 5, 6))


@pytest.mark.parametrize('first', [False, True])
def test_both_forms_of_attention(first: bool) -> None:
    """Attention is fused without gradients, and gives equal features."""
    torch.manual_seed(0)
    model, vision = tower(), torch.randn(2, 5, 6)
    ids = torch.randint(5, 20, (2, 4))
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    fuse = model.fuse_first if first else model.fuse
    wanted = fuse(model.encode(ids, mask), mask, vision)
    assert wanted.requires_grad
    with torch.no_grad():
        found = fuse(model.encode(ids, mask), mask, vision)
    torch.testing.assert_close(found, wanted)


def test_recomputation_gives_the_same_gradients() -> None:
    model = tower(
        arch=dict(
            TINY, hidden_dropout_prob=0., attention_probs_dropout_prob=0.))
    ids = torch.tensor([[2, 5, 6, 3]])
    found = []
    for recompute in (False, True):
        model.train().zero_grad()
        model.config.gradient_checkpointing = recompute
        mask = torch.ones_like(ids)
        out = model.fuse(model.encode(ids, mask), mask, torch.ones(1, 2, 6))
        out.pow(3).sum().backward()
        found.append(
            model.bert.encoder.layer[0].output.dense.weight.grad.clone())
    torch.testing.assert_close(*found)


def test_sizes_of_a_folder_and_its_weights(folder: Path) -> None:
    source = tower()
    own = source.state_dict()
    torch.save(
        {
            k.replace('bert.', '', 1): v + 1
            for k, v in own.items() if 'cross' not in k and 'cls.' not in k
        }, folder / 'pytorch_model.bin')
    model = tower(arch=str(folder), weights=str(folder))
    loaded = model.state_dict()
    key = 'bert.encoder.layer.3.attention.self.query.weight'
    torch.testing.assert_close(loaded[key], own[key] + 1)
    assert model.config.fusion_layer == 3
    with pytest.raises(
            ValueError,
            match='layers is 4 in the file, 5 in the tower|is 4, but 5'):
        tower(
            arch=dict(TINY, num_hidden_layers=5),
            weights=str(folder / 'pytorch_model.bin'))


@pytest.mark.parametrize('name', ['model.safetensors', 'pytorch_model.bin'])
def test_damaged_files(folder: Path, name: str) -> None:
    from safetensors.torch import save_file
    path, weights = folder / name, tower().bert.state_dict()
    if name.endswith('.bin'):
        torch.save(weights, path)
    else:
        save_file({k: v.clone() for k, v in weights.items()}, path)
    whole = path.read_bytes()
    tower(weights=str(folder))
    for spoil in SPOILED.values():
        path.write_bytes(spoil(whole))
        with pytest.raises(
                ValueError, match=f'TextTower: .*{name} is .*(anew|link)'):
            tower(weights=str(folder))
    for content in ('{', '[1]'):
        (folder / 'config.json').write_text(content)
        with pytest.raises(ValueError, match='config.json is not a config'):
            tower(arch=str(folder))


@pytest.mark.parametrize('change, match', [
    (dict(arch='nowhere'), 'nowhere/config.json'),
    (dict(fusion_layer=4), r'\[1, 3\] for 4 layers, but is 4'),
    (dict(weights='nowhere'), 'nowhere does not exist; put the files'),
    (dict(arch=dict(TINY, num_attention_heads=3)), r'\(3\).*divide.*\(8\)'),
    (dict(arch=dict(TINY, hidden_act='swoosh')), "'gelu'.*but is 'swoosh'"),
    (dict(arch=dict(TINY, hiden_size=8)), r"no \['hiden_size'\]"),
    (dict(arch=dict(TINY, position_embedding_type='relative_key')),
     "must be 'absolute' here"),
])
def test_bad_arguments(change: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        tower(**change)
