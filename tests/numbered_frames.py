"""Frames with a drawn number, and video files of numbered frames."""
import subprocess
from pathlib import Path
from typing import Iterator, Optional, Tuple

import imageio_ffmpeg
import numpy as np

SIZE = (128, 64)
BITS = 8
ONE_THREAD = ('-threads', '1')


def draw(index: int, size: Tuple[int, int] = SIZE) -> np.ndarray:
    """Draw a frame: a number in the middle, colours above and below.

    Args:
        index (int): Number, below 256.
        size (tuple[int]): Width and height. Defaults to ``SIZE``.

    Returns:
        np.ndarray: Shape (h, w, 3), uint8, RGB.
    """
    width, height = size
    x, y = np.meshgrid(np.linspace(40, 215, width), np.linspace(0, 1, height))
    frame = np.stack([x, 255 - x, 60 + 120 * y], -1)
    frame[height // 4:height - height // 4] = 0
    for bit in range(BITS):
        start, end = (width * b // BITS for b in (bit, bit + 1))
        frame[height // 4:height - height // 4, start:end] = 255 * (
            index >> bit & 1)
    return frame.astype(np.uint8)


def read_number(frame: np.ndarray) -> int:
    """Read the number drawn in a frame.

    A frame turned by 180 degrees or mirrored shows the bits in reverse; an
    upright frame shows the bits from top to bottom.

    Args:
        frame (np.ndarray): Shape (h, w, 3), RGB.

    Returns:
        int: The number.
    """
    grey = np.asarray(frame).astype(float).mean(2)
    if grey.shape[0] > grey.shape[1]:
        grey = grey.T
    height, width = grey.shape
    rows = grey[height * 3 // 8:height - height * 3 // 8].mean(0)
    centres = [(2 * bit + 1) * width // (2 * BITS) for bit in range(BITS)]
    return sum(int(rows[c] > 127) << bit for bit, c in enumerate(centres))


def run_ffmpeg(
        *arguments: object,
        content: Optional[bytes] = None
) -> 'subprocess.CompletedProcess[bytes]':
    """Run ffmpeg and wait for the end."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-y']
    return subprocess.run([*command, *map(str, arguments)],
                          input=content,
                          capture_output=True)


def decode(path: Path) -> Tuple[np.ndarray, str]:
    """Decode a file with ffmpeg.

    Args:
        path (Path): The file.

    Returns:
        tuple: Frames, shape (n, h, w, 3), uint8, RGB; complaints of ffmpeg.
    """
    # New times, as the muxer complains of times in disorder.
    done = run_ffmpeg(*ONE_THREAD, '-i', path, '-fps_mode', 'passthrough',
                      '-vf', 'settb=1/25,setpts=N', '-enc_time_base', '1:25',
                      '-pix_fmt', 'rgb24', '-c:v', 'ppm', '-f', 'rawvideo',
                      '-')
    frames = list(_pictures(done.stdout))
    alike = [f for f in frames if f.shape == frames[0].shape]
    empty = np.zeros((0, 0, 0, 3), np.uint8)
    return np.stack(alike) if alike else empty, done.stderr.decode()


def _pictures(data: bytes) -> Iterator[np.ndarray]:
    """Yield the pictures of a row of PPM files."""
    start = 0
    while start < len(data):
        head, size, depth = data[start:start + 64].split(b'\n', 3)[:3]
        width, height = map(int, size.split())
        first = start + len(head) + len(size) + len(depth) + 3
        start = first + width * height * 3
        yield np.frombuffer(data[first:start],
                            np.uint8).reshape(height, width, 3)


def truncate(path: Path, target: Path, share: float) -> Path:
    """Write the first part of a file.

    Args:
        path (Path): The file.
        target (Path): Where to write.
        share (float): Of the bytes, to keep.

    Returns:
        Path: ``target``.
    """
    data = path.read_bytes()
    target.write_bytes(data[:int(len(data) * share)])
    return target


def damage(path: Path,
           target: Path,
           share: float = 0.5,
           count: int = 200) -> Path:
    """Write a file with noise in the middle.

    Args:
        path (Path): The file.
        target (Path): Where to write.
        share (float): Share of the bytes before the noise. Defaults to 0.5.
        count (int): Bytes of noise. Defaults to 200.

    Returns:
        Path: ``target``.
    """
    data = bytearray(path.read_bytes())
    start = int(len(data) * share)
    noise = np.random.RandomState(0).bytes(count)
    data[start:start + count] = noise[:len(data) - start]
    target.write_bytes(data)
    return target
