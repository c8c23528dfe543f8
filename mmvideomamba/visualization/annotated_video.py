"""Videos with the best classes, and the frames of the model, marked."""
import math
from pathlib import Path
from typing import Collection, Iterator, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from mmvideomamba.datasets.video import VideoReader
from .frame_strip import GREY, Clip, caption
from .overlay import ALPHA, overlay
from .score_bars import Scores, repeated_bars
from .text import WHITE, Colour, text_panel, text_size
from .video_file import write_video

MAX_FRAMES = 300  # longer videos are thinned out
BLOCK = 32  # frames decoded at a time
LEAST_SIDE = 288  # short side of the frames, in pixels
MOST_SIDE = 1080  # the same, at most
SHOWN = 3  # classes
CLIP_FPS = 4.  # speed of a video of the frames of a clip
SEEN: Colour = (255, 200, 0)  # marks an input frame of the model
LINE = (80, 80, 80)
LEGEND = 'yellow: frames that the model saw'


def drawn_size(height: int, width: int) -> Tuple[int, int]:
    """Return the size of a drawn frame, large enough to read text.

    Args:
        height (int): Of the frame, in pixels.
        width (int): Of the frame, in pixels.

    Returns:
        tuple[int, int]: Height and width, even, the shorter side 288 to 1080
        pixels.
    """
    short = min(height, width)
    scale = min(max(short, LEAST_SIDE), MOST_SIDE) / short
    # H.264 in yuv420p takes even sides alone.
    return 2 * round(scale * height / 2), 2 * round(scale * width / 2)


def annotate_frame(frame: np.ndarray,
                   scores: Scores,
                   note: str = '',
                   seen: bool = False) -> np.ndarray:
    """Write the best classes under a frame.

    Args:
        frame (np.ndarray): RGB, shape (h, w, 3), uint8.
        scores (list[tuple[str, float]]): Names and scores, best first.
        note (str): First line, number and time of the frame for instance. Up
            to 30 characters fit a single line in any frame. Defaults to '',
            none.
        seen (bool): Whether to mark the frame as an input frame of the model,
            by a border and the colour of the note. Defaults to False.

    Returns:
        np.ndarray: A frame of even sides, RGB, uint8, with a panel below;
        equal sizes for equal scores and numbers of lines.
    """
    height, width = drawn_size(*frame.shape[:2])
    how = cv2.INTER_AREA if height < len(frame) else cv2.INTER_CUBIC
    frame = cv2.resize(frame, (width, height), interpolation=how)
    size = text_size(height, width)
    parts = [frame]
    if seen:
        edge = max(2, size // 4)
        for side in (np.s_[:edge], np.s_[-edge:], np.s_[:, :edge],
                     np.s_[:, -edge:]):
            frame[side] = SEEN
    if note:
        parts.append(text_panel([(note, SEEN if seen else GREY)], width, size))
    parts.append(repeated_bars(tuple(scores), width, size))
    picture = np.concatenate(parts)
    return np.pad(picture, ((0, len(picture) % 2), (0, 0), (0, 0)))


def _timeline(length: int, seen: Collection[int], here: int, width: int,
              size: int) -> np.ndarray:
    """Draw a line of the whole video, the frames seen, and the place."""
    thick, tick = size // 2, max(2, size // 8)
    line = np.zeros((2 * thick, width, 3), np.uint8)
    line[thick // 2:thick + thick // 2] = LINE
    marks = [(number, SEEN) for number in sorted(seen)] + [(here, WHITE)]
    for number, colour in marks:
        left = round(number * (width - tick) / max(1, length - 1))
        line[:, left:left + tick] = colour
    legend = text_panel([(LEGEND, SEEN)], width, size)
    picture = np.concatenate([line, legend])
    return np.pad(picture, ((0, len(picture) % 2), (0, 0), (0, 0)))


def chosen_frames(length: int, step: int,
                  seen: Collection[int] = ()) -> List[int]:
    """Choose the frames of a thinned-out video.

    Args:
        length (int): Number of frames of the video.
        step (int): A frame out of each ``step`` frames is taken.
        seen (Collection[int]): Input frames of the model, taken before
            others. Defaults to none.

    Returns:
        list[int]: Numbers of frames, rising; of each ``step`` frames the first
        input frame of the model, or else the first frame.
    """
    wanted = sorted(seen)
    found = []
    for start in range(0, length, step):
        stop = min(length, start + step)
        inside = [number for number in wanted if start <= number < stop]
        found.append(inside[0] if inside else start)
    return found


def read_frames(reader: VideoReader,
                numbers: Sequence[int]) -> Iterator[np.ndarray]:
    """Read frames of a video, some at a time.

    Args:
        reader (VideoReader): The video.
        numbers (Sequence[int]): Of the frames.

    Yields:
        np.ndarray: RGB, shape (h, w, 3), uint8.
    """
    for start in range(0, len(numbers), BLOCK):
        yield from reader.get_frames(numbers[start:start + BLOCK])


def save_annotated_video(
        reader: VideoReader,
        scores: Scores,
        path: Path,
        clips: Optional[Sequence[Sequence[int]]] = None) -> None:
    """Write the annotated video, H.264, at the speed of the original.

    Args:
        reader (VideoReader): The video.
        scores (list[tuple[str, float]]): Names and scores, best first; three
            are drawn.
        path (Path): The .mp4 file to write.
        clips (Sequence[Sequence[int]], optional): Numbers of the frames of
            each clip of the model, marked on a line of time and, while
            shown, by a border. Defaults to None, not known.
    """
    length = len(reader)
    seen = {int(number) for clip in clips or () for number in clip}
    step = math.ceil(length / MAX_FRAMES)
    numbers = chosen_frames(length, step, seen)

    def drawn() -> Iterator[np.ndarray]:
        for number, frame in zip(numbers, read_frames(reader, numbers)):
            note = f'frame {number}, {number / reader.avg_fps:.2f} s'
            picture = annotate_frame(frame, scores[:SHOWN], note, number
                                     in seen)
            if not seen:
                yield picture
                continue
            size = text_size(*drawn_size(*frame.shape[:2]))
            line = _timeline(length, seen, number, picture.shape[1], size)
            yield np.concatenate([picture, line])

    write_video(drawn(), path, reader.avg_fps / step)


def save_clip_video(clip: Clip,
                    scores: Scores,
                    path: Path,
                    fps: float = CLIP_FPS,
                    alpha: float = ALPHA) -> None:
    """Write the input frames of a model as a slow video, with relevance.

    Args:
        clip (Clip): The frames; a relevance is laid over them, next to the
            plain frames.
        scores (list[tuple[str, float]]): Names and scores, best first; three
            are drawn.
        path (Path): The .mp4 file to write.
        fps (float): Frames per second. Defaults to 4.
        alpha (float): Of the overlay. Defaults to 0.6.

    Raises:
        ValueError: If the relevance does not fit the frames.
    """
    frames = clip.frames
    if clip.relevance is not None:
        over = overlay(frames, clip.relevance, alpha)
        # Wide frames stand above each other, others side by side.
        wide = frames.shape[2] > frames.shape[1] * 4 / 3
        frames = np.concatenate([frames, over], axis=1 if wide else 2)
    notes = [caption(clip, place) for place in range(len(frames))]
    write_video((annotate_frame(frame, scores[:SHOWN], note)
                 for frame, note in zip(frames, notes)), path, fps)
