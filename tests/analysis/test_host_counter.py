"""mmengine's counter agrees with ours on the operators known to both."""
import pytest
import torch
from mmengine.analysis import FlopAnalyzer, get_model_complexity_info
from red_patch import FRAMES, GRID, make_input, make_model

from mmvideomamba.analysis import count_view, sum_by_kind


@pytest.mark.parametrize('frames', [1, FRAMES])
def test_products_and_convolutions_agree(frames: int) -> None:
    model = make_model(frames)
    x = make_input(frames, (0, 0, 0), (0, 0, 0))
    info = get_model_complexity_info(model.backbone, inputs=x)
    by_operator = FlopAnalyzer(model.backbone, x).by_operator()
    ours = sum_by_kind(count_view(model))
    tokens = 1 + frames * GRID[0] * GRID[1]
    padded = (tokens + 3) / tokens  # a convolution of width 4
    convolutions = ours['patch embedding'] + ours['conv1d'] * padded
    products = ours['in_proj and out_proj'] + ours['x_proj and dt_proj']
    assert by_operator['conv'] == convolutions
    assert info['flops'] == convolutions + products
    # Left out by the host.
    assert ours['scan'] > ours['conv1d'] > 0


def test_weights_and_scores_survive_the_count() -> None:
    model = make_model(FRAMES)
    x = make_input(FRAMES, (0, 0, 0), (1, 1, 1))
    with torch.no_grad():
        before = model.backbone(x)[0]
        get_model_complexity_info(model.backbone, inputs=x)
        assert torch.equal(model.backbone(x)[0], before)
