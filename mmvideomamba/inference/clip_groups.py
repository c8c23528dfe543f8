"""Clips of a video, decoded in groups of a bounded size."""
import os
from typing import Any, Callable, Iterator, Optional, Tuple

from PIL import Image

from mmvideomamba.datasets.video import VideoReader
from mmvideomamba.datasets.video.time_limit import run_limited

# Decoded frames of a group; clips of fewer bytes are decoded together, which
# takes a single pass through the file.
GROUP_BYTES = 2**29


class OpenReader:
    """An open video, kept open after a step with a final ``close``.

    Args:
        reader (VideoReader): The open video.
    """

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def close(self) -> None:
        """Leave the video open."""


def frame_size(sample: dict) -> Optional[Tuple[int, int]]:
    """Look up the size of the frames of a sample.

    Args:
        sample (dict): With an open video of ours, or a folder of frames.

    Returns:
        tuple[int, int], optional: Height and width in pixels; None where
        unknown, or for an array, which is in memory already.

    Raises:
        MediaError: If the first frame of a video cannot be decoded.
    """
    reader = sample.get('video_reader')
    if reader is not None:
        if not isinstance(reader, VideoReader):
            return None  # opened by a step of the host
        # The size may need a decoded frame, and a decoder can hang.
        return run_limited(lambda: reader.size, reader.time_limit, reader.path)
    if 'frame_dir' not in sample or sample['modality'] != 'RGB':
        return None
    name = sample['filename_tmpl'].format(sample['start_index'])
    try:
        with Image.open(os.path.join(sample['frame_dir'], name)) as image:
            return image.size[::-1]
    except OSError:
        return None  # refused by name where the frames are decoded


def clips_at_once(sample: dict, most_bytes: Optional[int] = None) -> int:
    """Return how many clips of a sample are decoded together.

    Args:
        sample (dict): Behind the sampler of frames.
        most_bytes (int, optional): Of the decoded frames. Defaults to None,
            ``GROUP_BYTES``.

    Returns:
        int: At least 1, at most the number of clips.
    """
    clips = int(sample['num_clips'])
    size = frame_size(sample) if clips > 1 else None
    if size is None:
        return clips
    clip_bytes = sample['clip_len'] * 3 * size[0] * size[1]
    return min(clips, max(1, (most_bytes or GROUP_BYTES) // clip_bytes))


def packed_groups(sample: dict, rest: Callable[[dict], dict],
                  group: int) -> Iterator[Tuple[int, dict]]:
    """Decode and pack the clips of a sample, some at a time.

    Args:
        sample (dict): Behind the sampler of frames.
        rest (Callable): The remaining steps.
        group (int): Clips at a time.

    Yields:
        tuple[int, dict]: Number of clips, and the packed sample of these.
    """
    clips = int(sample['num_clips'])
    # (clips * t, ) to (clips, t).
    inds = sample['frame_inds'].reshape(clips, -1)
    reader = sample.get('video_reader')
    try:
        for start in range(0, clips, group):
            chosen = inds[start:start + group]
            part = dict(
                sample,
                frame_inds=chosen.reshape(-1).copy(),
                num_clips=len(chosen))
            if reader is not None:
                part['video_reader'] = OpenReader(reader)
            yield len(chosen), rest(part)
    finally:
        if reader is not None:
            reader.close()


def read_clips(sample: dict, rest: Callable[[dict], dict]) -> dict:
    """Decode and pack the clips of a sample within bounded memory.

    Args:
        sample (dict): Behind the sampler of frames.
        rest (Callable): The remaining steps.

    Returns:
        dict: ``inputs`` (Tensor), the views of all clips, group after group,
        and ``data_samples``.
    """
    clips, group = int(sample['num_clips']), clips_at_once(sample)
    if group == clips:
        return rest(sample)
    views: Any = None
    end = 0
    for number, packed in packed_groups(sample, rest, group):
        found = packed['inputs']
        if views is None:
            count = len(found) // number * clips
            # Room for all at once: joining the groups at the end would take
            # twice the memory.
            views = found.new_empty((count, *found.shape[1:]))
        views[end:end + len(found)] = found
        end += len(found)
    packed['inputs'] = views
    return packed
