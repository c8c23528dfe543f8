"""The judge as it was before videos were judged together, for comparison.

Videos come one by one, 64 pairs at a time, all texts padded to the longest
allowed length, through the attention of mmaction2's BERT: plain products,
keys and values repeated for each text, all tokens in all layers. States of
texts wait on the CPU, and logits are fetched after each batch.
"""
import math
from typing import Any, Dict, Sequence, Tuple

import torch
from torch import Tensor, nn

from mmvideomamba.models.multimodal import RetrievalScorer

PAIR_BATCH = 64


def attend(block: Any, x: Tensor, source: Tensor, bias: Tensor,
           heads: int) -> Tensor:
    """Run an attention block of BERT as mmaction2 does.

    Args:
        block (Module): ``self`` with ``query``, ``key`` and ``value``, and
            ``output`` with ``dense`` and ``LayerNorm``.
        x (Tensor): Tokens that look, shape (b, l, c).
        source (Tensor): Tokens to look at, shape (b or 1, s, d).
        bias (Tensor): Added to the scores, shape (b or 1, 1, 1, s).
        heads (int): Number of heads.

    Returns:
        Tensor: Shape (b, l, c).
    """
    parts = block.self
    layers = ((parts.query, x), (parts.key, source), (parts.value, source))
    query, key, value = (layer(y).unflatten(-1, (heads, -1)).transpose(1, 2)
                         for layer, y in layers)
    scores = torch.matmul(query, key.transpose(-1, -2))
    scores = scores / math.sqrt(query.shape[-1]) + bias
    found = torch.matmul(scores.softmax(-1), value)
    found = found.transpose(1, 2).flatten(2)
    return block.output.LayerNorm(block.output.dense(found) + x)


def fuse(tower: Any, x: Tensor, mask: Tensor, vision: Tensor) -> Tensor:
    """Let texts look at a video; arguments as in ``TextTower.fuse``."""
    bias = (1. - mask[:, None, None].float()) * -10000.
    seen = torch.zeros(1, 1, 1, vision.shape[1], device=x.device)
    heads = tower.config.num_attention_heads
    for layer in tower.bert.encoder.layer[tower.config.fusion_layer:]:
        x = attend(layer.attention, x, x, bias, heads)
        x = attend(layer.crossattention, x, vision, seen, heads)
        inner = nn.functional.gelu(layer.intermediate.dense(x))
        x = layer.output.LayerNorm(layer.output.dense(inner) + x)
    return x


class BaseScorer(RetrievalScorer):
    """Score as the code did before; see the module."""

    def __init__(self, model: nn.Module, topk: int) -> None:
        super().__init__(model, topk, progress=False)
        self.plain: Dict[int, Tensor] = {}

    def _encode_texts(self, texts: Sequence[str]) -> Tuple[Any, Tensor]:
        parts = []
        for start in range(0, len(texts), self.text_batch):
            ids, mask = self.model.tokenize(texts[start:start +
                                                  self.text_batch])
            hidden = self.model.text_encoder.encode(ids, mask)
            features = self.model.text_proj(hidden[:, 0]).float()
            parts.append([x.cpu() for x in (hidden, mask, features)])
        hidden, mask, features = (torch.cat(part) for part in zip(*parts))
        return (hidden, mask), features

    def _judge(self, wanted: Tensor, states: Any) -> Tensor:
        hidden, mask = states
        device = self.model.temp.device
        logits = torch.zeros(wanted.shape)
        for video, tokens in self.plain.items():
            tokens = tokens.to(device).unsqueeze(0)
            for texts in wanted[video].nonzero()[:, 0].split(PAIR_BATCH):
                fused = fuse(self.model.text_encoder, hidden[texts].to(device),
                             mask[texts].to(device), tokens)
                found = self.model.itm_head(fused[:, 0])
                logits[video, texts] = found[:, 1].float().cpu()
        return logits
