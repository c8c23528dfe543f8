"""Views, crops and windows are merged per video, as in the golden data."""
from typing import Iterator, List

import numpy as np
import pytest
import torch
from common import golden
from mmaction.evaluation import AccMetric
from mmaction.structures import ActionDataSample
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope

from mmvideomamba.evaluation import MSEMetric, WindowAccMetric, merge_windows
from mmvideomamba.models.heads import VideoMambaHead, VideoMambaRegressionHead
from mmvideomamba.registry import METRICS

TABLE = golden('view_merging')
LOGITS = TABLE['in/logits']  # (video, segment, crop, class)
LABELS = TABLE['in/labels']
NUMBERS = TABLE['in/regression_outputs']  # (video, segment, crop)
TARGETS = TABLE['in/regression_targets']


@pytest.fixture(autouse=True)
def scope() -> Iterator[None]:
    """Work in the scope of the host, whose loss a head builds."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def predictions(head, outputs: torch.Tensor, **fields) -> List[dict]:
    """Return the head's predictions for the views (samples, views, ...)."""
    samples = [ActionDataSample() for _ in range(len(outputs))]
    for i, sample in enumerate(samples):
        sample.set_gt_label(fields['label'][i])
        sample.set_metainfo({
            key: values[i]
            for key, values in fields.items() if key != 'label'
        })
    found = head.predict_by_feat(outputs.flatten(0, 1), samples)
    return [sample.to_dict() for sample in found]


def classifier() -> VideoMambaHead:
    return VideoMambaHead(LOGITS.shape[-1], 4, average_clips='prob')


def by_windows(outputs: torch.Tensor,
               labels: torch.Tensor,
               twice: int = 2) -> dict:
    """Make a window of each segment; one window is recorded twice."""
    videos, segments = outputs.shape[:2]
    order = [(v, s) for v in range(videos) for s in range(segments)]
    order.append(order[twice])
    np.random.shuffle(order)
    return dict(
        outputs=torch.stack([outputs[v, s] for v, s in order]),
        label=[labels[v].reshape(1) for v, _ in order],
        video_id=[f'{v}.mp4' for v, _ in order],
        timestamp=[16. * s for _, s in order])


def evaluate(metric, samples: List[dict]) -> dict:
    """Evaluate in two batches, as a loop would."""
    for part in (samples[:3], samples[3:]):
        metric.process(None, part)
    return metric.evaluate(len(samples))


def test_probabilities_of_all_views_are_averaged() -> None:
    found = predictions(
        classifier(), LOGITS.flatten(1, 2), label=LABELS.reshape(-1, 1))
    scores = torch.stack([one['pred_score'] for one in found])
    torch.testing.assert_close(
        scores, TABLE['out/mean_probs'], atol=1e-6, rtol=1e-5)
    labels = torch.cat([one['pred_label'] for one in found])
    assert labels.tolist() == TABLE['out/pred'].tolist()
    accuracy = evaluate(AccMetric(), found)
    assert accuracy['acc/top1'] == pytest.approx(TABLE.config['top1'] / 100)
    assert accuracy['acc/top5'] == pytest.approx(TABLE.config['top5'] / 100)


def test_windows_give_what_the_whole_video_gives() -> None:
    rows = by_windows(LOGITS, LABELS)
    found = predictions(classifier(), rows.pop('outputs'), **rows)
    assert len(found) == LOGITS.shape[0] * LOGITS.shape[1] + 1
    accuracy = evaluate(WindowAccMetric(), found)
    assert accuracy['acc/top1'] == pytest.approx(TABLE.config['top1'] / 100)
    assert accuracy['acc/top5'] == pytest.approx(TABLE.config['top5'] / 100)


def test_windows_are_merged_and_doubles_counted_once() -> None:
    rows = by_windows(LOGITS, LABELS)
    found = predictions(classifier(), rows.pop('outputs'), **rows)
    merged = merge_windows([
        dict(
            video=one['video_id'],
            window=one['timestamp'],
            pred=one['pred_score'].numpy(),
            label=one['gt_label'].item()) for one in found
    ])
    assert len(merged) == len(LOGITS)
    order = list(dict.fromkeys(one['video_id'] for one in found))
    expected = [TABLE['out/mean_probs'][int(name[0])] for name in order]
    np.testing.assert_allclose(
        np.stack([one['pred'] for one in merged]),
        torch.stack(expected),
        atol=1e-6)


def test_samples_without_windows_stand_alone() -> None:
    found = predictions(
        classifier(), LOGITS.flatten(1, 2), label=LABELS.reshape(-1, 1))
    assert evaluate(WindowAccMetric(), found) == evaluate(AccMetric(), found)


@pytest.mark.parametrize('windows', [False, True])
def test_error_of_numbers(windows: bool) -> None:
    head = VideoMambaRegressionHead(4)
    if windows:
        rows = by_windows(NUMBERS.unsqueeze(-1), TARGETS)
    else:
        rows = dict(
            outputs=NUMBERS.flatten(1).unsqueeze(-1),
            label=TARGETS.reshape(-1, 1))
    found = predictions(head, rows.pop('outputs'), **rows)
    error = evaluate(MSEMetric(), found)
    assert error['regression/mse'] == pytest.approx(
        TABLE['out/regression_mse'].item(), abs=1e-4)


def test_error_is_of_means_not_a_mean_of_errors() -> None:
    head = VideoMambaRegressionHead(4)
    views = torch.tensor([[[0.], [2.]]])  # mean 1
    found = predictions(head, views, label=torch.tensor([[1.]]))
    assert evaluate(MSEMetric(), found) == {'regression/mse': 0.}


def test_windows_with_different_labels_are_an_error() -> None:
    rows = by_windows(LOGITS, LABELS)
    first = rows['video_id'][0]
    rows['label'][0] = (rows['label'][0] + 1) % LOGITS.shape[-1]
    found = predictions(classifier(), rows.pop('outputs'), **rows)
    with pytest.raises(ValueError, match=f'{first} have different labels'):
        evaluate(WindowAccMetric(), found)


def test_scores_of_classes_are_no_number() -> None:
    found = predictions(
        classifier(), LOGITS.flatten(1, 2), label=LABELS.reshape(-1, 1))
    with pytest.raises(ValueError, match=r'shape \(7,\) instead of \(1, \)'):
        MSEMetric().process(None, found)


def test_evaluation_of_a_dump_is_that_of_the_run() -> None:
    """Offline evaluation of a file by --dump equals the run's metric."""
    rows = by_windows(LOGITS, LABELS)
    found = predictions(classifier(), rows.pop('outputs'), **rows)
    evaluator = Evaluator(dict(type='mmvideomamba.WindowAccMetric'))
    offline = evaluator.offline_evaluate(found, chunk_size=4)
    assert offline == evaluate(WindowAccMetric(), found)


def test_built_by_their_config_names() -> None:
    for name in ('WindowAccMetric', 'MSEMetric'):
        assert METRICS.build(dict(type=f'mmvideomamba.{name}'))
