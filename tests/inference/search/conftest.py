"""Videos and an index of a stand-in for the model."""
from pathlib import Path
from typing import Any

import pytest
from fake_video_text import FakePredictor

from mmvideomamba.inference.search import VideoIndex


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Make three videos: a to the right and up, b up, more/c to the left."""
    folder = tmp_path / 'videos'
    (folder / 'more').mkdir(parents=True)
    (folder / 'a.mp4').write_text('1 0\n1 .1\n0.1 1\n')
    (folder / 'b.mp4').write_text('0 1\n')
    (folder / 'more' / 'c.mp4').write_text('-1 0\n-1 .5')
    return folder


@pytest.fixture
def model() -> FakePredictor:
    """Return the model."""
    return FakePredictor()


@pytest.fixture
def index(tmp_path: Path, videos: Path, model: Any) -> VideoIndex:
    """Return a filled index with tokens."""
    found = VideoIndex.create(tmp_path / 'index', model, tokens=True)
    found.add(videos, model)
    return found
