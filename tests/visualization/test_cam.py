"""Class activation maps lie where a class comes from."""
from typing import Callable, Tuple

import pytest
import torch
from red_patch import FRAMES, by_patch, make_input, make_model
from torch import nn

from mmvideomamba.visualization.cam import (ViewScores, cam_layer,
                                            check_cam_layers, token_maps)

cam = pytest.importorskip(
    'pytorch_grad_cam', reason='the maps are drawn by grad-cam')
PLACES = [((0, 0, 0), (0, 1, 2)), ((3, 1, 1), (1, 0, 2)),
          ((2, 0, 2), (2, 1, 0))]


def scorer(frames: int) -> nn.Module:
    model = make_model(frames)
    return ViewScores(model) if frames > 1 else model


def draw(method: Callable, model: nn.Module, x: torch.Tensor,
         label: int) -> torch.Tensor:
    """Return the map of a class by patch, (t, 2, 3) or (2, 3)."""
    targets = [cam.utils.model_targets.ClassifierOutputTarget(label)]
    with method(
            model, [cam_layer(model)],
            reshape_transform=token_maps(model)) as draw:
        return by_patch(torch.from_numpy(draw(x, targets)[0]))


@pytest.mark.parametrize('method', [cam.GradCAM, cam.HiResCAM])
@pytest.mark.parametrize('red, blue', PLACES)
@pytest.mark.parametrize('frames', [1, FRAMES])
def test_the_red_patch_alone_is_seen(method: Callable, frames: int,
                                     red: Tuple[int, ...],
                                     blue: Tuple[int, ...]) -> None:
    """One class's map lies on the red patch; the opposite map is empty."""
    if frames == 1:
        red, blue = (0, *red[1:]), (0, *blue[1:])
    model = scorer(frames)
    x = make_input(frames, red, blue)
    maps = torch.stack([draw(method, model, x, label) for label in (0, 1)])
    if frames > 1:  # one frame for each row of tokens
        assert maps.shape == (2, frames, 2, 3)
    else:
        red, blue = red[1:], blue[1:]
    assert maps.amax() > 0.5
    empty, seen = sorted(maps, key=torch.sum)
    assert not empty.any()
    assert seen[red] == seen.amax() and seen[red] > 5 * seen[blue]


def test_blue_by_itself_changes_no_score() -> None:
    """A blue patch alone does not change the scores of the test model."""
    model = scorer(1)
    black = torch.zeros(1, 3, 16, 24)
    blue = make_input(1, (0, 0, 0), (0, 1, 2))
    blue[:, 0] = 0
    red = make_input(1, (0, 0, 0), (0, 1, 2))
    with torch.no_grad():
        scores = [model(x) for x in (black, blue, red)]
    torch.testing.assert_close(scores[0], scores[1])
    assert (scores[2] - scores[0]).abs().max() > 1e-3


@pytest.mark.parametrize('frames', [1, FRAMES])
def test_maps_of_tokens(frames: int) -> None:
    model = make_model(frames)
    tokens = torch.arange(1. + frames * 6).view(1, -1, 1).expand(2, -1, 5)
    maps = token_maps(model)(tokens)
    expected = torch.arange(1., 1 + frames * 6).view(frames, 2, 3)
    assert maps.shape == (2, 5, 4, 2, 3) if frames > 1 else (2, 5, 2, 3)
    assert torch.equal(maps[1, 4], expected.squeeze(0))


@pytest.mark.parametrize('tokens, text', [
    ((torch.ones(1, 7, 4), torch.ones(1, 7, 4)), 'the layer gives tuple'),
    (torch.ones(1, 6, 4), r'the layer gives \(1, 6, 4\)'),
    (torch.ones(1, 1, 4), r'the layer gives \(1, 1, 4\)'),
    (torch.ones(1, 4, 2, 3), r'the layer gives \(1, 4, 2, 3\)'),
    (torch.ones(1, 7, 4) * (torch.arange(7) == 0).view(1, 7, 1),
     'only the class token has a gradient'),
])
def test_no_maps_of_other_layers(tokens: torch.Tensor, text: str) -> None:
    to_maps = token_maps(make_model(1))
    with pytest.raises(ValueError, match=text + r'[\s\S]*layers\.0\.normed'):
        to_maps(tokens)


def test_a_layer_without_a_map_is_refused_by_grad_cam() -> None:
    model = make_model(1)
    block = model.backbone.layers[0]
    for layer, text in ((block, 'returns two tensors'),
                        (block.norm, 'returns two tensors'),
                        (block.mixer, 'after the last mixer'),
                        (block.mixer.out_proj, 'after the last mixer')):
        with pytest.raises(ValueError, match=text) as error:
            cam.GradCAM(model, [layer], reshape_transform=token_maps(model))
        assert str(error.value).endswith('Take backbone.layers.0.normed.')


def test_a_frozen_backbone_has_maps_without_gradients_only() -> None:
    model = make_model(1, frozen_stages=1)
    layer = cam_layer(model)
    options = dict(reshape_transform=token_maps(model))
    with pytest.raises(ValueError, match='normed: the backbone is frozen'):
        cam.GradCAM(model, [layer], **options)
    x = make_input(1, (0, 0, 0), (0, 1, 2))
    assert cam.EigenCAM(model, [layer], **options)(x, None).any()
    learns = make_model(1, frozen_stages=0)
    assert cam.GradCAM(learns, [cam_layer(learns)])


def test_a_block_that_does_not_run() -> None:
    model = make_model(1, num_layers=2, out_indices=0)
    assert cam_layer(model) is model.backbone.layers[0].normed
    with pytest.raises(ValueError, match='does not run.*layers.0.normed'):
        check_cam_layers(model, [model.backbone.layers[1].normed])


def test_layers_that_pass() -> None:
    """Patch tokens of the last mixer count if averaged."""
    model = make_model(1, out_type='avg_featmap')
    check_cam_layers(model, [model.backbone.layers[0].mixer])
    check_cam_layers(nn.Sequential(nn.Linear(2, 2)), [nn.Linear(2, 2)])
    with pytest.raises(ValueError, match='Linear has no mmvideomamba.Video'):
        cam_layer(nn.Linear(2, 2))
