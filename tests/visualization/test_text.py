"""Text is drawn at the baseline in the wanted colour."""
import numpy as np

from mmvideomamba.visualization import write_line


def test_write_line() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    write_line(picture, 'label', (4, 26), (10, 200, 0))
    rows, columns = np.nonzero(picture.any(-1))
    assert columns.min() >= 4 and 10 < rows.min() < rows.max() < 27
    assert (picture.reshape(-1, 3).max(0) == (10, 200, 0)).all()
