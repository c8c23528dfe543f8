"""Readers give the display time of each frame, as FFmpeg does."""
import shutil

import av
import numpy as np
import pytest
from video_kinds import VideoKinds

from mmvideomamba.datasets.video import frame_table, open_video
from mmvideomamba.datasets.video.reader import VideoReader

# Even and uneven rates, edit lists, B frames, and files without a table.
NAMES = ('h264.mp4', 'uneven.mp4', 'uneven.mkv', 'edit_list_cut.mp4',
         'open_gop.ts', 'vp9_alt_ref.webm', 'mpeg4.avi')


def decoded(path: str) -> np.ndarray:
    """Return the times of all frames, by PyAV alone."""
    with av.open(path) as container:
        times = [frame.time for frame in container.decode(video=0)]
    return np.array(times) - times[0]


@pytest.mark.parametrize('name', NAMES)
def test_times(video_kinds: VideoKinds, name: str) -> None:
    path = str(video_kinds.path(name))
    expected = decoded(path)
    with open_video(path, 'pyav') as video:
        np.testing.assert_allclose(
            video.frame_times(), expected, rtol=0, atol=1e-9)
        video.table.sequential = 'told otherwise'
        video._count_frames()
        np.testing.assert_allclose(
            video.frame_times(), expected, rtol=0, atol=1e-9)
        even = VideoReader.frame_times(video)
        assert len(even) == len(expected) and even[1] == 1 / video.avg_fps


@pytest.mark.parametrize('name', ['h264.mp4', 'uneven.mp4'])
def test_a_long_file(video_kinds: VideoKinds, name: str,
                     monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of decoding are near; only the rate at a change may differ."""
    path = str(video_kinds.path(name))
    monkeypatch.setattr(frame_table, 'LONG', 10)
    with open_video(path, 'pyav') as video:
        assert video.table.order is None
        found = video.frame_times()
    expected = decoded(path)
    late = np.searchsorted(expected, found - 1e-6) - np.arange(len(found))
    assert np.abs(late).max() <= (0 if name == 'h264.mp4' else 3)


@pytest.mark.skipif(not shutil.which('ffmpeg'), reason='ffmpeg makes files')
@pytest.mark.parametrize('reader', ['opencv', 'decord', 'torchcodec'])
def test_other_readers(video_kinds: VideoKinds, reader: str) -> None:
    path = str(video_kinds.path('uneven.mp4'))
    try:
        video = open_video(path, reader)
    except ImportError as error:
        pytest.skip(str(error).splitlines()[0])
    with video:
        np.testing.assert_allclose(
            video.frame_times(), decoded(path), rtol=0, atol=1e-9)
