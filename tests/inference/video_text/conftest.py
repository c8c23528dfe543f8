"""Models of videos and texts, made once for each file of tests."""
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from prediction_files import trained_file  # noqa: F401
from text_model_files import KINDS, TextFile, text_model_file

pytest.importorskip('tokenizers', reason='texts need tokenizers')


@pytest.fixture(scope='session')
def text_models(tmp_path_factory: Any) -> Dict[str, TextFile]:
    """Return a checkpoint of each kind."""
    folder = tmp_path_factory.mktemp('text_models')
    return {kind: text_model_file(kind, folder / kind) for kind in KINDS}


@pytest.fixture
def three_videos(tmp_path: Path, make_video: Callable) -> Path:
    """Return a folder of videos of 9, 15 and 40 frames, 10 a second."""
    folder = tmp_path / 'videos'
    folder.mkdir()
    for name, frames, size in (('a', 9, (64, 48)), ('b', 15, (48, 64)),
                               ('c', 40, (80, 48))):
        make_video(f'videos/{name}.mp4', frames=frames, size=size)
    return folder
