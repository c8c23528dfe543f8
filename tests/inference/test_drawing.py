"""The host's visualizer gets paths or BGR frames, and named predictions."""
from typing import Any, List

import numpy as np
import torch
from mmaction.structures import ActionDataSample

from mmvideomamba.inference.drawing import draw_results


def result(**values: Any) -> ActionDataSample:
    found = ActionDataSample(metainfo=values)
    if not values:
        found.set_pred_score(torch.tensor([0.2, 0.8]))
    return found


def test_inputs_and_predictions() -> None:
    frames = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    inputs = ('a.mp4', 'bad.mp4', frames, dict(frame_dir='b'),
              dict(imgs=list(frames)), dict(array=frames, fps=3))
    results = [result() for _ in inputs]
    results[0].set_pred_label(1)
    results[1] = result(error='bad')
    seen: List[Any] = []

    def draw(items: list, samples: list, vid_out_dir: str) -> List[int]:
        assert vid_out_dir == ''
        seen.extend(zip(items, samples))
        return [len(seen) - 1]

    assert draw_results(draw, inputs, results) == [0, None, 1, 2, 3, 4]
    assert [seen[0][0], seen[2][0]] == ['a.mp4', 'b']
    for place in (1, 3, 4):
        np.testing.assert_array_equal(seen[place][0], frames[..., ::-1])
    labels = seen[0][1].pred_labels
    assert labels.item.tolist() == [1] and labels.score[1] == 0.8
    assert 'pred_labels' not in seen[1][1]


def test_nothing_to_draw() -> None:
    assert draw_results(lambda *given, **folder: None, ['a.mp4'],
                        [result()]) is None


def test_videos_of_one_name() -> None:
    """None replaces another; arrays are numbered by the host."""
    inputs = ('x/v.mp4', 'y/v.mp4', 'v', 'w.mp4', np.zeros(
        (1, 2, 2, 3)), np.zeros((1, 2, 2, 3)))
    results = [result() for _ in inputs]

    def draw(items: list, samples: list, vid_out_dir: str) -> List[str]:
        return [vid_out_dir]

    assert draw_results(draw, inputs, results, 'out') == [
        'out', 'out/2', 'out/3', 'out', 'out', 'out'
    ]
