import pytest
import torch

from mmvideomamba.models import TextTower
from mmvideomamba.models.multimodal.answer_decoder import build_decoder

SIZES = dict(
    vocab_size=20,
    hidden_size=8,
    num_hidden_layers=4,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=16,
    initializer_range=0.5)
IDS = torch.tensor([[2, 5, 6, 3, 0], [2, 7, 8, 9, 3]])
MASK = (IDS != 0).long()


@pytest.fixture
def tower() -> TextTower:
    torch.manual_seed(0)
    return TextTower(SIZES, fusion_layer=2, encoder_width=8).eval()


@pytest.mark.parametrize('act', ['gelu', 'gelu_new', 'relu', 'silu'])
def test_layers_without_cross_attention_are_those_of_transformers(
        act: str) -> None:
    """All layers of a BERT, and the head for masked words, are equal."""
    transformers = pytest.importorskip('transformers')
    torch.manual_seed(0)
    sizes = dict(SIZES, hidden_act=act)
    tower = TextTower(sizes, fusion_layer=3, encoder_width=8).eval()
    theirs = transformers.BertForMaskedLM(
        transformers.BertConfig(**sizes)).eval()
    theirs.load_state_dict(tower.state_dict(), strict=False)
    wanted = theirs(IDS, attention_mask=MASK)
    bert = tower.bert
    states = bert.run(
        bert.layers, bert.embeddings(IDS),
        torch.zeros(1, 1, 1, 1).masked_fill(MASK[:, None, None] == 0, -1e4))
    kept = MASK.bool()
    torch.testing.assert_close(
        tower.word_logits(states)[kept], wanted.logits[kept])


def test_fusion_is_that_of_transformers(tower: TextTower) -> None:
    """Cross-attention of each layer equals a decoder without causal mask."""
    transformers = pytest.importorskip('transformers')
    decoder = build_decoder(tower).eval()
    theirs = transformers.BertLMHeadModel(
        transformers.BertConfig(
            **dict(SIZES, num_hidden_layers=2),
            is_decoder=True,
            add_cross_attention=True)).eval()
    theirs.load_state_dict(decoder.state_dict(), strict=False)
    states, states_mask = torch.randn(2, 3, 8), torch.ones(2, 3).long()
    states_mask[1, 2] = 0
    wanted = theirs(
        IDS,
        attention_mask=MASK,
        encoder_hidden_states=states,
        encoder_attention_mask=states_mask).logits
    found = decoder(IDS, states, states_mask, MASK)
    kept = MASK.bool()
    torch.testing.assert_close(found[kept], wanted[kept])


def test_padding_has_no_embedding(tower: TextTower) -> None:
    words = tower.bert.embeddings.word_embeddings
    assert not words.weight[0].any()
    tower.encode(IDS, MASK).pow(3).sum().backward()
    assert not words.weight.grad[0].any() and words.weight.grad[5].any()


def test_first_weights() -> None:
    """Linear layers and embeddings are normal, biases 0, norms 1."""
    torch.manual_seed(0)
    tower = TextTower(dict(SIZES, hidden_size=64, initializer_range=0.02))
    for key, value in tower.state_dict().items():
        if 'LayerNorm.weight' in key:
            assert (value == 1).all(), key
        elif key.endswith('bias'):
            assert (value == 0).all(), key
        elif value.numel() > 2000:
            assert value.std() == pytest.approx(0.02, rel=0.1), key


@torch.no_grad()
def test_trace_takes_other_batches(tower: TextTower) -> None:
    """A traced model takes other sizes than the example's."""
    vision = torch.randn(2, 3, 8)
    example = torch.randn(2, 5, 8), MASK, vision
    traced = torch.jit.trace_module(tower, dict(fuse=example))
    text, mask = torch.randn(6, 4, 8), torch.ones(6, 4).long()
    inputs = text, mask, torch.randn(3, 7, 8)
    torch.testing.assert_close(traced.fuse(*inputs), tower.fuse(*inputs))
