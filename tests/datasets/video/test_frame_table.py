"""The index of a long .mp4 file is used as a table only where right."""
from pathlib import Path

import pytest
from numbered_frames import run_ffmpeg
from video_kinds import VideoKinds, read_number

from mmvideomamba.datasets.video import frame_table
from mmvideomamba.datasets.video.pyav_reader import PyAVReader


@pytest.fixture(autouse=True)
def all_files_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every file as a long file."""
    monkeypatch.setattr(frame_table, 'LONG', 0)


@pytest.mark.parametrize('name', ['h264.mp4', 'open_gop.mp4', 'pyramid.mp4'])
def test_index_is_the_table(video_kinds: VideoKinds, name: str) -> None:
    """Parts of the table, read as needed, give the right frames."""
    path = str(video_kinds.get(name).path)
    with PyAVReader(path, path) as video:
        assert video.table.order is None
        found = video.get_frames([59, 17, 2, 16, 15])
        assert [read_number(f) for f in found] == [59, 17, 2, 16, 15]
        assert not video.table.sequential


def test_index_of_some_fragments(video_kinds: VideoKinds) -> None:
    """An index of the first fragments alone is not taken."""
    path = str(video_kinds.get('dash.mp4').path)
    with PyAVReader(path, path) as video:
        assert len(video) == 60
        assert [read_number(f) for f in video.get_frames([59, 3])] == [59, 3]


@pytest.mark.parametrize('name', ['hevc.mp4', 'h264.mp4'])
def test_index_without_key_frames(video_kinds: VideoKinds, tmp_path: Path,
                                  name: str) -> None:
    """An index marking all packets as key packets is not used."""
    data = video_kinds.get(name).path.read_bytes()
    path = tmp_path / name
    path.write_bytes(data.replace(b'stss', b'free'))
    with PyAVReader(str(path), name) as video:
        wanted = [54, 24, 48, 56, 26, 2]
        found = [read_number(f) for f in video.get_frames(wanted)]
    assert found == wanted


@pytest.mark.parametrize('name', ['palette.avi', 'palette.mov'])
def test_palette(tmp_path: Path, name: str) -> None:
    """Frames have colours, though the file brings the palette once."""
    path = str(tmp_path / name)
    done = run_ffmpeg('-f', 'lavfi', '-i', 'color=red:s=32x32', '-frames:v', 4,
                      '-c:v', 'rawvideo', '-pix_fmt', 'pal8', path)
    assert done.returncode == 0, done.stderr
    with PyAVReader(path, path) as video:
        assert (video.get_frames([3, 1]).mean((0, 1, 2))
                > 200).tolist() == [True, False, False]
