"""Names of the weights of timm's models, and of the files for them."""
from typing import Any, Dict

from torch import Tensor, nn

from ..checkpoints import Change, convert, log_changes

PATCH_CONV = 'backbone.patch_embed.proj'
TEMPORAL = 'backbone.temporal_pos_embedding'


def own_names(state_dict: Dict[str, Any],
              model: nn.Module) -> Dict[str, Tensor]:
    """Give the weights of any VideoMamba file the names of the model.

    timm calls the function for ``pretrained=True``, before the kernel of the
    patches is fitted to ``in_chans``: timm fits 2-D kernels alone, so a kernel
    of one frame loses its time axis until the backbone loads it.

    Args:
        state_dict (dict[str, Tensor]): Content of a file: published, of a
            host's model, or of timm.
        model (Module): The model to load.

    Returns:
        dict[str, Tensor]: Under the names of the model.

    Raises:
        ValueError: If the weights are not of a VideoMamba.
    """
    own = model.state_dict()
    if state_dict.keys() <= own.keys():
        weights = dict(state_dict)
    else:
        weights, rows = convert(state_dict, 'classifier')
        weights = {
            k.replace('head.fc.', 'head.'): v
            for k, v in weights.items()
        }
        log_changes([row for row in rows if row.action != 'kept'])
    kernel = weights.get(f'{PATCH_CONV}.weight')
    if kernel is not None and kernel.dim() == 5 and kernel.shape[2] == 1:
        weights[f'{PATCH_CONV}.weight'] = kernel.squeeze(2)
    return weights


def rename(model: nn.Module, state_dict: Dict[str, Any], prefix: str, *_:
           Any) -> None:
    """Rename the model's part of a state dict in place, before loading.

    A hook of ``register_load_state_dict_pre_hook``.

    Args:
        model (Module): The model to load.
        state_dict (dict[str, Tensor]): See ``own_names``.
        prefix (str): Name of the model in the module to load, or ''.

    Raises:
        ValueError: If the weights are not of a VideoMamba.
    """
    part = {
        k[len(prefix):]: state_dict.pop(k)
        for k in list(state_dict) if k.startswith(prefix)
    }
    weights = own_names(part, model)
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
