"""Video with the best classes written under each frame."""
import math
from pathlib import Path
from typing import Iterator, List, Tuple

import cv2
import imageio_ffmpeg
import numpy as np

from mmvideomamba.datasets.video import VideoReader
from .text import write_line

MAX_FRAMES = 300  # longer videos are thinned out
BLOCK = 32  # frames decoded at a time
VIDEO_HEIGHT = 288  # least height of the frames, in pixels

Scores = List[Tuple[str, float]]


def annotate_frame(frame: np.ndarray, scores: Scores) -> np.ndarray:
    """Write the best classes under a frame.

    Args:
        frame (np.ndarray): RGB, shape (h, w, 3), uint8.
        scores (list[tuple[str, float]]): Names and scores, best first.

    Returns:
        np.ndarray: A larger frame of even sides, RGB, uint8.
    """
    scale = max(1., VIDEO_HEIGHT / frame.shape[0])
    height, width = (2 * round(side * scale / 2) for side in frame.shape[:2])
    panel = np.zeros((2 * (4 + 11 * len(scores)), width, 3), np.uint8)
    for row, (name, score) in enumerate(scores):
        y = 4 + 22 * row
        panel[y + 16:y + 19, :max(1, round(score * width))] = (64, 160, 255)
        write_line(panel, f'{score:.2f} {name}', (4, y + 12))
    frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.concatenate([frame, panel])


def _read_frames(reader: VideoReader, step: int) -> Iterator[np.ndarray]:
    """Read every n-th frame of a video.

    Args:
        reader (VideoReader): The video.
        step (int): Distance of the frames.

    Yields:
        np.ndarray: RGB, shape (h, w, 3), uint8.
    """
    indices = range(0, len(reader), step)
    for start in range(0, len(indices), BLOCK):
        yield from reader.get_frames(indices[start:start + BLOCK])


def save_annotated_video(reader: VideoReader, scores: Scores,
                         path: Path) -> None:
    """Write the annotated video, H.264, at the speed of the original.

    Args:
        reader (VideoReader): The video.
        scores (list[tuple[str, float]]): Names and scores, best first.
        path (Path): The .mp4 file to write.
    """
    step = math.ceil(len(reader) / MAX_FRAMES)
    frames = (
        annotate_frame(f, scores[:3]) for f in _read_frames(reader, step))
    first = next(frames)
    writer = imageio_ffmpeg.write_frames(
        str(path), (first.shape[1], first.shape[0]),
        fps=reader.avg_fps / step,
        macro_block_size=2)
    writer.send(None)
    writer.send(np.ascontiguousarray(first))
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()
