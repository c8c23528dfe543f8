"""Unusable video files, and the errors for them."""
import os
import subprocess
from pathlib import Path
from typing import Dict, NamedTuple, Type

import imageio_ffmpeg

FRAMES = 30  # of a video of usual length


class Fault(NamedTuple):
    """The error for a bad file.

    Args:
        error (type): The exception.
        text (str): Regular expression for a part of the message.
    """
    error: Type[Exception]
    text: str


BYTES_LOST = Fault(ValueError, r'is cut off: \d+ bytes are left of the \d+')
END_LOST = Fault(ValueError, 'is (cut off|damaged)')
# Unreadable files, by name.
FAULTS: Dict[str, Fault] = {
    'missing.mp4': Fault(FileNotFoundError, 'does not exist'),
    'zero.mp4': Fault(ValueError, r'is empty \(0 bytes\)'),
    'text.mp4': Fault(ValueError, 'is not a video file'),
    'text.txt': Fault(ValueError, 'is a text file|is not a video file'),
    'audio.mp4': Fault(ValueError, 'has no video stream, it holds only audio'),
    'pipe.mp4': Fault(ValueError, 'is not a regular file'),
    'folder.mp4': Fault(ValueError, 'is not a regular file'),
    'moov_lost.mp4': Fault(ValueError, 'its header is damaged or cut off'),
    'data_lost.mp4': BYTES_LOST,
    'lost.avi': END_LOST,
    'lost.mkv': END_LOST,
    'lost.webm': END_LOST,
}


def ffmpeg(*arguments: str) -> None:
    """Run ffmpeg; a failure is an error."""
    subprocess.run([
        imageio_ffmpeg.get_ffmpeg_exe(), '-y', '-loglevel', 'error', *arguments
    ],
                   check=True)


def encode(path: Path, *options: str, frames: int = FRAMES) -> Path:
    """Encode a moving test picture of 64 x 48 pixels."""
    ffmpeg('-f', 'lavfi', '-i', 'testsrc=size=64x48:rate=10', '-frames:v',
           str(frames), *options, '-pix_fmt', 'yuv420p', str(path))
    return path


def cut(source: Path, path: Path, share: float = 0.6) -> None:
    """Write the first part of a file."""
    data = source.read_bytes()
    path.write_bytes(data[:int(len(data) * share)])


def make_bad_videos(folder: Path) -> None:
    """Write the files of ``FAULTS``, sound files, and two with late faults.

    Args:
        folder (Path): Where to write. ``whole.*`` and ``fast.mp4`` are good,
            ``short.mp4`` has 3 frames, and in ``damaged.mp4`` only the first
            frames can be decoded.
    """
    h264 = ('-c:v', 'libx264', '-g', '5')
    front = (*h264, '-movflags', '+faststart')
    encode(folder / 'whole.mp4', *h264)
    encode(folder / 'fast.mp4', *front)
    encode(folder / 'whole.avi', '-c:v', 'mpeg4')
    encode(folder / 'whole.mkv', *h264)
    encode(folder / 'whole.webm', '-c:v', 'libvpx')
    encode(folder / 'short.mp4', *h264, frames=3)
    ffmpeg('-f', 'lavfi', '-i', 'sine=duration=1', str(folder / 'audio.mp4'))
    cut(folder / 'whole.mp4', folder / 'moov_lost.mp4')
    cut(folder / 'fast.mp4', folder / 'data_lost.mp4')
    for suffix in ('avi', 'mkv', 'webm'):
        cut(folder / f'whole.{suffix}', folder / f'lost.{suffix}')
    (folder / 'zero.mp4').touch()
    for name in ('text.mp4', 'text.txt'):
        (folder / name).write_text('<html>404 not found</html>\n' * 20)
    os.mkfifo(folder / 'pipe.mp4')
    (folder / 'folder.mp4').mkdir()
    data = bytearray((folder / 'fast.mp4').read_bytes())
    data[len(data) // 2:] = b'\xff' * (len(data) - len(data) // 2)
    (folder / 'damaged.mp4').write_bytes(data)
