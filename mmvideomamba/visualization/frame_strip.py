"""Strip of the frames of a clip, under label and prediction."""
from typing import List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from .overlay import ALPHA, overlay
from .text import SMALLEST, WHITE, Colour, text_panel, text_size

RIGHT: Colour = (0, 200, 0)
WRONG: Colour = (255, 90, 90)
GREY: Colour = (170, 170, 170)
COLUMNS = 8  # frames side by side, at most
WIDTH = 2048  # of a strip, at most, in pixels
FRAME_SIDE = 96  # least short side of a drawn frame, in pixels
IMAGE_SIDE = 224  # of a single frame: room for lines of text
TEXT_SHARE = 1 / 100  # height of text, as a share of the strip's width
CAPTION_SHARE = 0.75  # height of captions, as a share of the text's height
GAP = 4  # between frames, in pixels


class Clip(NamedTuple):
    """Hold the input frames of a model, out of a video.

    Args:
        frames (np.ndarray): RGB, shape (t, h, w, 3), uint8.
        numbers (Sequence[int], optional): Number of each frame in the video,
            from 0. Defaults to None, not known.
        times (Sequence[float], optional): Time of each frame, in seconds.
            Defaults to None, not known.
        relevance (np.ndarray, optional): Shape (t', h', w'), see
            ``overlay``. Defaults to None.
    """
    frames: np.ndarray
    numbers: Optional[Sequence[int]] = None
    times: Optional[Sequence[float]] = None
    relevance: Optional[np.ndarray] = None


def strip_text_size(width: int) -> int:
    """Return the height of the text of a strip.

    Args:
        width (int): Of the strip, in pixels.

    Returns:
        int: Pixels, 12 at least.
    """
    return max(SMALLEST, round(TEXT_SHARE * width))


def caption(clip: Clip, place: int) -> str:
    """Write number and time of a clip's frame.

    Args:
        clip (Clip): The clip.
        place (int): Place in the clip, from 0.

    Returns:
        str: For example 'frame 12, 0.48 s'; the place in the clip if the
        number is not known; '' for an image.
    """
    if clip.numbers is None:
        if len(clip.frames) == 1 and clip.times is None:
            return ''
        text = f'{place + 1} of {len(clip.frames)}'
    else:
        text = f'frame {int(clip.numbers[place])}'
    if clip.times is not None:
        text += f', {clip.times[place]:.2f} s'
    return text


def _check(clip: Clip) -> None:
    """Raise ValueError if the parts of a clip do not fit each other."""
    frames = clip.frames
    if frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size:
        raise ValueError('frames of a strip must have the shape (t, h, w, 3), '
                         f'but have {frames.shape}')
    for name, values in (('numbers', clip.numbers), ('times', clip.times)):
        if values is not None and len(values) != len(frames):
            raise ValueError(f'{len(values)} {name} are given for '
                             f'{len(frames)} frames')


def drawn_size(shape: Tuple[int, ...]) -> Tuple[int, int]:
    """Return the size of the drawn frames of a strip.

    Args:
        shape (tuple[int]): Of the frames, (t, h, w, 3).

    Returns:
        tuple[int, int]: Width and height, in pixels, in the ratio of the
        frames.
    """
    t, height, width = shape[:3]
    least = FRAME_SIDE if t > 1 else IMAGE_SIDE
    scale = max(1., least / min(height, width))
    scale = min(scale, (WIDTH // min(t, COLUMNS) - GAP) / width)
    return max(1, round(scale * width)), max(1, round(scale * height))


def _row(frames: np.ndarray, width: int) -> np.ndarray:
    """Put frames side by side, on black up to a width."""
    t, height, side = frames.shape[:3]
    row = np.zeros((height + GAP, width, 3), np.uint8)
    for place in range(t):
        left = place * (side + GAP)
        row[:height, left:left + side] = frames[place]
    return row


def _captions(texts: List[str], side: int, width: int) -> np.ndarray:
    """Write a caption above each frame of a row."""
    size = max(SMALLEST, round(CAPTION_SHARE * strip_text_size(width)))
    panels = [text_panel([(text, WHITE)], side, size) for text in texts]
    row = np.zeros((max(len(p) for p in panels), width, 3), np.uint8)
    for place, panel in enumerate(panels):
        left = place * (side + GAP)
        row[:len(panel), left:left + side] = panel
    return row


def draw_frames(clip: Clip, alpha: float = ALPHA) -> np.ndarray:
    """Draw the frames of a clip in rows of eight, each under a caption.

    A single frame without number and time, an image, has no caption.

    Args:
        clip (Clip): The frames, with numbers and times where known. With a
            relevance, a second row below each has the overlays.
        alpha (float): Of the overlays. Defaults to 0.6.

    Returns:
        np.ndarray: RGB, shape (h, w, 3), uint8, w at most 2048 and a gap.

    Raises:
        ValueError: If the parts of the clip do not fit each other.
    """
    _check(clip)
    size = drawn_size(clip.frames.shape)
    shrinks = size[0] < clip.frames.shape[2]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    frames = np.stack(
        [cv2.resize(frame, size, interpolation=how) for frame in clip.frames])
    below = (None if clip.relevance is None else overlay(
        frames, clip.relevance, alpha))
    width = min(len(frames), COLUMNS) * (size[0] + GAP) - GAP
    rows = []
    for start in range(0, len(frames), COLUMNS):
        part = slice(start, start + COLUMNS)
        texts = [caption(clip, i) for i in range(len(frames))[part]]
        if any(texts):
            rows.append(_captions(texts, size[0], width))
        rows.append(_row(frames[part], width))
        if below is not None:
            rows.append(_row(below[part], width))
    return np.concatenate(rows)


def draw_frame_strip(clip: Clip,
                     label: Optional[str],
                     prediction: str,
                     score: Optional[float] = None,
                     correct: Optional[bool] = None) -> np.ndarray:
    """Draw the frames of a clip, under label and prediction.

    Args:
        clip (Clip): The input frames of the model.
        label (str, optional): Name of the true class; None leaves the line
            out.
        prediction (str): Name of the predicted class; '' leaves the line
            out.
        score (float, optional): Score of the predicted class. Defaults to
            None, not written.
        correct (bool, optional): Whether to write the prediction in green,
            or in red. Defaults to None, in white.

    Returns:
        np.ndarray: RGB, shape (h, w, 3), uint8.

    Raises:
        ValueError: See ``draw_frames``.
    """
    strip = draw_frames(clip)
    texts: List[Tuple[str, Colour]] = []
    if label is not None:
        texts.append((f'label {label}', WHITE))
    if prediction:
        number = '' if score is None else f' {score:.2f}'
        colour = WHITE if correct is None else RIGHT if correct else WRONG
        texts.append((f'prediction {prediction}{number}', colour))
    if not texts:
        return strip
    width = strip.shape[1]
    size = strip_text_size(width)
    if len(clip.frames) == 1:  # not a hundredth of a row of eight
        size = text_size(*drawn_size(clip.frames.shape))
    header = text_panel(texts, width, size)
    return np.concatenate([header, strip])
