"""The methods of pytorch-grad-cam take mmpretrain's use_cuda."""
import gc

import pytest
import torch
from red_patch import make_model
from torch import nn

from mmvideomamba.compat import vis_cam

cam = pytest.importorskip(
    'pytorch_grad_cam', reason='the maps are drawn by grad-cam')


@pytest.mark.parametrize('name', ['GradCAM', 'EigenCAM', 'GradCAMPlusPlus'])
def test_the_old_argument_changes_nothing(name: str) -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x = torch.rand(1, 3, 8, 8)
    old, new = (
        getattr(cam, name)(model, [model[1]], **kwargs)(x, None)
        for kwargs in (dict(use_cuda=False), {}))
    assert old.any() and (old == new).all()


def test_a_refused_layer_leaves_no_hook() -> None:
    model = make_model(1)
    layer = model.backbone.layers[0].norm
    with pytest.raises(ValueError, match='Take backbone.layers.0.normed'):
        cam.GradCAM(model, [layer])
    gc.collect()
    assert not layer._forward_hooks


def test_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'use_cuda' in vis_cam.WORKAROUND.cause()
    for release in ((0, 0), (1, 4)):
        monkeypatch.setattr(vis_cam, 'installed_release', lambda name: release)
        assert vis_cam.WORKAROUND.cause() == ''
