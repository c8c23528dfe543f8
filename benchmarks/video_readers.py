"""Time opening and decoding of original videos, by reader.

    python benchmarks/video_readers.py --out results.md

Each file is opened and evenly spread frames are decoded: once with each
installed reader, and once with plain decord, the way before there were
readers. All take turns in one process with one thread of the decoder. Counted
is processor time, as other load on the machine does not show there; a ratio
below 1 is faster than plain decord. Readers other than PyAV read PyAV's table
of a file first.

    git archive COMMIT mmvideomamba | tar x -C before
    python benchmarks/video_readers.py --before before

compares with PyAV's reader of another commit, which takes turns in a process
of its own; the last column is the former time divided by the time now.
"""
import argparse
import functools
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional

import cv2
import imageio_ffmpeg
import numpy as np
from cpu_models import cpu_name
from wrapped_page import wrapped

from mmvideomamba.datasets.video import MediaError
from mmvideomamba.datasets.video.choice import (READERS, open_video,
                                                reader_class, reader_version)

OLD, BEFORE = 'plain decord', 'pyav before'
NOISE = (1280, 960)  # of the picture that slides through the frames


class Case(NamedTuple):
    """A kind of original file.

    Args:
        size (tuple[int]): Width and height.
        frames (int): How many.
        rate (int): Frames per second.
        options (str): Of ffmpeg, for the encoder.
    """
    size: tuple
    frames: int
    rate: int
    options: str


Read = Callable[[Path, int], float]
H264 = '-c:v libx264 -preset medium -crf 23 -pix_fmt yuv420p '
CASES: Dict[str, Case] = {
    'kinetics_340x256.mp4':
    Case((340, 256), 300, 30, H264),
    # No picture can be left out.
    'p_frames_340x256.mp4':
    Case((340, 256), 300, 30, H264 + '-bf 0'),
    # Prepared for fast reading.
    'copy_340x256.mp4':
    Case((340, 256), 300, 30, H264 + '-g 12 -bf 0 -x264-params scenecut=0'),
    'fast_copy_340x256.mp4':
    Case((340, 256), 300, 30, H264 + '-g 12 -bf 0 -tune fastdecode '
         '-x264-params scenecut=0'),
    'fast_b_copy_340x256.mp4':
    Case((340, 256), 300, 30, H264 + '-g 12 -bf 3 -tune fastdecode '
         '-x264-params scenecut=0:b-adapt=0:b-pyramid=none'),
    'breakfast_320x240.avi':
    Case((320, 240), 300, 15, '-c:v mpeg4 -q:v 5 -g 12 -bf 0'),
    'b_frames_320x240.avi':
    Case((320, 240), 300, 15, '-c:v mpeg4 -q:v 5 -g 12 -bf 2'),
    'something_427x240.webm':
    Case((426, 240), 48, 12, '-c:v libvpx-vp9 -crf 32 -b:v 0 -cpu-used 8 '
         '-deadline realtime'),
    'camera_1280x720.mp4':
    Case((1280, 720), 300, 30, H264 + '-g 250'),
}
LONG = 'two_hours_320x240.mp4'
LONG_FRAMES = 72000


def encode(path: Path, inputs: List[str], options: str, send: bytes) -> None:
    """Encode a file unless it is there."""
    if path.exists():
        return
    command = [imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-y', *inputs]
    part = path.with_name('part_' + path.name)
    subprocess.run(
        [*command, *options.split(), str(part)], input=send, check=True)
    part.replace(path)


def make_video(folder: Path, name: str) -> Path:
    """Encode a case: blurred noise slides over the picture.

    Args:
        folder (Path): Where to write; a file that is there is kept.
        name (str): Key of ``CASES``.

    Returns:
        Path: The file.
    """
    case, path = CASES[name], folder / name
    width, height = case.size
    noise = np.random.default_rng(0).integers(0, 256, (*NOISE[::-1], 3))
    picture = cv2.GaussianBlur(noise.astype('u1'), (0, 0), 2)
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
    picture = np.tile(picture, (2, 2, 1))
    frames = []
    for t in range(case.frames if not path.exists() else 0):
        y, x = t % NOISE[1], 2 * t % NOISE[0]
        frames.append(picture[y:y + height, x:x + width].tobytes())
    raw = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-r', str(case.rate)]
    encode(path, [*raw, '-s', f'{width}x{height}', '-i', '-'], case.options,
           b''.join(frames))
    return path


def make_long_video(folder: Path) -> Path:
    """Encode a video of two hours, with a key frame every 250 frames."""
    path, rate = folder / LONG, LONG_FRAMES // 7200
    source = f'testsrc2=size=320x240:rate={rate}'
    encode(
        path, ['-f', 'lavfi', '-i', source],
        f'-frames:v {LONG_FRAMES} -c:v libx264 -preset ultrafast -bf 2 '
        '-g 250 -keyint_min 250 -sc_threshold 0 -pix_fmt yuv420p', b'')
    return path


def spread(count: int, wanted: int) -> np.ndarray:
    """Return numbers of frames spread evenly over a video."""
    return np.linspace(0, count - 1, wanted).astype(int)


def read_with(reader: str, path: Path, wanted: int) -> None:
    """Open a file with a reader and decode frames."""
    with open_video(str(path), reader) as video:
        video.get_frames(spread(len(video), wanted).tolist())


def read_plain(path: Path, wanted: int) -> None:
    """Open a file with plain decord and decode frames."""
    import decord
    video = decord.VideoReader(str(path), num_threads=1)
    video.get_batch(spread(len(video), wanted)).asnumpy()


def timed(read: Callable[[Path, int], None], path: Path, wanted: int) -> float:
    """Read a file; milliseconds of processor time."""
    start = time.process_time()
    read(path, wanted)
    return 1e3 * (time.process_time() - start)


def serve() -> None:
    """Answer lines of a frame count and a path by times of PyAV's reader."""
    for line in sys.stdin:
        wanted, path = line.rstrip('\n').split(' ', 1)
        read = functools.partial(read_with, 'pyav')
        print(timed(read, Path(path), int(wanted)), flush=True)


def start_before(tree: Path) -> Read:
    """Start a process with the package of another folder.

    Args:
        tree (Path): Holds ``mmvideomamba``.

    Returns:
        Callable: Way to read.
    """
    process = subprocess.Popen([sys.executable, __file__, '--serve'],
                               env={
                                   **os.environ, 'PYTHONPATH':
                                   str(tree.absolute())
                               },
                               stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE,
                               text=True)

    def read(path: Path, wanted: int) -> float:
        assert process.stdin and process.stdout
        process.stdin.write(f'{wanted} {path.absolute()}\n')
        process.stdin.flush()
        return float(process.stdout.readline())

    return read


def ways(before: Optional[Path]) -> Dict[str, Read]:
    """Return the ways to read that are installed."""
    found: Dict[str, Read] = {}
    for name in READERS:
        try:
            reader_class(name)
        except ImportError as error:
            print(f'{name}: {error}')
            continue
        found[name] = functools.partial(timed,
                                        functools.partial(read_with, name))
    if 'decord' in found:
        found[OLD] = functools.partial(timed, read_plain)
    if before is not None:
        found[BEFORE] = start_before(before)
    return found


def measure(readers: Dict[str, Read], path: Path, wanted: int,
            rounds: int) -> Dict[str, List[float]]:
    """Read a file in turns; milliseconds of processor time."""
    found: Dict[str, List[float]] = defaultdict(list)
    for turn in range(rounds + 1):
        for name, read in readers.items():
            try:
                spent = read(path, wanted)
            except MediaError:
                continue
            if turn or not rounds:  # the first is a warm-up
                found[name].append(spent)
    return found


def row(name: str, wanted: int, times: Dict[str, List[float]],
        columns: List[str]) -> str:
    """Write a line of the table."""
    cells = [name, str(wanted)]
    old = statistics.median(times.get(OLD) or [float('nan')])
    for column in columns:
        if not times.get(column):
            cells.append('refused')
            continue
        middle = statistics.median(times[column])
        ratio = '' if column == OLD else f' ({middle / old:.2f})'
        cells.append(f'{middle:.1f}{ratio}')
    if BEFORE in columns:
        now, then = (statistics.median(times[n]) for n in ('pyav', BEFORE))
        cells.append(f'{then / now:.2f}')
    return f'| {" | ".join(cells)} |'


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--folder', type=Path, help='keeps the videos')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--long', action='store_true', help='2 hours, too')
    parser.add_argument('--before', type=Path, help='folder of a package')
    parser.add_argument('--out', type=Path, help='Markdown file to write')
    parser.add_argument(
        '--serve', action='store_true', help='as --before starts the other')
    args = parser.parse_args()
    if args.serve:
        return serve()
    readers = ways(args.before)
    columns = list(readers)
    versions = ', '.join(
        reader_version(name) for name in columns if name in READERS)
    titles = columns + ['gain'] * (BEFORE in columns)
    lines = [
        '# Readers of videos', '', f'    python {shlex.join(sys.argv)}', '',
        f'Processor: {cpu_name()}; Python {platform.python_version()}; '
        f'{versions}. Milliseconds of processor time to open a file and '
        'decode frames, median; in brackets the ratio to plain decord.', '',
        f'| file | frames | {" | ".join(titles)} |',
        f'|---|---{"|---" * len(titles)}|'
    ]
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in CASES:
            path = make_video(folder, name)
            for wanted in (8, 32):
                times = measure(readers, path, wanted, args.rounds)
                lines.append(row(name, wanted, times, columns))
                print(lines[-1], flush=True)
        if args.long:
            times = measure(readers, make_long_video(folder), 64,
                            min(2, args.rounds))
            lines.append(row(LONG, 64, times, columns))
    text = wrapped('\n'.join(lines) + '\n')
    print(text)
    if args.out:
        args.out.write_text(text)


if __name__ == '__main__':
    main()
