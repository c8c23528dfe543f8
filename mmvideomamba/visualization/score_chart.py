"""Chart of the best classes of a video, under the frames of the scores."""
from pathlib import Path
from typing import List, Optional, Sequence

import numpy as np

from mmvideomamba.datasets.video import VideoReader
from .frame_strip import GREY, Clip, draw_frames, strip_text_size
from .log_picture import save_picture
from .score_bars import Scores, draw_score_bars
from .text import WHITE, text_panel

MAX_FRAMES = 32  # of several clips; the middle ones are drawn
EVEN = 8  # frames shown if the model's frames are not known
LEAST_WIDTH = 800  # of the picture, in pixels


def choose_clips(clips: Sequence[Sequence[int]]) -> List[Sequence[int]]:
    """Choose as many clips of a video as fit a picture.

    Args:
        clips (Sequence[Sequence[int]]): Numbers of the frames of each clip.

    Returns:
        list[Sequence[int]]: The middle clips, together 32 frames at most,
        but at least a single clip.
    """
    count = min(len(clips), max(1, MAX_FRAMES // max(map(len, clips))))
    first = (len(clips) - count) // 2
    return list(clips[first:first + count])


def save_score_chart(reader: VideoReader,
                     scores: Scores,
                     title: str,
                     path: Path,
                     clips: Optional[Sequence[Sequence[int]]] = None) -> None:
    """Write a picture: a strip of frames above bars of the scores.

    Args:
        reader (VideoReader): The video.
        scores (list[tuple[str, float]]): Names and scores, best first.
        title (str): Title of the picture.
        path (Path): The .png file to write.
        clips (Sequence[Sequence[int]], optional): Numbers of the frames of
            each clip of the model. Defaults to None, not known: eight
            evenly spaced frames are drawn, and the picture says so.
    """
    if clips is None:
        even = np.linspace(0, len(reader) - 1, EVEN).round().astype(int)
        drawn: List[Sequence[int]] = [even.tolist()]
        note = f'{EVEN} even frames, not those of the scores'
    else:
        drawn = choose_clips(clips)
        note = 'frames seen by the model'
        if len(clips) > 1:
            note += f': {len(drawn)} of {len(clips)} clips'
    strips = []
    for numbers in drawn:
        times = [number / reader.avg_fps for number in numbers]
        strips.append(
            draw_frames(Clip(reader.get_frames(numbers), numbers, times)))
    width = max(LEAST_WIDTH, max(strip.shape[1] for strip in strips))
    size = strip_text_size(width)
    head = text_panel([(title, WHITE), (note, GREY)], width, size)
    parts = [
        np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)))
        for part in (head, *strips, draw_score_bars(scores, width, size))
    ]
    save_picture(np.concatenate(parts), path)
