"""A visualizer makes the figure at the first access."""
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from mmengine.visualization import Visualizer

import mmvideomamba  # noqa: F401
from mmvideomamba.compat.late_figure import _PARTS
from .fresh_python import run_python

IMAGE = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)


class Plain(Visualizer):
    """Has no arguments of its own."""


class Titled(Visualizer):
    """Changes the figure."""

    def _initialize_fig(self, fig_cfg: Any) -> tuple:
        parts = super()._initialize_fig(fig_cfg)
        parts[1].suptitle('title')
        return parts


def test_matplotlib_waits_for_a_drawing() -> None:
    done = run_python('''
import sys, mmvideomamba
from mmengine.visualization import Visualizer
first = Visualizer.get_instance('first')
print('matplotlib' in sys.modules)
print(type(first.ax_save).__name__, 'matplotlib' in sys.modules)
''')
    assert done.stdout.split() == ['False', 'Axes', 'True'], done.stderr


@pytest.mark.parametrize('kind', [Visualizer, Plain])
def test_drawing(kind: type) -> None:
    """The picture equals the picture of an image given at the start."""
    late, early = kind(), kind(image=IMAGE)
    assert not isinstance(vars(late)['fig_save'], Figure)
    assert isinstance(vars(early)['fig_save'], Figure)
    late.set_image(IMAGE)
    for visualizer in (late, early):
        visualizer.draw_bboxes(np.array([[2, 3, 20, 15]]), edge_colors='r')
    assert late.dpi == early.dpi
    picture = late.get_image()
    np.testing.assert_array_equal(picture, early.get_image())
    assert picture.shape == IMAGE.shape and (picture != IMAGE).any()


@pytest.mark.parametrize('name', _PARTS)
def test_each_part_alone(name: str) -> None:
    late = Visualizer(fig_save_cfg=dict(frameon=False, dpi=70))
    assert getattr(late, name) is vars(late)[name]
    assert late.dpi == 70 and isinstance(late.fig_save, Figure)
    assert late.ax_save.figure is late.fig_save is late.fig_save_canvas.figure


def test_a_subclass_changes_the_figure() -> None:
    assert Titled().fig_save.get_suptitle() == 'title'
