"""Let mmaction2's GradCAM see the tokens of our backbones."""
import functools
import importlib
import types
from typing import Any

from .workaround import Workaround, installed_version


def _find_layer(model: Any, name: str, right: str) -> Any:
    """Find a layer by the host's form of a name; -1 is the last of a list."""
    layer = model
    for part in name.split('/'):
        children = dict(layer.named_children())
        names = list(children)
        if part.startswith('-') and part[1:].isdigit() and \
                0 < int(part[1:]) <= len(names):
            part = names[int(part)]
        if part not in children:
            raise ValueError(f'the model has no layer {name!r}. Take '
                             f'{right.replace(".", "/")!r}.')
        layer = children[part]
    return layer


def _heal_gradcam(module: types.ModuleType) -> None:
    host = module.GradCAM
    original = host._register_hooks

    @functools.wraps(original)
    def register_hooks(self: Any, layer_name: str) -> None:
        # Not at the top: a model imports modules of the host.
        predict = importlib.import_module('mmvideomamba.inference.predict')
        if not predict.is_ours(self.model):
            original(self, layer_name)
            return
        cam = importlib.import_module('mmvideomamba.visualization.cam')
        views = (self.model.test_cfg or {}).get('max_testing_views')
        if views is not None:
            raise ValueError(f'max_testing_views={views} runs some views '
                             'after others, but maps need all at once. Take '
                             'it out of model.test_cfg.')
        to_maps = cam.token_maps(self.model)
        right = cam.name_of(self.model, cam.cam_layer(self.model))
        layer = _find_layer(self.model, layer_name, right)
        cam.check_cam_layers(self.model, [layer], gradients=True)

        def keep_gradients(gradient: Any) -> None:
            self.target_gradients = to_maps(gradient).contiguous()

        def keep_activations(layer: Any, args: Any, output: Any) -> None:
            self.target_activations = to_maps(output).detach().contiguous()
            if not output.requires_grad:
                raise ValueError(
                    f'no gradient reaches {layer_name}: no weight in front of '
                    'the layer learns, as with LoRA. Take a later layer, or '
                    'set requires_grad of the weights, for the maps.')
            output.register_hook(keep_gradients)

        layer.register_forward_hook(keep_activations)

    host._register_hooks = register_hooks


def _cause() -> str:
    version = installed_version('mmaction2')
    return version and (f'mmaction2 {version} expects maps (b, c, t, h, w) '
                        'of a layer')


def _cure(module: types.ModuleType) -> None:
    """Let ``GradCAM`` turn the tokens of a VideoMamba into maps.

    Other models are left to the host. The name of a layer may count from the
    end, as in ``backbone/layers/-1/normed``; a layer without a map is refused.
    """
    _heal_gradcam(module)


WORKAROUND = Workaround(
    name='gradcam',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/'
    'utils/gradcam_utils.py',
    until='a release of mmaction2 that takes a reshape_transform',
    modules=('mmaction.utils.gradcam_utils', ),
    cure=_cure)
