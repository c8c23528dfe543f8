"""Reader with decord."""
from typing import List

import pytest
from video_kinds import VideoKinds, damage, draw, read_number, run_ffmpeg

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
    ('mpeg4.avi', True),
])
def test_ways(video_kinds: VideoKinds, name: str, sought: bool,
              monkeypatch: pytest.MonkeyPatch) -> None:
    """Where plain decord seeks to other frames, the start is the way."""
    path = str(video_kinds.get(name).path)
    wanted = [59, 30, 15, 30]
    plain = decord.VideoReader(path, num_threads=1).get_batch(wanted)
    assert sought == ([read_number(f) for f in plain.asnumpy()] == wanted)
    reader = DecordReader(path, path)
    assert [read_number(f) for f in reader.get_frames(wanted)] == wanted
    assert reader._seeks == sought
    reader.close()


@pytest.mark.parametrize('open_gop', [False, True])
def test_long_file(tmp_path, open_gop: bool) -> None:
    """Of a long file, the groups of pictures in question are looked at."""
    path = str(tmp_path / 'long.mp4')
    frames = b''.join(draw(i % 256, (64, 32)).tobytes() for i in range(2100))
    options = f'open-gop={int(open_gop)}:b-adapt=0:scenecut=0'
    done = run_ffmpeg(
        *'-f rawvideo -pix_fmt rgb24 -s 64x32 -r 25 -i - '
        '-c:v libx264 -preset ultrafast -crf 16 -bf 3 -g 50 '
        '-pix_fmt yuv420p -x264-params'.split(),
        options,
        path,
        content=frames)
    assert not done.returncode
    wanted = [2099, 1997, 1999, 1500, 1498, 3]
    reader = DecordReader(path, path)
    found = [read_number(frame) for frame in reader.get_frames(wanted)]
    assert reader.truth.table.order is None
    assert found == [i % 256 for i in wanted]
    assert reader._seeks != open_gop
    reader.close()


def test_errors(video_kinds: VideoKinds, tmp_path) -> None:
    """Errors of the library name the file; damage has an error of its own."""
    path = str(video_kinds.path('live.webm'))
    with pytest.raises(UnsupportedVideoError, match='live.webm .* decord'):
        DecordReader(path, path)
    path = str(damage(video_kinds.path('h264.mp4'), tmp_path / 'a.mp4'))
    with pytest.raises(MediaError, match='a.mp4 is damaged') as caught:
        read(path, list(range(60)))
    assert not isinstance(caught.value, UnsupportedVideoError)


def test_narrow_video(tmp_path) -> None:
    """The library takes the padding of rows for colours."""
    path = str(tmp_path / 'narrow.mkv')
    done = run_ffmpeg(
        *'-f rawvideo -pix_fmt rgb24 -s 16x32 -r 25 -i - -c:v ffv1'.split(),
        path,
        content=bytes(3 * 16 * 32 * 4))
    assert not done.returncode
    with pytest.raises(
            UnsupportedVideoError, match='narrow.mkv.*finds 6 colours'):
        DecordReader(path, path).get_frames([0])
