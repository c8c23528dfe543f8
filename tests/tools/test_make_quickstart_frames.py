"""The images that the teacher of the quickstart learns from."""
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools/data/quickstart'))
import make_quickstart_frames as tool  # noqa: E402
from quickstart_scene import PICTURES, draw_scene  # noqa: E402

pytest.importorskip('skimage')


def run(monkeypatch, folder: Path, *arguments: str) -> dict:
    monkeypatch.setattr(
        sys, 'argv',
        ['tool', '--out-dir', str(folder), *arguments])
    tool.main()
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob('*.jpg'))
    }


def test_images(tmp_path: Path, monkeypatch) -> None:
    arguments = ('--train', '60', '--val', '30')
    first = run(monkeypatch, tmp_path / 'a', *arguments)
    assert len(first) == 90
    # The same seed gives the same bytes; no image is there twice.
    assert run(monkeypatch, tmp_path / 'b', *arguments) == first
    assert len(set(first.values())) == 90
    other = run(monkeypatch, tmp_path / 'c', *arguments, '--seed', '1')
    assert other.keys() == first.keys() and other != first
    folders = {Path(name).parts[:2] for name in first}
    assert len(folders) == 60  # 30 classes in either split
    assert ('val', 'rocket_over_brick') in folders
    image = cv2.imread(str(tmp_path / 'a' / next(iter(first))))
    assert image.std() > 5


def test_photographs_of_the_validation_videos_are_not_used() -> None:
    used = {name for _, *names in tool.pairs() for name in names}
    held_out = {n for names in PICTURES['val'].values() for n in names}
    assert len(used) == 11 and not used & held_out


def test_named_photographs_change_nothing_else() -> None:
    scenes = [
        draw_scene(np.random.default_rng(1), 'train', *names)
        for names in ((), ('rocket.jpg', 'moon.png'))
    ]
    assert (scenes[0].places == scenes[1].places).all()
    assert scenes[0].size == scenes[1].size


def test_too_few_images(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(SystemExit, match='--val 5 .* 30 classes'):
        run(monkeypatch, tmp_path, '--val', '5')
