"""A narrow model for timm, and the host's classifier of the same size."""
from pathlib import Path
from typing import Any

import timm
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

import mmvideomamba.timm  # noqa: F401

RECIPE = (
    Path(__file__).parents[2] / 'configs' / 'classification' /
    'videomamba-tiny_8xb512-300e_in1k.py')
NAME = 'videomamba_tiny_patch16_224'
SMALL = dict(embed_dims=16, num_layers=3)


def make(num_classes: int = 5, **kwargs: Any) -> Any:
    """Create a narrow model of 3 blocks for 32 px in evaluation mode."""
    torch.manual_seed(0)
    defaults = dict(arch=SMALL, img_size=32, num_classes=num_classes)
    return timm.create_model(NAME, **dict(defaults, **kwargs)).eval()


def images(channels: int = 3) -> torch.Tensor:
    return torch.rand(
        2, channels, 32, 32, generator=torch.Generator().manual_seed(1))


def classifier() -> Any:
    """Build mmpretrain's classifier of the recipe in the size of ``make``."""
    cfg = Config.fromfile(RECIPE).model
    cfg.backbone.update(arch=SMALL, img_size=32)
    cfg.head.update(num_classes=5, in_channels=16)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(cfg).eval()
