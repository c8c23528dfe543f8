"""All frames are decoded once, with signs of life."""
from pathlib import Path
from typing import Dict, List

import numpy as np
import pytest
from bad_videos import encode
from numbered_frames import damage

from mmvideomamba.datasets.video import MediaError, open_video, whole_decode
from mmvideomamba.datasets.video.whole_decode import decode_all


@pytest.mark.parametrize('reader', ['pyav', 'opencv'])
def test_damage_in_the_middle(tmp_path: Path, reader: str) -> None:
    good = encode(tmp_path / 'a.mp4', '-c:v', 'libx264', '-g', '5')
    damage(good, tmp_path / 'b.mp4', count=100)
    with open_video(str(good), reader) as video:
        decode_all(video, lambda: None)
    with open_video(str(tmp_path / 'b.mp4'), reader) as video:
        with pytest.raises(MediaError, match='b.mp4'):
            decode_all(video, lambda: None)


def test_no_frame_is_sought(tmp_path: Path,
                            monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with one key frame would be decoded again for each block."""
    path = encode(tmp_path / 'a.mp4', '-c:v', 'libx264', '-g', '999')
    monkeypatch.setattr(whole_decode, 'STEP', 10)
    steps: List[int] = []

    def refuse(self: object, indices: object) -> Dict[int, np.ndarray]:
        raise AssertionError('sought')

    with open_video(str(path), 'pyav') as video:
        monkeypatch.setattr(type(video), '_read', refuse)
        decode_all(video, lambda: steps.append(1))
    assert len(steps) == 3
