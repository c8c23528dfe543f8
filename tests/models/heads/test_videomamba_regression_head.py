"""A head predicting one number."""
from typing import Iterator

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.registry import DefaultScope

from mmvideomamba.models.heads import VideoMambaRegressionHead
from mmvideomamba.registry import MODELS


@pytest.fixture(autouse=True)
def scope() -> Iterator[None]:
    """Work in the scope of the host, whose loss a head builds."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def samples(*labels) -> list:
    return [ActionDataSample().set_gt_label(label) for label in labels]


def test_loss_is_the_mean_squared_error() -> None:
    head = VideoMambaRegressionHead(in_channels=8)
    feature = torch.randn(3, 8)
    labels = torch.tensor([[-1.5], [0.25], [7.]])
    losses = head.loss((torch.zeros(1), feature), samples(*labels))
    assert losses.keys() == {'loss_mse'}
    expected = ((head.fc_cls(feature) - labels)**2).mean()
    torch.testing.assert_close(losses['loss_mse'], expected)
    losses['loss_mse'].backward()
    assert head.fc_cls.weight.grad.abs().sum() > 0


def test_views_are_averaged() -> None:
    head = VideoMambaRegressionHead(in_channels=8)
    feature = torch.randn(6, 8)
    found = head.predict((feature, ), samples(*torch.zeros(2, 1)))
    expected = head(tuple([feature])).view(2, 3).mean(1)
    for sample, number in zip(found, expected):
        assert sample.pred_score.shape == (1, )
        torch.testing.assert_close(sample.pred_score[0], number)


def test_half_precision_is_averaged_in_float() -> None:
    head = VideoMambaRegressionHead(in_channels=8)
    outputs = torch.tensor([[1.], [1.0078125]], dtype=torch.bfloat16)
    found = head.predict_by_feat(outputs, samples(torch.zeros(1)))
    assert found[0].pred_score.item() == 1.00390625


@pytest.mark.parametrize('label', [
    torch.tensor([1]),
    torch.tensor([0.5, 0.5]),
])
def test_classes_are_refused(label: torch.Tensor) -> None:
    head = VideoMambaRegressionHead(in_channels=8)
    with pytest.raises(
            ValueError, match='is not one float; set regression=True'):
        head.loss((torch.zeros(1, 8), ), samples(label))


def test_built_by_its_config_name() -> None:
    head = MODELS.build(
        dict(type='mmvideomamba.VideoMambaRegressionHead', in_channels=8))
    assert head.fc_cls.out_features == 1
