"""Opening and decoding of video files."""
import os
from typing import Any, Optional, Union

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.fileio import FileClient

from mmvideomamba.registry import TRANSFORMS
from ..video import (MediaError, MissingMediaError, VideoReader, check_reader,
                     open_video)
from ..video.time_limit import run_limited

LOCAL_BACKENDS = ('disk', 'local')
MODES = ('accurate', 'efficient')


def video_path(filename: str) -> str:
    """Complete the name of a video as the host does.

    Args:
        filename (str): Path of a video.

    Returns:
        str: The path; '.mp4' is appended to a path without an extension that
        is not an existing file.
    """
    # The host appends .mp4 to each name without an ending, and finds no file
    # without an ending.
    whole = os.path.splitext(filename)[1] or os.path.isfile(filename)
    return filename if whole else filename + '.mp4'


@TRANSFORMS.register_module()
class OpenVideo(BaseTransform):
    """Open a video, or raise an error with the file's fault.

    Stands where the host has ``DecordInit``, for ``DecodeFrames``. The other
    inputs of the host's inferencer, arrays and folders of frames, pass
    unchanged.

    Required Keys:

    - filename (str): '.mp4' is appended to a name without extension
    - content (bytes, optional): Of the file, from a shard; is removed

    Added Keys:

    - video_reader (VideoReader)
    - total_frames (int)
    - avg_fps (float): Frames per second

    Args:
        min_frames (int, optional): Least number of frames of a video, for
            example the length of the clip. None allows any number; the
            samplers then repeat frames. Defaults to None.
        io_backend (str): Where the files are, see mmengine's ``FileClient``.
            Defaults to 'disk'.
        num_threads (int): Threads of the decoder per video. Defaults to 1.
        reader (str): 'auto', 'pyav', 'torchcodec', 'decord' or 'opencv', see
            ``open_video``. Defaults to 'auto'.
        time_limit (float, optional): Seconds after which opening or decoding
            a video counts as hung; None for no limit. Defaults to 300.
        **kwargs: Further arguments of the ``FileClient``.

    Raises:
        ValueError: If an argument is out of range or ``reader`` is unknown.
        ImportError: If ``reader`` is not installed.
    """

    def __init__(self,
                 min_frames: Optional[int] = None,
                 io_backend: str = 'disk',
                 num_threads: int = 1,
                 reader: str = 'auto',
                 time_limit: Optional[float] = 300.,
                 **kwargs: Any) -> None:
        for name, number in (('min_frames', min_frames), ('num_threads',
                                                          num_threads)):
            if number is not None and number < 1:
                allowed = 'None or ' if name == 'min_frames' else ''
                raise ValueError(f'{name} must be {allowed}at least 1, but is '
                                 f'{number}')
        if time_limit is not None and not time_limit > 0:
            raise ValueError('time_limit must be None or above 0 seconds, but '
                             f'is {time_limit}')
        self.min_frames = min_frames
        self.io_backend = io_backend
        self.num_threads = num_threads
        self.reader = check_reader(reader)
        self.time_limit = time_limit
        self.kwargs = kwargs
        self.file_client: Any = None

    def transform(self, results: dict) -> dict:
        """Open the video of a sample.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with the added keys.

        Raises:
            MissingMediaError: If the file does not exist.
            MediaError: If the video cannot be read, see ``open_video``, or is
                shorter than ``min_frames``.
        """
        if 'array' in results or 'frame_dir' in results:
            return results
        content = results.pop('content', None)
        # A name within a shard has an extension: no '.mp4' is appended.
        path = video_path(results['filename'])
        video = run_limited(lambda: self._open(path, content), self.time_limit,
                            path)
        self._add(results, video)
        return results

    def _add(self, results: dict, video: VideoReader) -> None:
        """Add an open video to a sample."""
        found, least = len(video), self.min_frames
        if least is not None and found < least:
            raise MediaError(
                video.path, f'has {found} frames, fewer than min_frames='
                f'{least}', 'Leave it out of the list, sample shorter clips, '
                'or set min_frames=None, which lets the sampler repeat frames')
        results['total_frames'] = found
        results['video_reader'] = video
        results['avg_fps'] = video.avg_fps
        video.time_limit = self.time_limit

    def _open(self, path: str, content: Optional[bytes]) -> VideoReader:
        """Open a file, through the storage of the io_backend."""
        source: Union[str, bytes] = path if content is None else content
        if content is None and self.io_backend not in LOCAL_BACKENDS:
            if self.file_client is None:
                self.file_client = FileClient(self.io_backend, **self.kwargs)
            try:
                # A storage may give a memoryview, refused by the readers.
                source = bytes(self.file_client.get(path))
            except FileNotFoundError as error:
                raise MissingMediaError(path) from error
        return open_video(source, self.reader, self.num_threads, path)

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(min_frames={self.min_frames}, '
                f'io_backend={self.io_backend}, '
                f'num_threads={self.num_threads}, reader={self.reader}, '
                f'time_limit={self.time_limit})')


@TRANSFORMS.register_module()
class DecodeFrames(BaseTransform):
    """Decode the sampled frames of a video that ``OpenVideo`` opened.

    Stands where the host has ``DecordDecode``. Each distinct frame is decoded
    once.

    Required Keys:

    - video_reader (VideoReader)
    - frame_inds (np.ndarray): Shape (clips * t, ), integers

    Added Keys:

    - imgs (list[np.ndarray]): Frames, RGB, each (h, w, 3), uint8, clip after
      clip
    - original_shape (tuple[int]): (h, w)
    - img_shape (tuple[int]): (h, w)

    Modified Keys:

    - video_reader: None, the file is closed
    - gt_bboxes, proposals (np.ndarray, optional): In pixels, as the host does

    Args:
        mode (str): 'accurate', or 'efficient' for the nearest key frames.
            Defaults to 'accurate'.

    Raises:
        ValueError: If ``mode`` is unknown.
    """

    def __init__(self, mode: str = 'accurate') -> None:
        if mode not in MODES:
            raise ValueError(f'mode of DecodeFrames must be one of '
                             f'{list(MODES)}, but is {mode!r}')
        self.mode = mode

    def transform(self, results: dict) -> dict:
        """Decode the frames of a sample.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with the added keys.

        Raises:
            MediaError: If a frame cannot be decoded.
            IndexError: If there is no frame of a number.
        """
        video = results['video_reader']
        read = (
            video.get_frames
            if self.mode == 'accurate' else video.get_key_frames)
        wanted = results['frame_inds'] = results['frame_inds'].reshape(-1)
        try:
            frames = run_limited(lambda: read(wanted), video.time_limit,
                                 video.path)
        finally:
            results['video_reader'] = None
        # Not within finally: after a time-out, the hanging thread still uses
        # the file.
        video.close()
        results['imgs'] = list(frames)
        results['original_shape'] = results['img_shape'] = frames.shape[1:3]
        self._scale_boxes(results)
        return results

    @staticmethod
    def _scale_boxes(results: dict) -> None:
        """Turn boxes given as shares of the picture into pixels."""
        height, width = results['img_shape']
        for key in ('gt_bboxes', 'proposals'):
            if results.get(key) is not None:
                boxes = results[key] * np.array([width, height] * 2)
                results[key] = boxes.astype(np.float32)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(mode={self.mode!r})'


def open_whole_video(path: str, reader: str = 'auto') -> VideoReader:
    """Open a video, and decode the first and the last frame.

    Args:
        path (str): The video; '.mp4' is appended to a name without extension.
        reader (str): See ``open_video``. Defaults to 'auto'.

    Returns:
        VideoReader: The open video.

    Raises:
        MissingMediaError: If the file does not exist.
        MediaError: If the video cannot be read; the message says why.
    """
    video = open_video(video_path(path), reader)
    video.get_frames([0, len(video) - 1])
    return video
