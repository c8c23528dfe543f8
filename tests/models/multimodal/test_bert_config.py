"""Entries of a published ``config.json``."""
import json
from typing import Any, Dict

import pytest

from mmvideomamba.models.multimodal.bert_config import BertConfig


def test_entries_without_influence() -> None:
    """As in files of Chinese and of fine-tuned models."""
    config = BertConfig.of(
        dict(
            model_type='bert',
            vocab_size=21128,
            directionality='bidi',
            pooler_fc_size=768,
            pooler_type='first_token_transform',
            id2label={'0': 'no'},
            position_embedding_type='absolute'),
        encoder_width=6)
    assert config == BertConfig(vocab_size=21128, encoder_width=6)


def test_whole_config_of_transformers() -> None:
    """As written by early versions, with every default."""
    transformers = pytest.importorskip('transformers')
    whole = transformers.BertConfig(vocab_size=30).to_json_string(False)
    assert BertConfig.of(json.loads(whole)) == BertConfig(vocab_size=30)


@pytest.mark.parametrize('entry', [
    dict(is_decoder=True),
    dict(pruned_heads={'0': [1]}),
    dict(position_embedding_type='relative_key'),
    dict(model_type='roberta'),
    dict(tie_word_embeddings=False),
    dict(surprise=1),
    dict(hidden_act='swoosh'),
    dict(num_attention_heads=5),
])
def test_refused_entries(entry: Dict[str, Any]) -> None:
    name, = entry
    with pytest.raises(ValueError, match=name):
        BertConfig.of(entry)
