"""Data set of windows that are cut out of long videos."""
from typing import Any, List, Optional, Sequence, Tuple

from mmvideomamba.registry import DATASETS
from .checked_video_dataset import CheckedVideoDataset, parse_number


def find_windows(duration: float, window: float,
                 stride: float) -> List[Tuple[float, float]]:
    """Cut a video into windows.

    A window begins each ``stride`` seconds. One that would run over the end
    is cut there if at least half of it is left, else it is dropped. A video
    shorter than a window is one.

    Args:
        duration (float): Length of the video, in seconds.
        window (float): Length of a window, in seconds.
        stride (float): Distance of their starts, in seconds.

    Returns:
        list[tuple[float, float]]: Start and end of each, in seconds.
    """
    if duration < window:
        return [(0., duration)]
    found = []
    for i in range(int(duration // stride) + 1):
        start = i * stride
        # The last second that is not whole starts no further window.
        late = i > 0 and start >= int(duration)
        if late or duration - start < window / 2:
            break
        found.append((start, min(start + window, duration)))
    return found


@DATASETS.register_module()
class WindowVideoDataset(CheckedVideoDataset):
    """Long videos, each sample one window of one of them.

    The trimmed windows of the published LVU runs. A line is
    ``PATH LABEL DURATION``, or ``PATH VALUE DURATION`` with ``regression``,
    the duration in seconds; where whole videos are taken, a line may be
    without it. ``mmvideomamba.UniformWindowSample`` draws frames of the
    window; ``mmvideomamba.WindowAccMetric`` and ``mmvideomamba.MSEMetric``
    merge the windows of a video by ``video_id``.

    Samples have further keys ``video_id`` (str, the path) and, if it is in
    the list, ``duration`` (float, seconds), and with a window ``clip_start``,
    ``clip_end`` (float, seconds) and ``timestamp`` (the start, which is
    packed with the sample).

    Args:
        window (float, optional): Length of a window, in seconds. None takes
            whole videos. Defaults to 60.
        stride (float): Distance of the starts, in seconds. Defaults to 16.
        allow_short (bool): Whether a video shorter than one window is taken
            as one, as published. If not it is an error. Defaults to True.
        **kwargs: Further arguments of ``CheckedVideoDataset``, ``ann_file``
            and ``pipeline`` among them.

    Raises:
        FileNotFoundError: See ``CheckedVideoDataset``.
        ValueError: If a duration is not positive, or too short without
            ``allow_short``, and as in ``CheckedVideoDataset``.

    Source: VideoMamba, arXiv:2403.06977, Section 4.3, for LVU,
    arXiv:2106.11310.
    """

    extra_columns = ('DURATION', )

    def __init__(self,
                 *args: Any,
                 window: Optional[float] = 60.,
                 stride: float = 16.,
                 allow_short: bool = True,
                 **kwargs: Any) -> None:
        if stride <= 0 or window is not None and window <= 0:
            raise ValueError('window and stride must be above 0 seconds, but '
                             f'are {window} and {stride}')
        self.window = window
        self.stride = stride
        self.allow_short = allow_short
        self.needs_extra = window is not None
        super().__init__(*args, **kwargs)

    def _add_extra(self, sample: dict, extra: Sequence[str]) -> None:
        sample['video_id'] = sample['filename']
        if not extra:
            return
        duration = parse_number(extra[0], 'duration')
        if duration <= 0:
            raise ValueError(f'duration {extra[0]} is not above 0 seconds')
        if not (self.allow_short or self.window is None
                or duration >= self.window):
            raise ValueError(
                f'the video of {duration:g} s is shorter than one window of '
                f'{self.window:g} s; leave it out, or set allow_short=True '
                'to take it as one window')
        sample['duration'] = duration

    def load_data_list(self) -> List[dict]:
        """Read and check the annotation file, and cut the videos.

        Returns:
            list[dict]: Samples, see the class.

        Raises:
            FileNotFoundError: See the class.
            ValueError: See the class.
        """
        videos = super().load_data_list()
        if self.window is None:
            return videos
        return [
            dict(video, clip_start=start, clip_end=end, timestamp=start)
            for video in videos for start, end in find_windows(
                video['duration'], self.window, self.stride)
        ]
