import pytest
import torch

from mmvideomamba.models.multimodal.scores import check_finite, class_scores


@pytest.mark.parametrize('reduction, wanted', [('mean', [[2., 2., 5.]]),
                                               ('max', [[3., 2., 6.]])])
def test_unequal_numbers_of_prompts(reduction: str, wanted: list) -> None:
    scores = torch.tensor([[1., 3., 2., 6., 5., 4.]])
    assert class_scores(scores, [2, 1, 3], reduction).tolist() == wanted


@pytest.mark.parametrize('value', ['nan', 'inf'])
def test_scores_that_rank_nothing(value: str) -> None:
    scores = torch.tensor([[0., 1.], [float(value), 2.]])
    with pytest.raises(ValueError, match='1 of 4 cosines are infinite or NaN'):
        check_finite(scores, 'cosines')
    assert check_finite(scores[:1], 'cosines') is not scores
