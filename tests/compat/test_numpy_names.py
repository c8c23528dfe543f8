"""Modules of the hosts find the names removed by numpy 2."""
import importlib
import re
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import PoseCompact
from mmaction.evaluation import average_recall_at_avg_proposals
from mmaction.utils import frame_extract
from mmpretrain.evaluation import RetrievalAveragePrecision, RetrievalRecall

from mmvideomamba.compat import numpy_names, package_dir

HOSTS = ('mmaction', 'mmpretrain', 'mmengine', 'mmcv')
# Not run: a branch for another framework than torch, and a docstring.
NOT_RUN = {
    'mmcv.ops.pixel_group': {'float'},
    'mmcv.arraymisc.quantization': {'type'}
}


def test_table_holds_every_name_that_is_missing() -> None:
    """A name removed by a newer numpy shows up here."""
    missing = {}
    for host in HOSTS:
        folder = package_dir(host)
        assert folder is not None
        for path in folder.rglob('*.py'):
            inner = path.relative_to(folder.parent).with_suffix('')
            if '.mim' in inner.parts:
                continue
            names = set(re.findall(r'\bnp\.(\w+)', path.read_text()))
            gone = {name for name in names if not hasattr(np, name)}
            if gone:
                missing['.'.join(inner.parts)] = gone
    missing = {k: v for k, v in missing.items() if NOT_RUN.get(k) != v}
    assert missing == {
        k: {v}
        for k, v in numpy_names._USERS.items() if not hasattr(np, v)
    }


def test_cause_ends_with_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict = {**dict.fromkeys(numpy_names._TODAY), '__version__': '9.9'}
    del names['trapz']
    monkeypatch.setattr(numpy_names, '_numpy',
                        lambda: types.SimpleNamespace(**names))
    assert numpy_names.WORKAROUND.cause().startswith('numpy 9.9 lacks trapz')
    names['trapz'] = None
    monkeypatch.setattr(numpy_names, '_numpy',
                        lambda: types.SimpleNamespace(**names))
    assert numpy_names.WORKAROUND.cause() == ''


def test_numpy_itself_and_sound_modules_stay() -> None:
    assert not hasattr(np, 'Inf')
    module = importlib.import_module('mmaction.datasets.transforms.processing')
    assert module.np is np


@pytest.mark.parametrize('mode, expected', [('IR', 58.333),
                                            ('integrate', 41.667)])
def test_retrieval_metrics_of_mmpretrain(mode: str, expected: float) -> None:
    """Of the two relevant candidates the second and the third are found."""
    pred = torch.tensor([[.9, .8, .7, .1]])
    target = torch.tensor([[0, 1, 1, 0]])
    assert RetrievalRecall.calculate(pred, target, topk=(1, 2)) == [0., 100.]
    found = RetrievalAveragePrecision.calculate(
        pred, target, topk=4, mode=mode)
    assert found == pytest.approx(expected, abs=1e-3)


def test_average_recall_of_mmaction() -> None:
    """One right proposal counts at the last of the hundred points only."""
    video = dict(video=np.array([[0., 1., 1.]]))
    *_, auc = average_recall_at_avg_proposals(video, video, 1)
    assert auc == pytest.approx(0.5)


def test_average_precision_of_nothing() -> None:
    metrics = importlib.import_module(
        'mmaction.evaluation.functional.ava_evaluation.metrics')
    assert np.isnan(metrics.compute_average_precision(None, None))


def test_pose_is_cropped() -> None:
    keypoint = np.array([[[[20., 30.], [60., 90.]]]])
    results = PoseCompact(padding=0.)(
        dict(img_shape=(100, 100), keypoint=keypoint))
    assert results['img_shape'] == (60, 40)
    np.testing.assert_array_equal(keypoint[0, 0], [[0, 0], [40, 60]])


def test_frames_are_extracted_smaller(tmp_path: Path) -> None:
    """The demo on skeletons gives the length of the short side."""
    video = str(tmp_path / 'a.mp4')
    writer = cv2.VideoWriter(video, cv2.VideoWriter.fourcc(*'mp4v'), 5,
                             (64, 48))
    for _ in range(2):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    _, frames = frame_extract(video, 24, str(tmp_path))
    assert [frame.shape for frame in frames] == [(24, 32, 3)] * 2
