"""Names of the weights of timm's models, and of the files for them."""
from typing import Any, Dict

from torch import Tensor, nn

from ..checkpoints import Change, convert, log_changes

PATCH_CONV = 'backbone.patch_embed.proj'
TEMPORAL = 'backbone.temporal_pos_embedding'


def _own_names(state_dict: Dict[str, Any],
               model: nn.Module) -> Dict[str, Tensor]:
    """Give the weights of any VideoMamba file the names of the model."""
    if state_dict.keys() <= model.state_dict().keys():
        return dict(state_dict)
    weights, rows = convert(state_dict, 'classifier')
    log_changes([row for row in rows if row.action != 'kept'])
    # The converter gives the names of mmpretrain's classifier.
    return {k.replace('head.fc.', 'head.'): v for k, v in weights.items()}


def filter_pretrained(state_dict: Dict[str, Any],
                      model: nn.Module) -> Dict[str, Tensor]:
    """Prepare weights for ``pretrained=True`` of timm.

    timm fits the patch kernels to ``in_chans`` if the kernels are 2-D, so
    kernels of one frame lose the time axis until the backbone loads them.

    Args:
        state_dict (dict[str, Tensor]): Content of a file: published, of a
            host's model, or of timm.
        model (Module): The model to load.

    Returns:
        dict[str, Tensor]: Under the names of the model.

    Raises:
        ValueError: If the weights are not of a VideoMamba.
    """
    weights = _own_names(state_dict, model)
    kernel = weights.get(f'{PATCH_CONV}.weight')
    # A kernel of several frames cannot become 2-D.
    if kernel is not None and kernel.dim() == 5 and kernel.shape[2] == 1:
        weights[f'{PATCH_CONV}.weight'] = kernel.squeeze(2)
    return weights


def rename(model: nn.Module, state_dict: Dict[str, Any], prefix: str, *_:
           Any) -> None:
    """Rename the model's part of a state dict in place, before loading.

    A hook of ``register_load_state_dict_pre_hook``.

    Args:
        model (Module): The model to load.
        state_dict (dict[str, Tensor]): See
            ``filter_pretrained``.
        prefix (str): Name of the model in the module to load, or ''.

    Raises:
        ValueError: If the weights are not of a VideoMamba.
    """
    part = {
        k[len(prefix):]: state_dict.pop(k)
        for k in list(state_dict) if k.startswith(prefix)
    }
    weights = _own_names(part, model)
    own = model.state_dict()
    rows = []
    if TEMPORAL in own and TEMPORAL not in weights:
        # Of an image model; the strict loading of timm asks for all names.
        weights[TEMPORAL] = own[TEMPORAL]
        rows.append(Change('missing', TEMPORAL, 'stays at its initial value'))
    for key in ('head.weight', 'head.bias'):
        if key in weights and key not in own:
            del weights[key]
            rows.append(Change('dropped', key, 'the model has no head'))
    log_changes(rows)
    state_dict.update({prefix + k: v for k, v in weights.items()})
