"""Open small videos many times, and watch the process.

    python benchmarks/video_opens.py --count 10000 --reader pyav

Good, cut, damaged and missing files take turns; 8 frames of each good file are
decoded. Memory and open handles of the process have to stay flat (Linux only).
"""
import argparse
import gc
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Dict, List

import imageio_ffmpeg
from cpu_models import cpu_name

from mmvideomamba.datasets.video import (READERS, MediaError, open_video,
                                         reader_version)

FRAMES = 40
WANTED = [0, 39, 5, 20, 21, 33, 12, 5]
# Options of ffmpeg by file; the readers seek in some, count in others.
FILES: Dict[str, str] = {
    'h264.mp4': '-c:v libx264 -preset veryfast -g 12 -bf 2 -pix_fmt yuv420p',
    'mpeg4.avi': '-c:v mpeg4 -g 12 -bf 2',
    'vp9.webm': '-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 12',
    'mpeg2.ts': '-c:v mpeg2video -g 12 -bf 2',
}


def make_files(folder: Path) -> List[str]:
    """Write the good files, and bad ones made of them.

    Args:
        folder (Path): Where to write.

    Returns:
        list[str]: Paths, of a missing file too.
    """
    paths = [folder / 'missing.mp4']
    for name, options in FILES.items():
        path = folder / name
        command = [imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-y']
        source = ['-f', 'lavfi', '-i', 'testsrc2=size=64x64:rate=25']
        limit = ['-frames:v', str(FRAMES)]
        subprocess.run([*command, *source, *options.split(), *limit, path],
                       check=True)
        data = path.read_bytes()
        cut, damaged = folder / f'cut_{name}', folder / f'damaged_{name}'
        cut.write_bytes(data[:len(data) // 2])
        middle = len(data) // 2
        damaged.write_bytes(data[:middle] + b'\x55' * 300 +
                            data[middle + 300:])
        paths += [path, path, cut, damaged]
    return [str(path) for path in paths]


def state(opens: int, good: int) -> str:
    """Write a line of the table: memory and handles of this process."""
    gc.collect()
    with open('/proc/self/statm') as file:
        pages = int(file.read().split()[1])
    memory = pages * os.sysconf('SC_PAGESIZE') / 2**20
    handles = len(os.listdir('/proc/self/fd'))
    return f'| {opens} | {good} | {memory:.1f} | {handles} |'


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--count', type=int, default=10000)
    parser.add_argument('--every', type=int, default=1000, help='a line')
    parser.add_argument('--reader', choices=list(READERS), default='pyav')
    args = parser.parse_args()
    print('# Many opened videos\n')
    print(f'Processor: {cpu_name()}; {reader_version(args.reader)}.\n')
    print('| opens | of them good | RSS, MiB | handles |\n|---|---|---|---|')
    good = 0
    with tempfile.TemporaryDirectory() as folder:
        paths = make_files(Path(folder))
        for turn in range(args.count):
            if turn % args.every == 0:
                print(state(turn, good), flush=True)
            try:
                with open_video(paths[turn % len(paths)], args.reader) as file:
                    file.get_frames(WANTED)
                good += 1
            except (MediaError, IndexError):  # a cut .ts file has fewer frames
                continue
    print(state(args.count, good))


if __name__ == '__main__':
    main()
