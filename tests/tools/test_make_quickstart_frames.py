"""The images for the teacher of the quickstart."""
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from script import load_script

pytest.importorskip('skimage')

tool = load_script('tools/data/quickstart/make_quickstart_frames.py')


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
    arguments = ('--train', '24', '--val', '8')
    first = run(monkeypatch, tmp_path / 'a', *arguments)
    assert len(first) == len(set(first.values())) == 32
    # The same seed gives the same bytes.
    assert run(monkeypatch, tmp_path / 'b', *arguments) == first
    other = run(monkeypatch, tmp_path / 'c', *arguments, '--seed', '1')
    assert other.keys() == first.keys() and other != first
    assert {Path(n).parts[:2]
            for n in first} == {(s, p)
                                for s in tool.SPLITS
                                for p in tool.PLACES}


def test_class_is_the_place_of_the_object(tmp_path: Path, monkeypatch) -> None:
    """The object is lit, the background lies in the dark."""
    run(monkeypatch, tmp_path, '--train', '160', '--val', '8')
    for name, (down, right) in dict(
            top=(-1, 0), right=(0, 1), bottom=(1, 0), left=(0, -1)).items():
        offsets = []
        for path in (tmp_path / 'train' / name).glob('*.jpg'):
            light = cv2.imread(str(path)).mean(-1)
            light = np.maximum(light - np.quantile(light, 0.9), 0)
            y, x = np.indices(light.shape)
            height, width = light.shape
            offsets.append(((light * y).sum() / light.sum() - height / 2,
                            (light * x).sum() / light.sum() - width / 2))
        y, x = np.mean(offsets, 0)
        assert y * down + x * right > 8
        assert abs(y * right) + abs(x * down) < 6


def test_too_few_images(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(SystemExit, match='--val 5 .* 8 classes'):
        run(monkeypatch, tmp_path, '--val', '5')
