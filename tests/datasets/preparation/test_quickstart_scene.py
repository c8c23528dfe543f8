"""Scenes of the quickstart: the class is in the order of the frames only."""
import numpy as np
import pytest

from mmvideomamba.datasets.preparation import quickstart_scene as scenes

pytest.importorskip('skimage', reason='the extra quickstart is not installed')


def test_no_photograph_is_in_both_splits() -> None:
    names = [
        set(group['objects']) | set(group['backgrounds'])
        for group in scenes.PICTURES.values()
    ]
    assert not names[0] & names[1]
    for name in names[0] | names[1]:
        assert min(scenes.load_picture(name).shape[:2]) >= 100


def test_class_decides_nothing_but_the_order() -> None:
    for label in range(8):
        rng = np.random.default_rng(label)
        places = scenes.draw_places(rng, 24 + 6 * label)
        order = scenes.draw_order(rng, places, label)
        assert sorted(order) == list(range(len(places)))
        direction, start = scenes.CLASSES[label].split('_from_')
        steps = np.diff(places[order]) % 1
        forward = steps < 0.5
        assert forward.all() if direction == 'clockwise' else not forward.any()
        offset = places[order[0]] - scenes.STARTS.index(start) / 4
        assert abs((offset + 0.5) % 1 - 0.5) <= scenes.START_SPREAD


def test_object_is_where_its_place_says() -> None:
    scene = scenes.draw_scene(np.random.default_rng(0), 'val')
    scene.background[:] = 0
    for place, x, y in ((0, 0, -1), (0.25, 1, 0), (0.5, 0, 1), (0.75, -1, 0)):
        mask = scenes.render_frame(scene, place).max(2) > 0
        rows, columns = np.nonzero(mask)
        found = columns.mean(), rows.mean()
        wanted = (scene.centre[0] + x * scene.radius,
                  scene.centre[1] + y * scene.radius)
        # Pixels cut off at the border of the frame move the mean.
        assert np.allclose(found, wanted, atol=0.1 * scene.radius)


def test_what_sticks_out_is_cut_off() -> None:
    cutout = np.ones((4, 6, 4), np.float32) * [9, 9, 9, 1]
    for x, y, count in ((-3, 0, 12), (7, 5, 9), (-20, 0, 0), (0, 30, 0)):
        frame = np.zeros((8, 10, 3), np.uint8)
        scenes.lay_over(frame, cutout.astype(np.float32), x, y)
        assert (frame[..., 0] == 9).sum() == count


def test_missing_photograph_is_named() -> None:
    with pytest.raises(FileNotFoundError, match='no_such.png'):
        scenes.load_picture('no_such.png')
