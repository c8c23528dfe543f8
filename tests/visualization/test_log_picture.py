"""Pictures reach the backends of the visualizer, or a file in RGB."""
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

from mmvideomamba.visualization import log_picture, save_picture

RED = np.zeros((4, 6, 3), np.uint8) + np.array([200, 0, 0], np.uint8)


def test_saved_picture_keeps_the_colours(tmp_path: Path) -> None:
    save_picture(RED, tmp_path / 'new' / 'red.png')
    found = cv2.imread(str(tmp_path / 'new' / 'red.png'))
    assert found is not None
    assert (found[..., ::-1] == RED).all()


def test_log_picture(tmp_path: Path) -> None:
    shown: list = []
    visualizer = SimpleNamespace(add_image=lambda *args: shown.append(args))
    log_picture(visualizer, 'clip', RED, 7, str(tmp_path / 'out'))
    assert shown == [] and (tmp_path / 'out' / 'clip_7.png').is_file()
    log_picture(visualizer, 'clip', RED, 7)
    assert shown == [('clip', RED, 7)]
