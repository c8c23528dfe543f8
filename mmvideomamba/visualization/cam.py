"""Class activation maps of a VideoMamba: layers, token maps, class scores.

The class token of a VideoMamba stands first and hears the patch tokens in
mixers only. Behind the last mixer of a model with ``out_type='cls_token'`` no
patch token has a gradient, so the last layer with maps is the ``normed`` of
the last block: the tokens in front of the mixer.
"""
from typing import Any, Callable, Iterable, List

from torch import Tensor, nn

from mmvideomamba.models.backbones import VideoMamba
from mmvideomamba.models.layers import MambaBlock
from mmvideomamba.models.layers.add_norm import AddLayerNorm, AddRMSNorm

# Layers with several output tensors.
_PAIRS = (MambaBlock, AddLayerNorm, AddRMSNorm)


def backbone_of(model: nn.Module) -> Any:
    """Find the VideoMamba of a model.

    Args:
        model (nn.Module): A recognizer, a classifier, :class:`ViewScores` of
            a recognizer, or the backbone itself.

    Returns:
        VideoMamba: The backbone.

    Raises:
        ValueError: If the model has no VideoMamba.
    """
    found = [m for m in model.modules() if isinstance(m, VideoMamba)]
    if not found:
        raise ValueError(f'{type(model).__name__} has no '
                         'mmvideomamba.VideoMamba')
    return found[0]


def cam_layer(model: nn.Module) -> nn.Module:
    """Return the layer whose maps explain a class best.

    Args:
        model (nn.Module): As of :func:`backbone_of`.

    Returns:
        nn.Module: ``layers.N.normed`` of the backbone, N the last
        running block. The output holds tokens (b, 1 + t * h * w, c).
    """
    backbone = backbone_of(model)
    return backbone.layers[backbone.last_index].normed


def name_of(model: nn.Module, layer: nn.Module) -> str:
    """Name a layer of a model, for messages.

    Args:
        model (nn.Module): Any model.
        layer (nn.Module): The layer.

    Returns:
        str: Path in the model, or the type of a layer from elsewhere.
    """
    names = [name for name, found in model.named_modules() if found is layer]
    return names[0] if names else type(layer).__name__


def _mute(backbone: Any) -> List[nn.Module]:
    """List layers whose output affects the result by the class token only."""
    if backbone.out_type != 'cls_token' or len(backbone.out_indices) != 1:
        return []
    last = backbone.layers[backbone.last_index].mixer
    return [last, last.out_proj, backbone.drop_path]


def _block_of(backbone: Any, layer: nn.Module) -> int:
    """Return the number of the block around a layer, -1 for none."""
    found = [
        i for i, block in enumerate(backbone.layers)
        if any(layer is module for module in block.modules())
    ]
    return found[0] if found else -1


def _fault(backbone: Any, layer: nn.Module) -> str:
    """Tell why a layer has no map, or return ''."""
    if _block_of(backbone, layer) > backbone.last_index:
        return 'does not run'
    if isinstance(layer, _PAIRS):
        return 'returns two tensors'
    if any(layer is other for other in _mute(backbone)):
        return ('lies after the last mixer, where only the class token has a '
                'gradient')
    return ''


def _is_frozen(backbone: Any, layer: nn.Module) -> bool:
    """Tell whether no weight up to the block of a layer learns."""
    block = _block_of(backbone, layer)
    weights = [
        weight for name, weight in backbone.named_parameters()
        if backbone.get_layer_depth(name)[0] <= block + 1
    ]
    return block >= 0 and not any(w.requires_grad for w in weights)


def check_cam_layers(model: nn.Module,
                     layers: Iterable[nn.Module],
                     gradients: bool = False) -> None:
    """Refuse target layers of a VideoMamba without token maps.

    Other models, and other layers, pass.

    Args:
        model (nn.Module): Any model.
        layers (Iterable[nn.Module]): The target layers.
        gradients (bool): Whether the method needs gradients at the layers.
            Defaults to False.

    Raises:
        ValueError: If a layer returns several tensors or does not run, only
            the class token has a gradient there, or the backbone is frozen
            up to the layer. The message names the remedy.
    """
    backbones = [m for m in model.modules() if isinstance(m, VideoMamba)]
    for backbone in backbones[:1]:
        right = name_of(model, cam_layer(model))
        for layer in layers:
            name = name_of(model, layer)
            fault = _fault(backbone, layer)
            if fault:
                raise ValueError(f'the layer {name} has no map: it {fault}. '
                                 f'Take {right}.')
            if gradients and _is_frozen(backbone, layer):
                raise ValueError(
                    f'no gradient reaches {name}: the backbone is frozen up '
                    'to there. Set frozen_stages of the backbone to -1, and '
                    'requires_grad of the weights, for the maps.')


def token_maps(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """Make the ``reshape_transform`` of pytorch-grad-cam for a VideoMamba.

    Args:
        model (nn.Module): As of :func:`backbone_of`.

    Returns:
        Callable: From tokens (b, 1 + t * h * w, c), class token first, or
        gradients of tokens, to maps (b, c, h, w) of an image model, else
        (b, c, t, h, w). Raises ValueError for other shapes, and for a
        gradient of the class token alone.
    """
    backbone = backbone_of(model)
    right = name_of(model, cam_layer(model))
    _, height, width = backbone.grid

    def to_maps(tokens: Tensor) -> Tensor:
        if not isinstance(tokens, Tensor) or tokens.dim() != 3 or \
                tokens.shape[1] < 2 or \
                (tokens.shape[1] - 1) % (height * width):
            shape = getattr(tokens, 'shape', None)
            found = type(tokens).__name__ if shape is None else tuple(shape)
            raise ValueError(
                f'expected tokens (b, 1 + t * {height} * {width}, c), class '
                f'token first, but the layer gives {found}. Take {right}.')
        patches = tokens[:, 1:]
        if not patches.any() and tokens.any():
            raise ValueError('only the class token has a gradient at this '
                             f'layer, so there is no map. Take {right}.')
        maps = patches.transpose(1, 2).unflatten(2, (-1, height, width))
        return maps[:, :, 0] if backbone.num_frames == 1 else maps

    return to_maps


class ViewScores(nn.Module):
    """Give class scores of views, as pytorch-grad-cam calls a model.

    A recognizer of mmaction2 called without a mode returns features.
    Recognizers are therefore called with the head, with a single view for each
    sample.

    Args:
        recognizer (nn.Module): A ``Recognizer3D`` around a ``VideoMamba``.

    Raises:
        ValueError: If the model has no VideoMamba.
    """

    def __init__(self, recognizer: nn.Module) -> None:
        super().__init__()
        backbone_of(recognizer)
        self.recognizer = recognizer

    def forward(self, x: Tensor) -> Tensor:
        """Score views.

        Args:
            x (Tensor): Normalised clips, shape (b, 3, t, h, w).

        Returns:
            Tensor: Scores before the softmax, shape (b, classes).
        """
        return self.recognizer(x.unsqueeze(1), stage='head')
