import pytest
from mmengine.config import Config

from mmvideomamba.command_line import limit_topk


def limited(evaluator: dict, count: int, **model: dict) -> Config:
    model = model or dict(cls_head=dict(num_classes=count))
    cfg = Config(dict(model=model, val_evaluator=evaluator))
    limit_topk(cfg)
    return cfg


@pytest.mark.parametrize('count, topk', [(3, (1, )), (5, (1, )), (6, (1, 5)),
                                         (2, (1, )), (1, (1, ))])
def test_the_default_of_the_host(count: int, topk: tuple) -> None:
    found = limited(dict(type='AccMetric'), count).val_evaluator
    assert found.get('metric_options',
                     {}).get('top_k_accuracy',
                             dict(topk=(1, 5)))['topk'] == topk


def test_named_figures() -> None:
    options = dict(top_k_accuracy=dict(topk=(1, 2, 3, 9)), other=dict(a=1))
    metric = dict(type='mmvideomamba.WindowAccMetric', metric_options=options)
    found = limited([metric], 3).val_evaluator[0]
    assert found.metric_options == dict(
        top_k_accuracy=dict(topk=(1, 2)), other=dict(a=1))


def test_figures_without_k() -> None:
    metric = dict(type='AccMetric', metric_list='mean_average_precision')
    assert limited(metric, 3).val_evaluator == metric
    other = dict(type='mmvideomamba.VideoTextRecall', topk=(1, 5, 10))
    assert limited(other, 3).val_evaluator == other


@pytest.mark.parametrize('given, topk', [((1, 5), (1, )), (5, (1, )), (1, 1)])
def test_classifier(given, topk) -> None:
    head = dict(num_classes=4, topk=given)
    cfg = limited(dict(type='Accuracy', topk=given), 4, head=head)
    assert cfg.val_evaluator.topk == cfg.model.head.topk == topk


def test_test_time_augmentation() -> None:
    inner = dict(cls_head=dict(num_classes=3))
    cfg = limited(dict(type='AccMetric'), 3, module=inner)
    assert cfg.val_evaluator.metric_options.top_k_accuracy.topk == (1, )


def test_unknown_number_of_classes() -> None:
    cfg = limited(dict(type='AccMetric'), 0, backbone=dict(depth=3))
    assert cfg.val_evaluator == dict(type='AccMetric')
