"""Relevance of tokens for a class, by the gradient or the hidden attention."""
from typing import Any, Dict, List, Optional, Sequence

import torch
from torch import Tensor

from mmvideomamba.models import VideoMamba
from ..predict import views_at_once
from .hidden_attention import ClassRow, class_row
from .recording import MixerCall, evaluation_mode, recorded_mixers
from .scores import (Label, best_labels, check_labels, class_scores,
                     given_labels, gives_scores, no_scores, normalised,
                     score_of)

METHODS = ('gradient', 'attention', 'attribution')


def relevance(model: Any,
              inputs: Tensor,
              label: Label = None,
              method: str = 'gradient') -> Tensor:
    """Compute how much each token counts for a class.

    With ``x`` the tokens in front of the mixer of a block, ``S`` the score of
    the class, ``alpha`` the hidden attention of the class token (see
    ``class_row``, gate included) of scanned contents ``s``, and ``y`` what
    the mixer projects out for the class token, token j has

    - 'gradient': the sum over blocks of ``relu(sum_c dS/dx[j] * x[j])``;
    - 'attention': the sum over blocks of ``mean_d |alpha[0, j]|``, the same
      for all classes;
    - 'attribution': the sum over blocks of
      ``relu(sum_d dS/dy * alpha[0, j] * s[j])``, which is exact: over all
      tokens the terms add up to ``sum_d dS/dy * y``.

    The model is left as it was: hooks are removed, modes put back, and the
    gradients of weights not touched.

    Args:
        model (nn.Module): A recognizer or image classifier with a
            ``VideoMamba``; or another module around one, whose call maps
            normalised pixels to scores (m, k).
        inputs (Tensor): As a test pipeline packs samples: views of one video,
            shape (m, 3, t, h, w), or images, (m, 3, h, w) or (3, h, w), uint8
            or floats of the same range.
        label (int | Sequence[int], optional): Class to explain, of all inputs
            or of each. Defaults to None: the most probable class of the video
            by the mean of the views, or of each image.
        method (str): A name in ``METHODS``. Defaults to 'gradient'.

    Returns:
        Tensor: Relevance of tokens, float32, not negative, shape (m, t', h',
        w'), t' = 1 for images; see ``to_frames``.

    Raises:
        ValueError: If the method is unknown, the model gives no scores of
            classes, a label is not a class, or no gradient reaches the tokens.

    Source: Selvaraju et al., arXiv:1610.02391 (gradients); Ali et al.,
    arXiv:2403.01590, Sections 4.1 and 4.3 (hidden attention).
    """
    _check_method(method)
    backbone = _find(model)
    # Gradients are needed whatever the mode of the caller.
    with torch.inference_mode(False), torch.enable_grad(), \
            evaluation_mode(model):
        # A tensor made in inference mode takes no gradients, a clone made here
        # does.
        x = normalised(model, _as_batch(inputs, backbone).clone()).detach()
        parts = x.split(views_at_once(model))
        labels = _labels(model, parts, label)
        maps: List[Tensor] = []
        for part in parts:
            done = sum(map(len, maps))
            chosen = labels[done:done + len(part)]
            maps.append(_explain(model, backbone, part, chosen, method))
    return torch.cat(maps)


def check_model(model: Any, method: str = 'gradient') -> None:
    """Refuse a model without relevance, before inputs are there.

    Args:
        model (nn.Module): A model of a host.
        method (str): See ``relevance``. Defaults to 'gradient'.

    Raises:
        ValueError: If the method is unknown, or the model is not a recognizer
            or image classifier with a head and a ``VideoMamba``, is compiled,
            or has no selective scans for the method.
    """
    _check_method(method)
    backbone = _find(model)
    if not gives_scores(model):
        raise ValueError(no_scores(model))
    if any(map(_is_compiled, model.modules())):
        raise ValueError(f'{type(model).__name__} has compiled layers, whose '
                         'tokens cannot be seen; leave torch.compile out')
    if method != 'gradient':
        for block in backbone.layers:
            _check_scans(block.mixer)


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise ValueError(f'unknown method {method!r}; choose one of '
                         f'{list(METHODS)}')


def _is_compiled(module: Any) -> bool:
    """Tell whether torch compiles a module, as a copy or in place."""
    return hasattr(module, '_orig_mod') or getattr(
        module, '_compiled_call_impl', None) is not None


def _check_scans(mixer: Any) -> None:
    """Refuse a mixer without hidden attention."""
    if not hasattr(mixer, 'scans'):
        raise ValueError(f'{type(mixer).__name__} is not a mixer with '
                         "selective scans; take method='gradient'")


def _find(model: Any) -> Any:
    """Return the backbone in the model; no teacher comes in front of one."""
    tower = getattr(model, 'backbone', model)
    for module in tower.modules():
        if isinstance(module, VideoMamba):
            return module
    raise ValueError(f'{type(model).__name__} has no VideoMamba as its '
                     'backbone; give a recognizer or an image classifier')


def _as_batch(inputs: Tensor, backbone: Any) -> Tensor:
    """Bring images to (m, 3, h, w), and leave views as they are."""
    if inputs.dim() == 3:
        return inputs.unsqueeze(0)
    if inputs.dim() == 5 and backbone.num_frames == inputs.shape[2] == 1:
        return inputs.squeeze(2)
    if inputs.dim() not in (4, 5) or not len(inputs):
        raise ValueError('inputs must be views (m, 3, t, h, w) or images (m, '
                         f'3, h, w), but have the shape {tuple(inputs.shape)}')
    return inputs


def _labels(model: Any, parts: Sequence[Tensor], label: Label) -> List[int]:
    """Decide on the label of each view; the best ones need all scores."""
    if label is not None:
        return given_labels(label, sum(map(len, parts)))
    with torch.no_grad():
        scores = torch.cat([class_scores(model, part) for part in parts])
    return best_labels(model, scores, parts[0].dim() == 5)


def _explain(model: Any, backbone: Any, x: Tensor, labels: List[int],
             method: str) -> Tensor:
    """Explain some views, shape (m, t', h', w')."""
    with recorded_mixers(backbone) as calls:
        # So that frozen weights let gradients through.
        scores = class_scores(model, x.requires_grad_())
    check_labels(labels, scores.shape[-1])
    if not calls:
        raise ValueError(f'{type(model).__name__} ran without its mixers, as '
                         'a compiled model may; give the model itself')
    if method == 'attention':
        rows = [_row(call).weights.sum(0).abs().mean(-1) for call in calls]
    else:
        score = score_of(scores, labels)
        rows = _weighted(score, calls, method)
    # Blocks of (m, 1 + tokens) each, in float32 also under autocast.
    total = torch.stack([row.float() for row in rows]).sum(0)
    grid = backbone.grid[1:]
    # (m, 1 + tokens) to (m, t', h', w'), without the class token.
    return total[:, 1:].detach().unflatten(1, (-1, *grid))


def _weighted(score: Tensor, calls: Sequence[MixerCall],
              method: str) -> List[Tensor]:
    """Return the relevance of tokens in each block, (m, 1 + tokens)."""
    if method == 'gradient':
        tokens = [call.x for call in calls]
        grads = _gradients(score, tokens)
        return [(g * x).sum(-1).relu() for g, x in zip(grads, tokens)]
    rows = []
    grads = _gradients(score, [call.y for call in calls])
    for call, grad in zip(calls, grads):
        row = _row(call)
        read = (row.weights * row.content).sum(0)
        rows.append((_through_out_proj(call, grad) * read).sum(-1).relu())
    return rows


def _gradients(score: Tensor, tokens: List[Tensor]) -> List[Tensor]:
    """Differentiate a score by tokens, and leave weights' gradients alone."""
    asked = [x for x in tokens if x.requires_grad]
    found: Dict[int, Optional[Tensor]] = {}
    if score.requires_grad and asked:
        grads = torch.autograd.grad(score, asked, allow_unused=True)
        found = {id(x): grad for x, grad in zip(asked, grads)}
    if all(grad is None for grad in found.values()):
        raise ValueError('no gradient of the score reaches the tokens; give a '
                         'model that runs without torch.no_grad inside, or '
                         "take method='attention'")
    # A block that only other features need has no part in the score.
    filled: List[Tensor] = []
    for x in tokens:
        grad = found.get(id(x))
        filled.append(torch.zeros_like(x) if grad is None else grad)
    return filled


def _row(call: MixerCall) -> ClassRow:
    """Return the hidden attention of the class token."""
    _check_scans(call.mixer)
    return class_row(call.mixer, call.x.detach(), call.order)


def _through_out_proj(call: MixerCall, grad: Tensor) -> Tensor:
    """Bring the class token's gradient to in front of ``out_proj``."""
    d = call.mixer.D.shape[0]
    y = grad.new_zeros(len(grad), 1, d, requires_grad=True)
    # out_proj is linear, so the place where it is differentiated is free.
    out = call.mixer.out_proj(y)
    return torch.autograd.grad(out, y, grad[:, :1])[0]
