"""A figure is cut as by matplotlib, with and without a renderer."""
import io

import pytest
from matplotlib import _tight_bbox, transforms
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from mmvideomamba.compat import adjust_bbox


def test_with_and_without_the_renderer() -> None:
    box = transforms.Bbox([[0, 0], [1, 2]])
    sizes = []
    for explicit in (False, True):
        figure = Figure(figsize=(3, 3))
        canvas = FigureCanvasAgg(figure)
        figure.add_subplot()
        more = (canvas.get_renderer(), ) if explicit else ()
        restore = _tight_bbox.adjust_bbox(figure, box, *more)
        sizes.append(figure.bbox_inches.bounds)
        restore()
        assert figure.bbox_inches.bounds == (0, 0, 3, 3)
    assert sizes[0] == sizes[1] == (0, 0, 1, 2)


def test_matplotlib_itself() -> None:
    """A notebook draws every figure in a tight box."""
    figure = Figure(figsize=(3, 3))
    figure.add_axes((0.4, 0.4, 0.2, 0.2))
    sizes = []
    for box in (None, 'tight'):
        file = io.BytesIO()
        figure.savefig(file, format='png', bbox_inches=box)
        sizes.append(Image.open(file).size)
    assert sizes[0] == (300, 300) and max(sizes[1]) < 150


def test_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    for release in ((0, 0), (3, 10)):
        monkeypatch.setattr(adjust_bbox, 'installed_release',
                            lambda name: release)
        assert adjust_bbox.WORKAROUND.cause() == ''
    monkeypatch.setattr(adjust_bbox, 'installed_release', lambda name: (3, 11))
    assert 'renderer' in adjust_bbox.WORKAROUND.cause()
