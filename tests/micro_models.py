"""Tiny models for the tests of exports: 5 tokens, one block."""
from typing import Any

import torch
from mmengine.registry import DefaultScope
from torch import nn

from mmvideomamba.registry import MODELS

PREPROCESSOR = dict(mean=[100., 110., 120.], std=[50., 60., 70.])


def backbone(**kwargs: Any) -> dict:
    """Config of a backbone of 2 frames of 16 px."""
    return dict(
        dict(
            type='mmvideomamba.VideoMamba',
            arch=dict(embed_dims=8, num_layers=1),
            img_size=16,
            patch_size=8,
            patch_stride=16,
            num_frames=2,
            drop_path_rate=0.), **kwargs)


def head(**kwargs: Any) -> dict:
    """Config of a head of three classes."""
    return dict(
        dict(
            type='mmvideomamba.VideoMambaHead',
            num_classes=3,
            in_channels=8,
            dropout_ratio=0.5,
            average_clips='prob'), **kwargs)


def build(cfg: dict, scope: str) -> Any:
    """Build a model whose outputs are around 1, in evaluation mode."""
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(cfg)
    return scramble(model).eval()


def scramble(model: nn.Module) -> nn.Module:
    """Add noise to all weights, including zero initial values."""
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return model


def recognizer(cls_head: Any = None, **kwargs: Any) -> Any:
    """Build a recognizer; arguments change the config."""
    cfg = dict(
        type='Recognizer3D',
        backbone=backbone(),
        cls_head=cls_head or head(),
        data_preprocessor=dict(
            type='ActionDataPreprocessor',
            format_shape='NCTHW',
            **PREPROCESSOR))
    return build(dict(cfg, **kwargs), 'mmaction')


def classifier(to_rgb: bool = True, **kwargs: Any) -> Any:
    """Build an image classifier."""
    cfg = dict(
        type='ImageClassifier',
        backbone=backbone(num_frames=1),
        head=dict(type='LinearClsHead', num_classes=3, in_channels=8),
        data_preprocessor=dict(PREPROCESSOR, to_rgb=to_rgb))
    return build(dict(cfg, **kwargs), 'mmpretrain')
