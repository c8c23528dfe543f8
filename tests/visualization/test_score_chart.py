"""The chart shows the scored frames, or says that other frames are shown."""
from pathlib import Path
from typing import Any, Callable, List

import cv2
import numpy as np
import pytest

from mmvideomamba.datasets.video import VideoReader, open_video
from mmvideomamba.visualization import Clip, score_chart
from mmvideomamba.visualization.score_chart import (choose_clips,
                                                    save_score_chart)

SCORES = [('$x^2_$', 0.5), ('fall', 0.3), ('stay', 0.2)]


@pytest.fixture
def reader(make_video: Callable) -> VideoReader:
    return open_video(str(make_video(frames=9)))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> List[Any]:
    """Return a list of the drawn clips and texts."""
    found: List[Any] = []
    frames, panel = score_chart.draw_frames, score_chart.text_panel

    def note_frames(clip: Clip) -> np.ndarray:
        found.append(clip)
        return frames(clip)

    def note_texts(texts: list, width: int, size: int) -> np.ndarray:
        found.append(texts[1][0])
        return panel(texts, width, size)

    monkeypatch.setattr(score_chart, 'draw_frames', note_frames)
    monkeypatch.setattr(score_chart, 'text_panel', note_texts)
    return found


def test_height_follows_the_classes(reader: VideoReader,
                                    tmp_path: Path) -> None:
    heights = []
    for count in (1, 2, 3):
        path = tmp_path / f'{count}.png'
        save_score_chart(reader, SCORES[:count], 'clip.mp4', path)
        picture = cv2.imread(str(path))
        assert picture is not None
        heights.append(picture.shape[0])
    assert heights[2] - heights[1] == heights[1] - heights[0] > 12


def test_frames_of_the_model_are_drawn(reader: VideoReader, tmp_path: Path,
                                       drawn: List[Any]) -> None:
    save_score_chart(reader, SCORES, 'a', tmp_path / 'a.png', [[1, 4], [2, 7]])
    first, second, note = drawn
    assert [first.numbers, second.numbers] == [[1, 4], [2, 7]]
    assert second.times == pytest.approx([0.2, 0.7])
    assert (second.frames == reader.get_frames([2, 7])).all()
    assert note == 'frames seen by the model: 2 of 2 clips'


def test_unknown_frames_are_told(reader: VideoReader, tmp_path: Path,
                                 drawn: List[Any]) -> None:
    save_score_chart(reader, SCORES, 'a', tmp_path / 'a.png')
    assert drawn[0].numbers == [0, 1, 2, 3, 5, 6, 7, 8]
    assert drawn[1] == '8 even frames, not those of the scores'


def test_middle_clips_are_chosen() -> None:
    assert choose_clips([[i] * 8 for i in range(10)]) == [[i] * 8
                                                          for i in range(3, 7)]
    assert choose_clips([[0] * 64, [1] * 64]) == [[0] * 64]
    assert choose_clips([[5]]) == [[5]]
