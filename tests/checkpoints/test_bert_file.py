"""Files of a BERT for a text tower, and files refused."""
import json
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import torch
from torch import Tensor

from mmvideomamba.checkpoints import read_bert
from mmvideomamba.models import TextTower

SIZES = dict(
    vocab_size=20,
    hidden_size=8,
    num_hidden_layers=4,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=16)
PLACES = 'bert.embeddings.position_embeddings.weight'
State = Dict[str, Tensor]


def tower(sizes: Dict[str, Any] = {}, **kwargs: Any) -> TextTower:
    return TextTower(arch={**SIZES, **sizes}, encoder_width=6, **kwargs)


def bert(**sizes: Any) -> State:
    """Return weights of a BERT with word head, as ``BertForPreTraining``."""
    state = {
        k: v.clone()
        for k, v in tower(sizes).state_dict().items() if 'crossatt' not in k
    }
    state['bert.embeddings.position_ids'] = torch.arange(16)[None]
    state['bert.pooler.dense.weight'] = torch.zeros(8, 8)
    state['cls.seq_relationship.weight'] = torch.zeros(2, 8)
    return state


def write(folder: Path, state: State, **config: Any) -> str:
    torch.save(state, folder / 'pytorch_model.bin')
    if config:
        content = {**SIZES, 'model_type': 'bert', **config}
        (folder / 'config.json').write_text(json.dumps(content))
    return str(folder)


def old_norms(state: State) -> State:
    """Rename as in the first releases, without the second bias."""
    del state['cls.predictions.decoder.bias']
    return {
        k.replace('LayerNorm.weight', 'LayerNorm.gamma').replace(
            'LayerNorm.bias', 'LayerNorm.beta'):
        v
        for k, v in state.items()
    }


def safe(state: State) -> State:
    """Leave out shared tensors, as in files of safetensors."""
    return {k: v for k, v in state.items() if '.decoder.' not in k}


def multimodal(state: State) -> State:
    whole = tower().state_dict()
    state = {f'text_encoder.{k}': v for k, v in {**whole, **state}.items()}
    return dict(state, temp=torch.ones(1))


def whole_model(state: State) -> State:
    return dict(state, **{'classifier.weight': torch.zeros(2, 8)})


@pytest.mark.parametrize('change',
                         [dict, old_norms, safe, multimodal, whole_model])
def test_layouts(change: Callable, tmp_path: Path, mm_log: list) -> None:
    state = bert()
    model = tower(weights=write(tmp_path, change(dict(state))))
    loaded = model.state_dict()
    for key in loaded.keys() & state.keys():
        assert torch.equal(loaded[key], state[key]), key
    assert loaded.keys() - state.keys() == {
        k
        for k in loaded if 'crossatt' in k
    }
    line, = [line for line in mm_log if 'fills' in line]
    assert ('cross-attention (10 tensors) starts fresh' in line) == (
        change is not multimodal)
    assert 'word head' not in line
    assert ('left out: classifier.weight' in line) == (change is whole_model)


def test_half_precision_and_no_word_head(tmp_path: Path, mm_log: list) -> None:
    """A bare BERT in half precision, as ``BertModel`` saves one."""
    state = {
        k[len('bert.'):]: v.half() if v.is_floating_point() else v
        for k, v in bert().items() if k.startswith('bert.')
    }
    folder = write(tmp_path, state)
    model = tower(weights=folder)
    key = 'encoder.layer.3.attention.self.key.weight'
    assert torch.equal(model.state_dict()[f'bert.{key}'], state[key].float())
    line, = [line for line in mm_log if 'fills' in line]
    assert 'the word head starts fresh' in line
    tower(weights=folder, with_mlm=False)
    assert 'word head' not in [line for line in mm_log if 'fills' in line][1]


def test_word_head_is_left_out(tmp_path: Path, mm_log: list) -> None:
    tower(weights=write(tmp_path, bert()), with_mlm=False)
    line, = [line for line in mm_log if 'fills' in line]
    assert 'left out: cls.predictions.' in line


@pytest.mark.parametrize('sizes, message', [
    (dict(vocab_size=25), 'vocab_size is 25 in the file, 20 in the tower'),
    (dict(max_position_embeddings=40), 'max_position_embeddings is 40'),
    (dict(num_hidden_layers=3), 'num_hidden_layers is 3'),
    (dict(num_hidden_layers=5), 'num_hidden_layers is 5'),
    (dict(hidden_size=16), 'hidden_size is 16'),
    (dict(intermediate_size=32), 'intermediate_size is 32'),
    (dict(type_vocab_size=1), 'type_vocab_size is 1'),
])  # yapf: disable
def test_weights_of_other_sizes(sizes: dict, message: str,
                                tmp_path: Path) -> None:
    folder = write(tmp_path, bert(**sizes))
    with pytest.raises(ValueError, match=f'TextTower: .*{message}.*Set arch'):
        tower(weights=folder)


@pytest.mark.parametrize('config, message', [
    (dict(num_attention_heads=4), 'num_attention_heads is 4, but 2'),
    (dict(hidden_act='relu'), "hidden_act is 'relu', but 'gelu'"),
    (dict(layer_norm_eps=1e-5), 'layer_norm_eps is 1e-05'),
    (dict(vocab_size=25), 'vocab_size is 25, but 20'),
    (dict(position_embedding_type='relative_key'), "'relative_key', not"),
    (dict(is_decoder=True), 'is_decoder is True'),
    (dict(model_type='roberta'), "model_type 'roberta'"),
])  # yapf: disable
def test_config_of_another_model(config: dict, message: str,
                                 tmp_path: Path) -> None:
    folder = write(tmp_path, bert(), **config)
    with pytest.raises(ValueError, match=f'config.json.*{message}'):
        tower(weights=folder)


def test_config_beside_a_file_of_its_own_name(tmp_path: Path,
                                              mm_log: list) -> None:
    folder = write(tmp_path, bert(), model_type='clip')
    path = Path(folder, 'pytorch_model.bin').rename(tmp_path / 'bert.pth')
    tower(weights=str(path))
    assert [line for line in mm_log if "'clip' and not read; heads" in line]
    Path(folder, 'config.json').unlink()
    tower(weights=str(path))
    assert [line for line in mm_log if 'no config.json lies' in line]


@pytest.mark.parametrize('change, message', [
    (lambda s: {k.replace('bert.', 'roberta.'): v for k, v in s.items()},
     'another model than BERT'),
    (lambda s: {'lm_head.bias': torch.ones(1), **s}, 'lm_head.bias'),
    (lambda s: {'fc.weight': torch.ones(1)}, "no BERT.*'fc.weight'"),
    (lambda s: {**s, 'bert.encoder.layer.0.adapter.weight': torch.ones(1)},
     'have no place, such as bert.encoder.layer.0.adapter.weight'),
    (lambda s: {k: v for k, v in s.items() if '3.output.dense.w' not in k},
     '1 tensors are missing, such as bert.encoder.layer.3.output.dense.w'),
    (lambda s: {**s, 'cls.predictions.decoder.weight': torch.ones(20, 8)},
     'differs .* tie_word_embeddings'),
    (lambda s: {**s, 'bert.embeddings.LayerNorm.bias': torch.ones(8).int()},
     'torch.int32'),
    (lambda s: {**s, 'bert.embeddings.LayerNorm.beta': torch.ones(8)},
     'bert.embeddings.LayerNorm.bias twice'),
    (lambda s: {**s, PLACES: s[PLACES] * (torch.arange(16) != 1)[:, None]},
     'zeros at place 1 tell: RoBERTa'),
])  # yapf: disable
def test_other_files(change: Callable, message: str, tmp_path: Path) -> None:
    folder = write(tmp_path, change(bert()))
    with pytest.raises(ValueError, match=f'TextTower: .*{message}'):
        tower(weights=folder)


def test_bert_of_transformers(tmp_path: Path) -> None:
    """A sharded file of transformers gives equal features below the fusion."""
    transformers = pytest.importorskip('transformers')
    model = transformers.BertModel(transformers.BertConfig(**SIZES)).eval()
    model.save_pretrained(tmp_path, max_shard_size='4KB')
    assert len(list(tmp_path.glob('*.safetensors'))) > 1
    assert len(read_bert(tmp_path).weights) == 4 * 16 + 5
    ours = TextTower(
        arch=str(tmp_path), weights=str(tmp_path), fusion_layer=3).eval()
    ids = torch.tensor([[2, 5, 6, 3]])
    with torch.no_grad():
        hidden = model(ids, output_hidden_states=True).hidden_states[3]
        torch.testing.assert_close(
            ours.encode(ids, torch.ones_like(ids)), hidden)
