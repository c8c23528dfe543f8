"""Models with class scores from the red patches of the input alone."""
from typing import Any, Sequence

import mmaction.models  # noqa: F401, registers the recognizer
import mmpretrain.models  # noqa: F401, registers the classifier
import torch
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

CHANNELS, PATCH, GRID, FRAMES = 16, 8, (2, 3), 4
RED, BLUE = 0, 2


def make_model(frames: int, num_layers: int = 1, **backbone: Any) -> nn.Module:
    """Build a recognizer of clips or, for 1 frame, a classifier of images.

    A red patch fills the first half of the channels of a token, a blue patch
    the second half, and only the first half enters the mixer. The scores of
    the two classes are opposite.

    Args:
        frames (int): Frames of a clip.
        num_layers (int): Blocks. Defaults to 1.
        **backbone: Further arguments of ``VideoMamba``.

    Returns:
        nn.Module: The model, in evaluation mode.
    """
    backbone = dict(
        type='mmvideomamba.VideoMamba',
        arch=dict(embed_dims=CHANNELS, num_layers=num_layers),
        img_size=(GRID[0] * PATCH, GRID[1] * PATCH),
        patch_size=PATCH,
        num_frames=frames,
        **backbone)
    head = dict(num_classes=2, in_channels=CHANNELS)
    if frames > 1:
        cfg = dict(
            type='mmaction.Recognizer3D',
            backbone=backbone,
            data_preprocessor=dict(
                type='mmaction.ActionDataPreprocessor', format_shape='NCTHW'),
            cls_head=dict(type='mmvideomamba.VideoMambaHead', **head))
    else:
        cfg = dict(
            type='mmpretrain.ImageClassifier',
            backbone=backbone,
            head=dict(type='mmpretrain.LinearClsHead', **head))
    scope = 'mmaction' if frames > 1 else 'mmpretrain'
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(cfg).eval()
    net = model.backbone
    half = CHANNELS // 2
    with torch.no_grad():
        net.cls_token.fill_(1.)
        net.pos_embed.zero_()
        net.patch_embed.proj.bias.zero_()
        weight = net.patch_embed.proj.weight.zero_()
        weight[:half, RED] = torch.rand(half, 1, 1, 1)
        weight[half:, BLUE] = torch.rand(half, 1, 1, 1)
        net.layers[0].mixer.in_proj.weight.normal_()[:, half:] = 0.
        linear = model.cls_head.fc_cls if frames > 1 else model.head.fc
        linear.weight.normal_()
        linear.weight[1] = -linear.weight[0]
    return model


def make_input(frames: int, red: Sequence[int], blue: Sequence[int]) -> Tensor:
    """Paint a red and a blue patch on black.

    Args:
        frames (int): Frames; 1 makes an image.
        red (Sequence[int]): Frame, row and column of the red patch.
        blue (Sequence[int]): Place of the blue patch.

    Returns:
        Tensor: Shape (1, 3, frames, h, w), without frames for an image.
    """
    x = torch.zeros(1, 3, frames, GRID[0] * PATCH, GRID[1] * PATCH)
    for color, (t, i, j) in ((RED, red), (BLUE, blue)):
        rows, columns = (slice(n * PATCH, (n + 1) * PATCH) for n in (i, j))
        x[:, color, t, rows, columns] = 1.
    return x if frames > 1 else x[:, :, 0]


def by_patch(maps: Tensor) -> Tensor:
    """Take the centre of each patch.

    Args:
        maps (Tensor): Shape (..., h, w), in pixels.

    Returns:
        Tensor: Shape (..., 2, 3).
    """
    centre = slice(PATCH // 2, None, PATCH)
    return maps[..., centre, centre]
