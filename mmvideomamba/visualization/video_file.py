"""Writing of drawn frames to a video file, by PyAV."""
from fractions import Fraction
from pathlib import Path
from typing import Any, Iterable, Union

import av
import numpy as np

CODEC = 'libx264'


def write_video(frames: Iterable[np.ndarray], path: Union[str, Path],
                fps: float) -> int:
    """Write frames as H.264 in an .mp4 file; missing folders are made.

    Args:
        frames (Iterable[np.ndarray]): RGB, each of shape (h, w, 3), uint8,
            all of the same size. Odd sides lose the last row or column, as
            the codec has half the resolution in colour.
        path (str | Path): The file to write.
        fps (float): Frames per second.

    Returns:
        int: Number of frames written.

    Raises:
        ValueError: If there is no frame, or ``fps`` is not positive.
    """
    if not fps > 0:
        raise ValueError(f'{path}: fps must be positive, but is {fps}')
    count = 0
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), 'w') as file:
        # Denominators up to 1001 hold the rates of NTSC, such as 30000 / 1001.
        # A tiny rate would become 0.
        rate = Fraction(fps).limit_denominator(1001)
        stream: Any = file.add_stream(CODEC, rate=max(rate, Fraction(1, 1001)))
        for frame in frames:
            # yuv420p takes even sides alone.
            height, width = (side // 2 * 2 for side in frame.shape[:2])
            if not count:
                stream.width, stream.height = width, height
                stream.pix_fmt = 'yuv420p'
            even = np.ascontiguousarray(frame[:height, :width])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(even, 'rgb24')))
            count += 1
        if not count:
            raise ValueError(f'{path}: there is no frame to write')
        file.mux(stream.encode())
    return count
