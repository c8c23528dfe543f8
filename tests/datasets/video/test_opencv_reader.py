"""Reader with OpenCV."""
import os
from pathlib import Path

import cv2
import pytest
from video_kinds import VideoKinds, read_number

from mmvideomamba.datasets.video import MediaError
from mmvideomamba.datasets.video.opencv_reader import OpenCVReader


@pytest.mark.parametrize('name, sought', [('h264.mp4', True),
                                          ('h264.ts', False),
                                          ('uneven.mp4', False)])
def test_ways(video_kinds: VideoKinds, name: str, sought: bool) -> None:
    """Where OpenCV seeks to other frames, the start is the way."""
    video = video_kinds.get(name)
    reader = OpenCVReader(str(video.path), str(video.path))
    for index, number in enumerate(video.numbers):
        assert read_number(reader.get_frames([index])[0]) == number
    assert reader._seeks == sought
    reader.close()


def test_content_leaves_no_file(video_kinds: VideoKinds, tmp_path: Path,
                                monkeypatch: pytest.MonkeyPatch) -> None:
    """The content lies in a file as long as the reader is open."""
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    content = video_kinds.get('h264.mp4').path.read_bytes()
    reader = OpenCVReader(content, 'from a shard')
    assert len(os.listdir(tmp_path)) == 1
    assert read_number(reader.get_frames([42])[0]) == 42
    reader.close()
    reader.close()
    assert not os.listdir(tmp_path)


def test_colours_are_rgb(video_kinds: VideoKinds) -> None:
    """The order of the channels is turned round."""
    path = str(video_kinds.get('h264.mp4').path)
    _, picture = cv2.VideoCapture(path, cv2.CAP_FFMPEG).read()
    with OpenCVReader(path, path) as reader:
        assert (reader.get_frames([0])[0] == picture[..., ::-1]).all()


def test_pipe_in_place_of_the_file(video_kinds: VideoKinds,
                                   tmp_path: Path) -> None:
    """A pipe in place of an open file is refused, not waited for."""
    path = tmp_path / 'pipe.mp4'
    path.write_bytes(video_kinds.get('h264.mp4').path.read_bytes())
    with OpenCVReader(str(path), str(path)) as reader:
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(MediaError, match='is not a regular file'):
            reader.get_frames([7])
