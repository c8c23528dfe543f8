"""mmaction2's writer of videos names the fitting moviepy."""
from pathlib import Path

import numpy as np
import pytest
from absent import make_absent
from mmaction.visualization.video_backend import LocalVisBackend

from mmvideomamba.compat import moviepy
from mmvideomamba.extras import MissingExtraError, install_command


@pytest.mark.parametrize('version, cause', [
    ('1.0.3', ''),
    ('2.1', 'moviepy 2.1 has none'),
    ('', 'there is no moviepy'),
])
def test_cause(version: str, cause: str,
               monkeypatch: pytest.MonkeyPatch) -> None:
    """A moviepy of the first series needs no cure."""
    versions = dict(mmaction2='1.2.0', moviepy=version)
    for name in ('moviepy', 'workaround'):
        monkeypatch.setattr(f'mmvideomamba.compat.{name}.installed_version',
                            versions.__getitem__)
    found = moviepy.WORKAROUND.cause()
    assert found.endswith(cause) and bool(found) == bool(cause)
    versions['mmaction2'] = ''
    assert moviepy.WORKAROUND.cause() == ''


def test_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error holds the command; pictures need no moviepy."""
    # A machine with moviepy has the host's own function.
    monkeypatch.setattr(LocalVisBackend, 'add_video',
                        LocalVisBackend.add_video)
    moviepy._cure(
        __import__(
            'mmaction.visualization.video_backend', fromlist=['a module']))
    make_absent(monkeypatch, 'moviepy')
    backend = LocalVisBackend(str(tmp_path))
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    backend.add_video('a', frames)
    assert len(list(tmp_path.rglob('*.png'))) == 2
    with pytest.raises(MissingExtraError, match='type gif needs moviepy') as e:
        backend.add_video('a', frames, out_type='gif')
    assert str(e.value).endswith(install_command('demo'))
