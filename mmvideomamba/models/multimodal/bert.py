"""BERT whose upper layers look at the tokens of something else.

Parameters have the names of the published files. mmaction2's BERT is not
used: mmaction2's needs a transformers below 4.56, and a timm.
"""
import math
from typing import Iterable, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .bert_config import ACTIVATIONS, BertConfig

# Added to the scores of padding before the softmax, as in the published BERT.
HIDDEN = -10000.


def padding_bias(mask: Tensor, causal: bool = False) -> Tensor:
    """Turn a mask of padding into what is added to attention scores.

    Args:
        mask (Tensor): 1 for a token, 0 for padding, shape (b, l).
        causal (bool): Whether no token may look at a later one. Defaults to
            False.

    Returns:
        Tensor: 0 or ``HIDDEN``, float32, shape (b, 1, 1, l), if causal
        (b, 1, l, l).
    """
    hidden = (mask == 0)[:, None, None]
    if causal:
        hidden = hidden | hidden.new_ones(mask.shape[1:] * 2).triu(1)
    return hidden.float() * HIDDEN


class Attention(nn.Module):
    """Attention with several heads, without the projection of the output.

    Args:
        config (BertConfig): The sizes.
        source_width (int): Channels of the tokens that are looked at.
    """

    def __init__(self, config: BertConfig, source_width: int) -> None:
        super().__init__()
        self.num_heads = config.num_attention_heads
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(source_width, config.hidden_size)
        self.value = nn.Linear(source_width, config.hidden_size)
        self.dropout = nn.Dropout(config.attention_probs_dropout_prob)

    def forward(self, x: Tensor, source: Tensor,
                bias: Optional[Tensor]) -> Tensor:
        """Attend.

        Args:
            x (Tensor): Tokens that look, shape (b, l, c).
            source (Tensor): Tokens that are looked at, shape (g, s, d). b is
                a multiple of g: the first b / g rows of ``x`` look at the
                first row of ``source``, and so on.
            bias (Tensor, optional): From ``padding_bias``; for g = b only.

        Returns:
            Tensor: Shape (b, l, c).

        Raises:
            ValueError: If b is not a multiple of g.
        """
        groups = source.shape[0]
        if x.shape[0] % groups:
            raise ValueError(f'{x.shape[0]} texts cannot be shared out to '
                             f'{groups} videos in equal parts')
        # Rows that look at the same source are a single long row.
        query = self._heads(self.query(x).view(groups, -1, x.shape[-1]))
        key, value = (self._heads(f(source)) for f in (self.key, self.value))
        # A float32 bias would promote half-precision scores, and the product
        # with the values takes a single dtype.
        if bias is not None:
            bias = bias.to(query.dtype)
        if torch.is_grad_enabled():
            out = self._with_gradient(query, key, value, bias)
        else:
            out = F.scaled_dot_product_attention(
                query, key, value, attn_mask=bias)
        return out.transpose(1, 2).reshape(x.shape)

    def _heads(self, x: Tensor) -> Tensor:
        """Split channels: (g, s, c) to (g, heads, s, c / heads)."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def _with_gradient(self, query: Tensor, key: Tensor, value: Tensor,
                       bias: Optional[Tensor]) -> Tensor:
        """Attend by plain products, whose gradients repeat to the last bit.

        The fused forms add up gradients in an order that differs from run to
        run.
        """
        # (g, heads, l, s)
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        if bias is not None:
            scores = scores + bias
        return self.dropout(scores.softmax(-1)) @ value


class ResidualNorm(nn.Module):
    """Linear layer, dropout, addition to a residual, LayerNorm.

    Args:
        config (BertConfig): The sizes.
        width (int): Channels of the input.
    """

    def __init__(self, config: BertConfig, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(
            config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        """Add ``x`` (b, l, width) to ``residual`` (b, l, c)."""
        return self.LayerNorm(self.dropout(self.dense(x)) + residual)


class AttentionBlock(nn.Module):
    """Attention and the addition of the result to the tokens that look.

    Args:
        config (BertConfig): The sizes.
        source_width (int, optional): Channels of the tokens that are looked
            at. Defaults to None, as many as the tokens that look have.
    """

    def __init__(self,
                 config: BertConfig,
                 source_width: Optional[int] = None) -> None:
        super().__init__()
        self.self = Attention(config, source_width or config.hidden_size)
        self.output = ResidualNorm(config, config.hidden_size)

    def forward(self, x: Tensor, source: Tensor,
                bias: Optional[Tensor]) -> Tensor:
        """Attend; see ``Attention``."""
        return self.output(self.self(x, source, bias), x)


class FirstLinear(nn.Module):
    """First linear layer of a feed-forward network, and the activation.

    Args:
        config (BertConfig): The sizes.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.intermediate_size)
        self.act = ACTIVATIONS[config.hidden_act]

    def forward(self, x: Tensor) -> Tensor:
        """Turn (b, l, c) into (b, l, intermediate_size)."""
        return self.act(self.dense(x))


class BertLayer(nn.Module):
    """Self-attention, perhaps cross-attention, and a feed-forward network.

    Args:
        config (BertConfig): The sizes.
        with_cross (bool): Whether there is a cross-attention.
    """

    def __init__(self, config: BertConfig, with_cross: bool) -> None:
        super().__init__()
        self.attention = AttentionBlock(config)
        if with_cross:
            self.crossattention = AttentionBlock(config, config.encoder_width)
        self.intermediate = FirstLinear(config)
        self.output = ResidualNorm(config, config.intermediate_size)

    def forward(self,
                x: Tensor,
                bias: Optional[Tensor],
                source: Optional[Tensor] = None,
                source_bias: Optional[Tensor] = None,
                first: bool = False,
                attended: bool = False) -> Tensor:
        """Run the layer.

        Args:
            x (Tensor): Tokens, shape (b, l, c).
            bias (Tensor, optional): Of the self-attention, from
                ``padding_bias``.
            source (Tensor, optional): For the cross-attention, see
                ``Attention``. Defaults to None, none.
            source_bias (Tensor, optional): Of the cross-attention. Defaults
                to None.
            first (bool): Whether only the first token is wanted. Defaults to
                False.
            attended (bool): Whether ``x`` is the result of the
                self-attention. Defaults to False.

        Returns:
            Tensor: Shape (b, l, c), with ``first`` (b, 1, c).
        """
        y = x[:, :1] if first else x
        if not attended:
            y = self.attention(y, x, bias)
        if source is not None:
            y = self.crossattention(y, source, source_bias)
        return self.output(self.intermediate(y), y)


class BertEmbeddings(nn.Module):
    """Words, places and kind (always 0) of the tokens, added and normed.

    Args:
        config (BertConfig): The sizes.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.word_embeddings = nn.Embedding(
            config.vocab_size, width, padding_idx=config.pad_token_id)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings,
                                                width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size,
                                                  width)
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, ids: Tensor) -> Tensor:
        """Embed ids (b, l), int64, as (b, l, c)."""
        kinds = self.token_type_embeddings(ids.new_zeros(1, 1))
        places = self.position_embeddings(
            torch.arange(ids.shape[1], device=ids.device))
        return self.dropout(
            self.LayerNorm(self.word_embeddings(ids) + kinds + places))


class BertLayers(nn.Module):
    """The layers of a BERT, from ``fusion_layer`` on with cross-attention.

    Args:
        config (BertConfig): The sizes.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(
            BertLayer(config, i >= config.fusion_layer)
            for i in range(config.num_hidden_layers))


class Bert(nn.Module):
    """The layers of a BERT; from ``fusion_layer`` on with cross-attention.

    Args:
        config (BertConfig): The sizes.

    Source: Devlin et al., arXiv:1810.04805, Section 3.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = BertEmbeddings(config)
        self.encoder = BertLayers(config)
        init_bert(self, config)

    @property
    def layers(self) -> nn.ModuleList:
        """All layers, the lowest first."""
        return self.encoder.layer

    def run(self,
            layers: Iterable[nn.Module],
            x: Tensor,
            bias: Optional[Tensor],
            source: Optional[Tensor] = None,
            source_bias: Optional[Tensor] = None,
            first: bool = False,
            attended: bool = False) -> Tensor:
        """Run some of the layers.

        Args:
            layers (Iterable[Module]): The layers.
            x (Tensor): Tokens, shape (b, l, c).
            bias (Tensor, optional): See ``BertLayer``.
            source (Tensor, optional): See ``BertLayer``.
            source_bias (Tensor, optional): See ``BertLayer``.
            first (bool): Whether only the first token of the last layer is
                wanted. Defaults to False.
            attended (bool): Whether ``x`` is the result of the first
                self-attention. Defaults to False.

        Returns:
            Tensor: Shape (b, l, c), with ``first`` (b, 1, c).
        """
        layers = list(layers)
        again = (
            self.config.gradient_checkpointing and self.training
            and torch.is_grad_enabled())
        for i, layer in enumerate(layers):
            inputs = (x, bias, source, source_bias, first
                      and i == len(layers) - 1, attended and i == 0)
            x = (
                checkpoint(layer, *inputs, use_reentrant=False)
                if again else layer(*inputs))
        return x


class _Transform(nn.Module):
    """Linear layer, activation and LayerNorm before the words."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.act = ACTIVATIONS[config.hidden_act]
        self.LayerNorm = nn.LayerNorm(
            config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        return self.LayerNorm(self.act(self.dense(x)))


class _Predictions(nn.Module):
    """Linear layer, norm, and a product with the embeddings of the words."""

    def __init__(self, config: BertConfig, words: nn.Embedding) -> None:
        super().__init__()
        self.transform = _Transform(config)
        init_bert(self.transform, config)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size)
        # As in Hugging Face's files: the weight is shared with the embeddings,
        # and the bias has two names.
        self.decoder.weight, self.decoder.bias = words.weight, self.bias

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.transform(x))


class WordHead(nn.Module):
    """Logits of the words at a place, by the embeddings of the words.

    Args:
        config (BertConfig): The sizes.
        words (Embedding): The weights are shared with the head.
    """

    def __init__(self, config: BertConfig, words: nn.Embedding) -> None:
        super().__init__()
        self.predictions = _Predictions(config, words)

    def forward(self, x: Tensor) -> Tensor:
        """Turn tokens (..., c) into logits (..., vocab_size)."""
        return self.predictions(x)


@torch.no_grad()
def init_bert(module: nn.Module, config: BertConfig) -> None:
    """Draw the weights of a BERT, in place.

    Linear layers and embeddings are normal with ``initializer_range``, the
    embedding of padding and all biases 0, LayerNorms 1.

    Args:
        module (Module): Of BERT's layers.
        config (BertConfig): The sizes.
    """
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Embedding)):
            part.weight.normal_(0., config.initializer_range)
        if isinstance(part, nn.Linear) and part.bias is not None:
            part.bias.zero_()
        if isinstance(part, nn.Embedding) and part.padding_idx is not None:
            part.weight[part.padding_idx].zero_()
