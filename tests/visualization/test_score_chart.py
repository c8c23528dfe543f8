"""The chart is a picture whose height follows the number of classes."""
from pathlib import Path
from typing import Callable

import cv2

from mmvideomamba.datasets.video import open_video
from mmvideomamba.visualization.score_chart import save_score_chart


def test_height_follows_the_classes(make_video: Callable,
                                    tmp_path: Path) -> None:
    reader = open_video(str(make_video(frames=3)))
    scores = [('rise', 0.5), ('fall', 0.3), ('stay', 0.2)]
    heights = []
    for count in (1, 3):
        path = tmp_path / f'{count}.png'
        save_score_chart(reader, scores[:count], 'clip.mp4', path)
        picture = cv2.imread(str(path))
        assert picture is not None
        heights.append(picture.shape[0])
        assert picture.shape[1] == 12 * 110
    assert heights == [int(110 * (2.6 + 0.35 * count)) for count in (1, 3)]
