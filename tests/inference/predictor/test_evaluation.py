"""Counts of right and wrong, by hand."""
import pytest

from mmvideomamba.inference.predictor import Prediction
from mmvideomamba.inference.predictor.evaluation import WORST, Evaluation


def test_counts() -> None:
    found = Evaluation(dict(a=0, b=0, c=1, d=1), 3, ['x', 'y', 'z'])
    for name, order, chances in (('a', [0, 1, 2], [.6, .3, .1]),
                                 ('b', [1, 0,
                                        2], [.6, .3,
                                             .1]), ('c', [2, 1,
                                                          0], [.9, .08, .02]),
                                 ('free', [2, 1, 0], [.9, .08, .02])):
        found.add(Prediction(name, order, ['?'] * 3, chances))
    found.add(Prediction('d', error='bad'))
    values = found.to_dict()
    assert values['videos'] == 3
    assert values['top1'] == pytest.approx(1 / 3) and values['top5'] == 1
    assert values['mean_class_accuracy'] == pytest.approx(.25)
    assert values['confusion_matrix'] == [[1, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert [one['input'] for one in values['worst_mistakes']] == ['c', 'b']
    assert values['confusions'][0] == dict(true='x', predicted='y', videos=1)
    text = found.to_text()
    assert 'top-1 33.33%' in text and 'c: z (0.900), but is y (0.080)' in text


def test_bounded_and_empty() -> None:
    names = [f'v{i}' for i in range(WORST + 5)]
    found = Evaluation(dict.fromkeys(names, 1), 2)
    assert 'no video has a label' in found.to_text()
    assert found.to_dict()['top1'] is None
    for i, name in enumerate(names):
        chance = .5 + i / 100
        found.add(Prediction(name, [0, 1], ['?'] * 2, [chance, 1 - chance]))
    assert len(found.mistakes) == WORST
    assert found.mistakes[0].input == names[-1]
    assert found.mistakes[0].true == 'class 1'


@pytest.mark.parametrize('classes, told', [(5, False), (6, True)])
def test_top_five_of_five_classes_is_not_told(classes: int,
                                              told: bool) -> None:
    found = Evaluation(dict(a=0), classes)
    order = list(range(classes))
    found.add(Prediction('a', order, ['?'] * classes, [1 / classes] * classes))
    assert ('top-5 100.00%' in found.to_text()) == told
    assert 'top-1 100.00%, ' in found.to_text()
