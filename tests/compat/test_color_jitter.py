"""mmaction2's ColorJitter turns hues both ways around the circle."""
import numpy as np
import pytest
from mmaction.datasets.transforms import ColorJitter

from mmvideomamba.compat import color_jitter

# Hues of OpenCV are half degrees: red is 0, green 60, blue 120.
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.mark.parametrize('color, steps, expected', [
    (BLUE, -60, GREEN),
    (BLUE, 60, RED),
    (BLUE, 90, (255, 255, 0)),
    ((255, 0, 255), 120, (0, 255, 255)),
    (RED, -60, BLUE),
    (BLUE, 0, BLUE),
])
def test_turns(color: tuple, steps: int, expected: tuple) -> None:
    """The sum of the fourth, 150 + 120, exceeds 8 bits."""
    # Half a step away from zero, because the host rounds towards zero.
    factor = (steps + np.copysign(0.5, steps)) / 255
    found = ColorJitter.adjust_hue(np.array([[color]], np.float32), factor)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[0, 0], expected)


def test_pipeline_step_runs() -> None:
    """With every draw of the hue, both signs."""
    np.random.seed(0)
    jitter = ColorJitter(0., 0., 0., hue=0.5)
    img = np.full((2, 2, 3), BLUE, np.uint8)
    colors = {
        tuple(jitter.transform(dict(imgs=[img]))['imgs'][0][0, 0])
        for _ in range(20)
    }
    assert len(colors) > 10


def test_cause_is_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    assert '1.2.0' in color_jitter.WORKAROUND.cause()
    monkeypatch.setattr(color_jitter, 'installed_version', lambda name: '')
    assert color_jitter.WORKAROUND.cause() == ''
