"""A strip shows the frames in order, under label and prediction."""
import numpy as np

from mmvideomamba.visualization import draw_frame_strip


def strip(correct: bool) -> np.ndarray:
    frames = np.zeros((3, 32, 64, 3), np.uint8)
    frames += np.array([50, 100, 150], np.uint8)[:, None, None, None]
    return draw_frame_strip(frames, 'rise', 'fall', 0.75, correct)


def test_frames_stand_side_by_side() -> None:
    picture = strip(True)
    assert picture.shape == (40 + 32, 3 * 64, 3)
    assert picture[40, ::64, 0].tolist() == [50, 100, 150]


def test_colour_of_the_prediction() -> None:
    right, wrong = strip(True), strip(False)
    assert (right[:20] == wrong[:20]).all()
    channels = [part[20:40].sum((0, 1)).argmax() for part in (right, wrong)]
    assert channels == [1, 0]  # green, red
