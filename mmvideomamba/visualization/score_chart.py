"""Chart of the best classes of a video, under some frames of the video."""
from pathlib import Path
from typing import Any, List, Tuple

import numpy as np
from matplotlib.figure import Figure

from mmvideomamba.datasets.video import VideoReader

STRIP_FRAMES = 8

Scores = List[Tuple[str, float]]


def save_score_chart(reader: VideoReader, scores: Scores, title: str,
                     path: Path) -> None:
    """Write a picture: a strip of frames above bars of the scores.

    Args:
        reader (VideoReader): The video.
        scores (list[tuple[str, float]]): Names and scores, best first.
        title (str): Title of the picture.
        path (Path): The .png file to write.
    """
    indices = np.linspace(0, len(reader) - 1, STRIP_FRAMES).round().astype(int)
    frames = reader.get_frames(indices.tolist())
    figure = Figure(
        figsize=(12, 2.6 + 0.35 * len(scores)), layout='constrained')
    figure.suptitle(title)
    strip: Any
    chart: Any
    strip, chart = figure.subfigures(  # type: ignore[misc]
        2,
        height_ratios=(1.6, 0.6 + 0.35 * len(scores)))
    for axes, frame, index in zip(
            strip.subplots(1, STRIP_FRAMES), frames, indices):
        axes.imshow(frame)
        axes.set_title(f'frame {index}', fontsize=8)
        axes.axis('off')
    names, values = zip(*scores)
    axes = chart.subplots()
    bars = axes.barh(names, values, color=['C0'] + ['0.7'] * len(names[1:]))
    axes.bar_label(bars, fmt='%.3f', padding=3)
    axes.set(xlim=(0, 1.1), xlabel='score')
    axes.invert_yaxis()
    axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, dpi=110)
