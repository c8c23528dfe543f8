"""The files of the matrix are of the kinds promised by their names."""
import av
import pytest
from video_kinds import VideoKinds


def packets(path: str) -> list:
    """Return the packets of the first video stream."""
    with av.open(str(path)) as container:
        return [p for p in container.demux(video=0) if p.size]


@pytest.mark.parametrize('name', ['open_gop.mp4', 'open_gop.ts', 'hevc.mp4'])
def test_open_gop(video_kinds: VideoKinds, name: str) -> None:
    """Frames after a key frame in the file are shown before the key frame."""
    found = packets(video_kinds.get(name).path)
    keys = [i for i, p in enumerate(found) if p.is_keyframe]
    assert len(keys) > 2
    for i in keys[1:]:
        assert found[i + 1].pts < found[i].pts


def test_edit_list_cuts_within_a_group(video_kinds: VideoKinds) -> None:
    """The file holds packets before the first displayed frame."""
    video = video_kinds.get('edit_list_cut.mp4')
    found = packets(video.path)
    assert sum(p.is_discard
               for p in found) == len(found) - len(video.numbers) > 0


def test_times(video_kinds: VideoKinds) -> None:
    """Durations vary, a clock starts again, B frames have false times."""
    uneven = sorted(p.pts for p in packets(video_kinds.get('uneven.mp4').path))
    steps = [b - a for a, b in zip(uneven, uneven[1:])]
    assert max(steps) > 50 * min(steps)
    with av.open(
            str(video_kinds.path('clock_wrap.ts')),
            options={'correct_ts_overflow': '0'}) as container:
        wrapped = [p.pts for p in container.demux(video=0) if p.size]
    assert max(wrapped) - min(wrapped) > 1 << 32
    # The times of AVI know nothing of B frames.
    avi = [p.pts for p in packets(video_kinds.path('h264.avi'))]
    assert avi == sorted(avi)


def test_interlaced(video_kinds: VideoKinds) -> None:
    """The frames are coded as two fields."""
    with av.open(str(video_kinds.path('mbaff.ts'))) as container:
        assert next(container.decode(video=0)).interlaced_frame
