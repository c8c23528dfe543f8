"""Videos for benchmarks, encoded by PyAV: no ffmpeg program is needed."""
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Optional

import av
import cv2
import numpy as np

# Labels of the lists run from 0 to one less, as in Kinetics-400.
CLASSES = 400


class VideoKind(NamedTuple):
    """Form of the videos to make, H.264 in MP4.

    Args:
        width (int): In pixels. Defaults to 340.
        height (int): In pixels. Defaults to 256.
        frames (int): Of a video. Defaults to 300.
        rate (int): Frames per second. Defaults to 30.
        options (tuple): Names and values of libx264's options.
    """
    width: int = 340
    height: int = 256
    frames: int = 300
    rate: int = 30
    options: tuple = (('crf', '20'), ('preset', 'medium'), ('g', '250'))

    def words(self) -> str:
        """Describe the videos in a few words."""
        options = dict(self.options)
        return (f'H.264, {self.width}x{self.height} px, '
                f'{self.frames / self.rate:g} s at {self.rate} frames per '
                f'second, at most {options["g"]} frames from one key frame '
                'to the next')


# Like videos of Kinetics-400 whose short side is 256 px.
KINETICS = VideoKind()
SMALL = VideoKind(64, 48, 24, 12)


def moving_picture(kind: VideoKind, seed: int) -> Iterable[np.ndarray]:
    """Yield frames: blurred noise slides over the picture.

    Args:
        kind (VideoKind): Size and number of the frames.
        seed (int): Of the noise and the speed.

    Yields:
        np.ndarray: A frame, (height, width, 3), uint8, RGB.
    """
    rng = np.random.default_rng(seed)
    height, width = kind.height, kind.width
    noise = rng.integers(0, 256, (height * 2, width * 2, 3)).astype('u1')
    picture = cv2.GaussianBlur(noise, (0, 0), 2)
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
    shift = rng.integers(1, 4, 2)
    for t in range(kind.frames):
        y, x = t * shift % (height, width)
        yield np.ascontiguousarray(picture[y:y + height, x:x + width])


def encode(path: Path, kind: VideoKind, frames: Iterable[np.ndarray]) -> None:
    """Encode frames to a file, on one thread.

    Args:
        path (Path): The file; an existing file is kept.
        kind (VideoKind): Size, rate and options.
        frames (Iterable[np.ndarray]): (height, width, 3), uint8, RGB.
    """
    if path.exists():
        return
    # A stopped run must not leave half a file under the name.
    part = path.with_name(f'part{os.getpid()}_{path.name}')
    with av.open(str(part), 'w') as container:
        stream: Any = container.add_stream('libx264', rate=kind.rate)
        stream.width, stream.height = kind.width, kind.height
        stream.pix_fmt = 'yuv420p'
        stream.thread_count = 1
        stream.options = dict(kind.options)
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format='rgb24')
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    part.replace(path)


def make_video(number: int, folder: Path, kind: VideoKind) -> None:
    """Encode the video of a number, unless the file is there."""
    path = folder / f'{number}.mp4'
    if not path.exists():
        encode(path, kind, moving_picture(kind, number))


def make_videos(folder: Path,
                count: int,
                kind: VideoKind = KINETICS,
                workers: int = 1) -> List[str]:
    """Encode videos, each with another content and speed.

    Args:
        folder (Path): Where to write; existing videos are kept.
        count (int): How many.
        kind (VideoKind): Form of the videos. Defaults to ``KINETICS``.
        workers (int): Processes. Defaults to 1, the present process.

    Returns:
        list[str]: Names of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    make = partial(make_video, folder=folder, kind=kind)
    if workers == 1:
        for number in range(count):
            make(number)
    else:
        # Forked processes would inherit the threads of the libraries.
        with ProcessPoolExecutor(workers, get_context('spawn')) as pool:
            list(pool.map(make, range(count)))
    return [f'{number}.mp4' for number in range(count)]


def write_list(path: Path,
               names: List[str],
               separator: str = ',',
               length: Optional[int] = None) -> None:
    """Write an annotation file.

    Args:
        path (Path): The file.
        names (list[str]): Of the videos.
        separator (str): Between name and label. Defaults to ','.
        length (int, optional): Lines; the names begin anew after the last.
            Defaults to None, for a line of each name.
    """
    lines = (f'{names[i % len(names)]}{separator}{i % CLASSES}\n'
             for i in range(length or len(names)))
    path.write_text(''.join(lines))


def sizes(folder: Path) -> Dict[str, float]:
    """Return number and mean MB of the videos in a folder."""
    files = list(folder.glob('**/*.mp4'))
    total = sum(file.stat().st_size for file in files)
    return dict(videos=len(files), mb=total / max(len(files), 1) / 1e6)
