"""Windows cover a video up to any end."""
import numpy as np
import pytest

from mmvideomamba.inference.predictor.feature_plan import make_plan

DENSE = [dict(type='SampleFrames', clip_len=4, frame_interval=3)]


@pytest.mark.parametrize('total', [1, 7, 8, 9, 12, 23, 24, 25])
@pytest.mark.parametrize('stride', [1, 3, 8, 20])
def test_windows(total: int, stride: int) -> None:
    plan = make_plan('window', [], 4, 1, 2, stride)
    windows = plan.windows(total)
    spans = plan.spans(windows, total)
    assert windows.shape == (len(spans), 4)
    assert windows.max() < total and (windows[:, 0] == spans[:, 0]).all()
    assert (spans[:, 0] == stride * np.arange(len(spans))).all()
    if stride <= 8:  # without gaps between windows, nothing is left out
        assert spans[-1, 1] == total
        assert len(spans) == 1 or spans[-2, 1] < total
    assert (spans[:, 1] > spans[:, 0]).all()


@pytest.mark.parametrize('total', [1, 7, 8, 9, 17])
def test_frames(total: int) -> None:
    plan = make_plan('frame', [], 4, 2, 2)
    spans = plan.spans(plan.windows(total), total)
    rows = 2 * len(plan.windows(total))  # tokens of all windows
    assert spans[0, 0] == 0 and spans[-1, 1] == total and len(spans) <= rows
    assert (spans[1:, 0] == spans[:-1, 1]).all()
    assert plan.row_stride == plan.row_frames == 4


def test_defaults() -> None:
    plan = make_plan('window', DENSE, 4, 1)
    assert (plan.interval, plan.stride, plan.row_frames) == (3, 12, 12)
    assert make_plan('window', [], 4, 1).interval == 4
    plan = make_plan('clip', DENSE, 4, 1)
    assert plan.row_stride is None and plan.row_frames is None
