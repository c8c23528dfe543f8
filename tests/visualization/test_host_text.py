"""A host's visualizer writes any name, in the frame, on a dark ground."""
from typing import List

import numpy as np
import pytest
from mmaction.structures import ActionDataSample
from mmaction.visualization import ActionVisualizer
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer

from mmvideomamba.visualization import host_text
from mmvideomamba.visualization.host_text import our_texts, write_note

FRAME = np.full((120, 160, 3), 200, np.uint8)


@pytest.mark.parametrize('shape', [(120, 160), (1080, 1920), (16, 24)])
def test_note_keeps_the_shape(shape: tuple) -> None:
    frame = np.full((*shape, 3), 200, np.uint8)
    drawn = write_note(frame, 'Frame 3\nPrediction: $x^2_$ ' + 40 * 'long ')
    assert drawn.shape == frame.shape and (frame == 200).all()
    assert drawn[0, 0, 0] == 70  # the ground
    assert drawn.max() > 220  # white letters


def test_short_note_leaves_the_rest() -> None:
    drawn = write_note(FRAME, 'Frame 3')
    assert (drawn[40:] == 200).all()


def test_hosts_write_by_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    given: List[str] = []
    note = host_text.write_note

    def remember(frame: np.ndarray, text: str) -> np.ndarray:
        given.append(text)
        return note(frame, text)

    monkeypatch.setattr(host_text, 'write_note', remember)
    meta = dict(classes=['$x^2_$', 'b'])
    video = ActionVisualizer()
    video.dataset_meta = meta
    sample = ActionDataSample()
    sample.pred_labels = DataSample(item=np.array([0]))
    with our_texts(video):
        found = video.add_datasample('a', [FRAME], sample)
    assert given == ['Frame 0 of total 1 frames\nPrediction: 0 ($x^2_$)']
    np.testing.assert_array_equal(found[0], note(FRAME, given[0]))
    image = UniversalVisualizer()
    with our_texts(image):
        found = image.visualize_cls(FRAME,
                                    DataSample().set_pred_label(0),
                                    meta['classes'])
    assert given[1:] == ['Prediction: 0 ($x^2_$)']
    np.testing.assert_array_equal(found, note(FRAME, given[1]))


def test_the_host_writes_afterwards() -> None:
    video = ActionVisualizer()
    with our_texts(video):
        pass
    assert 'text' not in vars(video.ax_save)
