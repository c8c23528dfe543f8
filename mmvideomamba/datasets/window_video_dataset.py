"""Data set of windows that are cut out of long videos."""
from typing import Any, List, Optional, Sequence

from mmvideomamba.registry import DATASETS
from .annotation_faults import parse_number
from .checked_video_dataset import CheckedVideoDataset
from .windows import find_windows, pick_windows


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
        *args: Further arguments of ``CheckedVideoDataset``.
        window (float, optional): Length of a window, in seconds. None takes
            whole videos. Defaults to 60.
        stride (float): Distance of the starts, in seconds. Defaults to 16.
        allow_short (bool): Whether a video shorter than one window is taken
            as one, as published. If not it is an error. Defaults to True.
        num_windows (int, optional): Windows of a video to take, spread evenly,
            for a quick test. Defaults to None, all.
        **kwargs: Further arguments by name, ``ann_file`` and ``pipeline``
            among them.

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
                 num_windows: Optional[int] = None,
                 **kwargs: Any) -> None:
        if stride <= 0 or window is not None and window <= 0:
            raise ValueError('window and stride must be above 0 seconds, but '
                             f'are {window} and {stride}')
        if num_windows is not None and num_windows < 1:
            raise ValueError('num_windows must be None or at least 1, but is '
                             f'{num_windows}')
        self.num_windows = num_windows
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
            for video in videos for start, end in pick_windows(
                find_windows(video['duration'], self.window, self.stride),
                self.num_windows)
        ]
