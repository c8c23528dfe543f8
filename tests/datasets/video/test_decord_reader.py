"""Reader with decord."""
from typing import List

import pytest
from video_kinds import VideoKinds, damage, read_number

from mmvideomamba.datasets.video import MediaError, UnsupportedVideoError

decord = pytest.importorskip('decord')
module = pytest.importorskip('mmvideomamba.datasets.video.decord_reader')
DecordReader = module.DecordReader


def read(path: str, wanted: List[int]) -> List[int]:
    """Read the numbers of frames."""
    with DecordReader(path, path) as reader:
        return [read_number(frame) for frame in reader.get_frames(wanted)]


@pytest.mark.parametrize('name, sought', [
    ('h264.mp4', True),
    ('open_gop.mp4', False),
    ('hevc.mp4', False),
    ('mpeg4_b_frames.mp4', False),
])
def test_ways(video_kinds: VideoKinds, name: str, sought: bool,
              monkeypatch: pytest.MonkeyPatch) -> None:
    """Where plain decord seeks to other frames, the start is the way."""
    path = str(video_kinds.get(name).path)
    wanted = [59, 30, 15, 30]
    plain = decord.VideoReader(path, num_threads=1).get_batch(wanted)
    assert sought == ([read_number(f) for f in plain.asnumpy()] == wanted)
    with DecordReader(path, path) as reader:
        assert reader._seeks == sought
    assert read(path, wanted) == wanted


def test_errors(video_kinds: VideoKinds, tmp_path) -> None:
    """Errors of the library name the file; damage is told from the rest."""
    path = str(video_kinds.path('live.webm'))
    with pytest.raises(UnsupportedVideoError, match='live.webm .* decord'):
        DecordReader(path, path)
    path = str(damage(video_kinds.path('h264.mp4'), tmp_path / 'a.mp4'))
    with pytest.raises(MediaError, match='a.mp4 is damaged') as caught:
        read(path, list(range(60)))
    assert not isinstance(caught.value, UnsupportedVideoError)
