"""Views in parts have the scores of all views at once."""
from typing import Any, List

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from tiny_recipes import SIZE, tiny_recognizer
from torch import nn

from mmvideomamba.inference.predict import (VIEWS_AT_ONCE, is_ours, predict,
                                            views_at_once)


def samples(*views: int) -> List[dict]:
    shapes = [(count, 3, 4, SIZE, SIZE) for count in views]
    return [
        dict(
            inputs=torch.randint(256, shape, dtype=torch.uint8),
            data_samples=ActionDataSample()) for shape in shapes
    ]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a recognizer noting the number of views of each pass."""
    model = tiny_recognizer()
    extract, model.passes = model.extract_feat, []

    def note(inputs: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        model.passes.append(inputs.shape[:2].numel())
        return extract(inputs, *args, **kwargs)

    monkeypatch.setattr(model, 'extract_feat', note)
    return model


@pytest.mark.parametrize('views, passes', [
    ((3, 3), [6]),
    ((9, ), [4, 4, 1]),
    ((2, 6), [2, 4, 2]),
])
def test_parts(model: Any, views: tuple, passes: List[int]) -> None:
    given = samples(*views)
    found = [one.pred_score for one in predict(model, given)]
    assert model.passes == passes
    for sample, scores in zip(given, found):
        expected, = model.test_step(pseudo_collate([sample]))
        torch.testing.assert_close(scores, expected.pred_score)
        assert not scores.requires_grad
    assert len({tuple(scores.tolist()) for scores in found}) == len(views)


def test_number_at_once_is_the_hosts(model: Any) -> None:
    assert views_at_once(model) == VIEWS_AT_ONCE
    model.test_cfg = dict(max_testing_views=2)
    assert views_at_once(model) == 2
    predict(model, samples(5))
    assert model.passes == [2, 2, 1]


def test_our_models(model: Any) -> None:
    assert is_ours(model)
    model.backbone = nn.Sequential(model.backbone)  # wrapped, as by peft
    assert is_ours(model)
    model.backbone = nn.Linear(1, 1)
    assert not is_ours(model) and not is_ours(nn.Linear(1, 1))
    assert not is_ours('config.py')
