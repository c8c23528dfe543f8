"""mmaction2's GradCAM on recognizers around a VideoMamba."""
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmaction.utils import GradCAM
from mmengine.registry import DefaultScope
from mmpretrain.models import LoRAModel
from red_patch import CHANNELS, FRAMES, by_patch, make_input, make_model
from torch import nn

from mmvideomamba.visualization.cam import ViewScores, cam_layer, token_maps

VIEWS = [((0, 0, 0), (0, 1, 2)), ((3, 1, 1), (1, 0, 2))]


def make_data(label: int = 0) -> dict:
    """Return two views of a clip, as a test pipeline does."""
    clips = [make_input(FRAMES, *places) for places in VIEWS]
    return dict(
        inputs=[torch.cat(clips)],
        data_samples=[ActionDataSample().set_gt_label(label)])


def expected_maps(model: nn.Module, data: dict, label: int) -> torch.Tensor:
    """Draw maps by the definition of Grad-CAM, a map for each frame."""
    kept = []
    handle = cam_layer(model).register_forward_hook(
        lambda *args: kept.append(args[2]))
    score = ViewScores(model)(data['inputs'][0]).mean(0)[label]
    handle.remove()
    to_maps = token_maps(model)
    activations = to_maps(kept[0])
    gradients = to_maps(torch.autograd.grad(score, kept[0])[0])
    weights = gradients.mean((3, 4), keepdim=True)
    maps = (weights * activations).sum(1, keepdim=True).relu()
    maps = nn.functional.interpolate(maps, (FRAMES, 16, 24), mode='trilinear')
    low, high = (
        end((1, 2, 3, 4), keepdim=True) for end in (maps.amin, maps.amax))
    return ((maps - low) / (high - low + 1e-20))[:, 0].detach()


@pytest.mark.parametrize(
    'name', ['backbone/layers/0/normed', 'backbone/layers/-1/normed'])
def test_maps_of_all_views(name: str) -> None:
    model = make_model(FRAMES)
    draw = GradCAM(model, name)
    seen = 0
    for label in (0, 1):
        data = make_data(label)
        maps, preds = draw._calculate_localization_map(data, True)
        assert maps.shape == (2, FRAMES, 16, 24) and preds.shape == (1, 2)
        torch.testing.assert_close(maps, expected_maps(model, data, label))
        for found, (red, blue) in zip(by_patch(maps), VIEWS):
            if found.any():
                seen += 1
                assert found[red] == found.amax() > 5 * found[blue]
    assert seen == 2  # in each view one of the two opposite classes


def test_pictures_of_all_frames() -> None:
    pictures, _ = GradCAM(make_model(FRAMES), 'backbone/layers/0/normed')(
        make_data())
    assert pictures.shape == (2, FRAMES, 16, 24, 3)


@pytest.mark.parametrize('name, text', [
    ('backbone/layer4/1/relu', "no layer 'backbone/layer4/1/relu'"),
    ('backbone/layers/-2/normed', 'no layer'),
    ('backbone/layers/0', 'returns two tensors'),
    ('backbone/layers/0/mixer', 'only the class token has a gradient'),
    ('backbone/norm_f', 'returns two tensors'),
])
def test_layers_without_maps(name: str, text: str) -> None:
    right = r'Take \W?backbone.layers.0.normed'
    with pytest.raises(ValueError, match=f'{text}.*{right}'):
        GradCAM(make_model(FRAMES), name)


def test_layer_without_tokens() -> None:
    data = make_data()
    draw = GradCAM(make_model(FRAMES), 'backbone/patch_embed')
    with pytest.raises(ValueError, match='expected tokens .*layers.0.normed'):
        draw(data)


def test_views_run_at_once() -> None:
    model = make_model(FRAMES)
    model.test_cfg = dict(max_testing_views=1)
    with pytest.raises(ValueError, match='max_testing_views=1 runs some'):
        GradCAM(model, 'backbone/layers/0/normed')


def test_frozen_backbone_is_told() -> None:
    model = make_model(FRAMES)
    model.backbone.requires_grad_(False)
    with pytest.raises(ValueError, match='frozen up to there. Set frozen_st'):
        GradCAM(model, 'backbone/layers/0/normed')


def test_backbone_under_lora() -> None:
    model = make_model(FRAMES, num_layers=2)
    expected = expected_maps(model, make_data(), 0)
    weights = model.backbone.state_dict()
    module = dict(
        type='mmvideomamba.VideoMamba',
        arch=dict(embed_dims=CHANNELS, num_layers=2),
        img_size=(16, 24),
        patch_size=8,
        num_frames=FRAMES)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model.backbone = LoRAModel(
            module, rank=2, targets=[dict(type='in_proj')]).eval()
    model.backbone.module.load_state_dict(weights)
    name = 'backbone/module/layers/-1/normed'
    maps, _ = GradCAM(model,
                      name)._calculate_localization_map(make_data(), True)
    torch.testing.assert_close(maps, expected)
    draw = GradCAM(model, name.replace('-1', '0'))
    with pytest.raises(
            ValueError, match='no gradient reaches backbone/module'):
        draw(make_data())


def test_other_recognizers_are_the_hosts() -> None:
    model = make_model(FRAMES)
    model.backbone = nn.Sequential(nn.Conv3d(3, 4, 3), nn.ReLU())
    draw = GradCAM(model, 'backbone/1')
    model.backbone(torch.rand(1, 3, 4, 8, 8)).sum().backward()
    assert draw.target_activations.shape == (1, 4, 2, 6, 6)
    assert torch.equal(draw.target_gradients, torch.ones(1, 4, 2, 6, 6))
