"""Clips of windows: frames of the test, each decoded once."""
from pathlib import Path
from typing import Any, Callable, List

import numpy as np
import pytest
import torch
from video_kinds import VideoKinds

from mmvideomamba.datasets.video import VideoReader, open_video
from mmvideomamba.inference.pipeline import VideoPipeline
from mmvideomamba.inference.video_text import clips as clips_file
from mmvideomamba.inference.video_text.clips import ClipReader
from mmvideomamba.inference.video_text.windows import cut_video

STEPS = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='mmvideomamba.IntervalSample', clip_len=4),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='Resize', scale=(16, 16), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', algorithm_keys=('text', ))
]


def read(item: Any, *cut: Any, group: int = 3, steps: list = STEPS) -> tuple:
    """Return the head and all clips of a video."""
    reader = ClipReader(VideoPipeline(steps), group)
    head, *groups = reader.read(item, lambda d: cut_video(d, *cut))
    assert all(len(part) <= group for part in groups)
    return head, [clip for part in groups for clip in part]


@pytest.mark.parametrize('sampler', [
    dict(type='mmvideomamba.IntervalSample', clip_len=4),
    dict(type='mmvideomamba.SegmentSample', clip_len=4, test_mode=True),
    dict(type='UniformSample', clip_len=4, num_clips=1, test_mode=True),
    dict(
        type='SampleFrames',
        clip_len=4,
        frame_interval=2,
        num_clips=1,
        test_mode=True),
])
@pytest.mark.parametrize('most', [1, 2**27])
def test_clips_of_the_test(sampler: dict, most: int, make_video: Callable,
                           monkeypatch: pytest.MonkeyPatch) -> None:
    """A window is read like a whole video of the same frames in the test."""
    monkeypatch.setattr(clips_file, 'MOST_BYTES', most)
    steps = [STEPS[0], sampler, *STEPS[2:]]
    path = str(make_video(frames=37))
    pipeline = VideoPipeline(steps)
    head, (whole, ) = read(path, steps=steps)
    assert torch.equal(whole, pipeline(path)['inputs'])
    assert (head.duration, head.fps) == (pytest.approx(3.7), 10)
    head, found = read(path, 1., .5, steps=steps)
    frames = open_video(path).get_frames(range(37))
    starts = [0, 5, 10, 15, 20, 25, 27]
    np.testing.assert_allclose(head.spans[:, 0] * 10, starts, atol=1e-9)
    for clip, start in zip(found, starts):
        cut = pipeline(dict(array=frames[start:start + 10], fps=10))
        assert torch.equal(clip, cut['inputs'])
    assert len(found) == 7


def test_each_frame_once(make_video: Callable,
                         monkeypatch: pytest.MonkeyPatch) -> None:
    """Overlapping windows share frames, and few are decoded at a time."""
    asked: List[list] = []
    get_frames = VideoReader.get_frames

    def noted(self: Any, indices: Any) -> np.ndarray:
        asked.append(np.asarray(indices).tolist())
        return get_frames(self, indices)

    path = str(make_video(frames=60))
    monkeypatch.setattr(VideoReader, 'get_frames', noted)
    monkeypatch.setattr(clips_file, 'MOST_BYTES', 5 * 3 * 64 * 48)
    _, found = read(path, 2., .5)
    assert len(found) == 9
    sizes = [size for size in asked if size != [0]]  # [0] asks for the size
    assert max(map(len, sizes)) <= 5
    numbers = [i for part in sizes for i in part]
    assert len(numbers) == len(set(numbers)) and numbers == sorted(numbers)


def test_uneven_times(video_kinds: VideoKinds) -> None:
    """Windows go by the times of the frames, not by an average rate."""
    path = str(video_kinds.path('uneven.mp4'))
    with open_video(path) as video:
        times, frames = video.frame_times(), video.get_frames(
            range(len(video)))
    assert np.diff(times).max() > 5 * np.median(np.diff(times))
    head, found = read(path, 1.)
    assert head.duration == pytest.approx(times[-1] + 1 / head.fps)
    pipeline = VideoPipeline(STEPS)
    for clip, (start, end) in zip(found, head.spans):
        shown = [
            i for i, time in enumerate(times) if time < end -
            1e-6 and (i + 1 == len(times) or times[i + 1] > start + 1e-6)
        ]
        assert torch.equal(
            clip,
            pipeline(dict(array=frames[shown], fps=10))['inputs'])


def test_arrays_and_images(tmp_path: Path) -> None:
    frames = np.random.randint(0, 255, (9, 20, 30, 3), np.uint8)
    head, (clip, ) = read(frames)
    assert head.spans.tolist() == [[0, 0]
                                   ] and (head.duration, head.fps) == (0, 0)
    assert torch.equal(clip, VideoPipeline(STEPS)(frames)['inputs'])
    head, found = read(dict(array=frames, fps=3), 1.)
    assert head.spans.tolist() == [[0, 1], [1, 2], [2, 3]] and len(found) == 3


def test_several_views() -> None:
    steps = [
        STEPS[0],
        dict(type='UniformSample', clip_len=4, num_clips=2, test_mode=True),
        *STEPS[2:]
    ]
    with pytest.raises(ValueError, match='makes 2 clips with 1 crops'):
        ClipReader(VideoPipeline(steps), 3)
