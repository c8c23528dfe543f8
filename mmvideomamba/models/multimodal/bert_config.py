"""Sizes of a BERT, from a dict or from the config of Hugging Face."""
import re
from dataclasses import dataclass, fields
from typing import Any, Dict, Mapping, Type

from torch import nn

from mmvideomamba.checkpoints import BERT_FIXED

# By the names of Hugging Face. 'gelu' is exact, with an error function.
ACTIVATIONS: Dict[str, nn.Module] = dict(
    gelu=nn.GELU(),
    gelu_new=nn.GELU('tanh'),
    gelu_pytorch_tanh=nn.GELU('tanh'),
    relu=nn.ReLU(),
    silu=nn.SiLU())
# Entries of a ``config.json`` without influence on the text tower.
_IGNORED = ('architectures', 'classifier_dropout', 'cross_module',
            'torch_dtype', 'dtype', 'transformers_version', 'use_cache',
            'gradient_checkpointing', '_name_or_path', 'bos_token_id',
            'eos_token_id', 'encoder_width', 'fusion_layer', 'directionality',
            'pooler_fc_size', 'pooler_num_attention_heads',
            'pooler_num_fc_layers', 'pooler_size_per_head', 'pooler_type',
            'id2label', 'label2id', 'num_labels', 'problem_type',
            'finetuning_task', 'output_past', 'output_attentions',
            'output_hidden_states', 'return_dict', 'torchscript', 'language',
            'chunk_size_feed_forward', 'cross_attention_hidden_size',
            'tie_encoder_decoder', 'tokenizer_class', 'use_bfloat16',
            'tf_legacy_loss', 'sep_token_id', 'prefix', 'task_specific_params')
# The same, of models that write texts: transformers has written all of these
# into whole configs.
_OF_WRITERS = re.compile(
    r'(min|max)_length|do_sample|early_stopping|num_(beams|beam_groups)|'
    r'num_return_sequences|(length|repetition|diversity)_penalty|temperature|'
    r'(top|typical)_[kp]|(encoder_)?no_repeat_ngram_size|bad_words_ids|'
    r'(begin_)?suppress_tokens|forced_[be]os_token_id|remove_invalid_values|'
    r'eos_token_ids|decoder_start_token_id|exponential_decay_length_penalty|'
    r'output_scores|return_dict_in_generate')


@dataclass
class BertConfig:
    """Sizes of a BERT, by the names of Hugging Face.

    Args:
        vocab_size (int): Word pieces. Defaults to 30522.
        hidden_size (int): Channels of a token. Defaults to 768.
        num_hidden_layers (int): Defaults to 12.
        num_attention_heads (int): Defaults to 12.
        intermediate_size (int): Channels between the two linear layers of a
            feed-forward network. Defaults to 3072.
        hidden_act (str): One of ``ACTIVATIONS``. Defaults to 'gelu'.
        hidden_dropout_prob (float): Share of channels dropped in training.
            Defaults to 0.1.
        attention_probs_dropout_prob (float): Share of attention weights
            dropped in training. Defaults to 0.1.
        max_position_embeddings (int): Most tokens of a text. Defaults to
            512.
        type_vocab_size (int): Kinds of a token; all tokens are of kind 0.
            Defaults to 2.
        layer_norm_eps (float): Defaults to 1e-12.
        initializer_range (float): Standard deviation of new weights.
            Defaults to 0.02.
        pad_token_id (int): Id of padding. Defaults to 0.
        fusion_layer (int): First layer with cross-attention. Defaults to 9.
        encoder_width (int): Channels of the tokens that the cross-attention
            reads. Defaults to 576.
        gradient_checkpointing (bool): Whether layers are computed again in
            the backward pass. Defaults to False.

    Raises:
        ValueError: If the heads do not divide the channels, or the
            activation is unknown.
    """
    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = 'gelu'
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    initializer_range: float = 0.02
    pad_token_id: int = 0
    fusion_layer: int = 9
    encoder_width: int = 576
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f'num_attention_heads ({self.num_attention_heads}) of a BERT '
                f'must divide its hidden_size ({self.hidden_size})')
        if self.hidden_act not in ACTIVATIONS:
            raise ValueError(
                f'hidden_act of a BERT must be one of {list(ACTIVATIONS)}, '
                f'but is {self.hidden_act!r}')

    @classmethod
    def of(cls: Type['BertConfig'], found: Mapping[str, Any],
           **kwargs: Any) -> 'BertConfig':
        """Read sizes by the names of Hugging Face.

        Args:
            found (Mapping[str, Any]): For example the content of a
                ``config.json``.
            **kwargs: Further sizes, before those of ``found``.

        Returns:
            BertConfig: With defaults for missing sizes.

        Raises:
            ValueError: If a name is unknown, or a value is not allowed.
        """
        known = {field.name for field in fields(cls)}
        fixed = dict(BERT_FIXED, model_type='bert')
        for name, value in fixed.items():
            if name in found and found[name] != value:
                raise ValueError(f'{name} of a BERT must be {value!r} '
                                 f'here, but is {found[name]!r}')
        unknown = sorted(name for name in found.keys() - known - set(fixed) -
                         set(_IGNORED) if not _OF_WRITERS.fullmatch(name))
        if unknown:
            raise ValueError(f'a BERT has no {unknown}, but {sorted(known)}')
        # encoder_width of the published config.json is 768, not the width of
        # the visual tokens: the entry is ignored in spite of the known name.
        sizes = {
            name: value
            for name, value in found.items()
            if name in known and name not in _IGNORED
        }
        return cls(**{**sizes, **kwargs})
