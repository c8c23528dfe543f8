"""mmaction2's MultiSportsMetric runs with numpy 2.4."""
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.evaluation import MultiSportsMetric
from mmaction.evaluation.functional import multisports_utils

from mmvideomamba.compat import tube_overlap


def _tube(first: int, last: int, left: float = 0.) -> np.ndarray:
    """Return a box of 9 x 9 pixels at each frame, (frames, 5)."""
    frames = np.arange(first, last + 1.)[:, None]
    box = np.array([[left, 0., left + 9, 9.]])
    return np.hstack([frames, box.repeat(len(frames), 0)])


@pytest.mark.parametrize('other, spatial, temporal, both', [
    (_tube(1, 11), 1., 1., 1.),
    (_tube(6, 16), 1., 5 / 15, 5 / 15),
    (_tube(12, 20), 0., 0., 0.),
    (_tube(1, 11, left=5), 4 / 14, 1., 4 / 14),
    (_tube(6, 16, left=5), 4 / 14, 5 / 15, 20 / 210),
])
def test_overlap(other: np.ndarray, spatial: float, temporal: float,
                 both: float) -> None:
    overlap = multisports_utils.iou3dt_voc
    mine = _tube(1, 11)
    for one, two in ((mine, other), (other, mine)):
        assert overlap(one, two, spatialonly=True) == pytest.approx(spatial)
        assert overlap(one, two, temporalonly=True) == pytest.approx(temporal)
        assert overlap(one, two) == pytest.approx(both)


def test_metric_finds_a_perfect_tube(tmp_path: Path) -> None:
    tube = _tube(1, 20)
    truth = dict(
        labels=['run', 'jump'],
        test_videos=[['clip']],
        nframes=dict(clip=20),
        resolution=dict(clip=(100, 100)),
        gttubes=dict(clip={
            0: [tube],
            1: [_tube(1, 20, left=50)]
        }))
    (tmp_path / 'truth.pkl').write_bytes(pickle.dumps(truth))
    metric = MultiSportsMetric(str(tmp_path / 'truth.pkl'), verbose=False)
    boxes = torch.tensor([[0., 0., 9., 9.], [50., 0., 59., 9.]]) / 100
    for frame in range(1, 21):
        instances = dict(
            bboxes=boxes.clone(), scores=torch.tensor([[.9, 0.], [0., .9]]))
        metric.process(None, [
            dict(
                video_id='clip.mp4', timestamp=frame, pred_instances=instances)
        ])
    found = metric.compute_metrics(metric.results)
    assert found['frameAP'] == found['v_map@0.2'] == found['v_map@0.5'] == 100


def test_cause_is_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    new = types.SimpleNamespace(zeros=lambda size: [0.], __version__='9.9')
    monkeypatch.setitem(sys.modules, 'numpy', new)
    assert 'numpy 9.9 makes no number' in tube_overlap.WORKAROUND.cause()
    old = types.SimpleNamespace(zeros=lambda size: np.float64(0))
    monkeypatch.setitem(sys.modules, 'numpy', old)
    assert tube_overlap.WORKAROUND.cause() == ''
