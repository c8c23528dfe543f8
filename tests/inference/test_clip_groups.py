"""Clips decoded in groups equal clips decoded together."""
from pathlib import Path
from typing import Any, Callable, List

import cv2
import numpy as np
import pytest
import torch

from mmvideomamba.datasets.video import VideoReader, open_video
from mmvideomamba.inference import clip_groups
from mmvideomamba.inference.pipeline import VideoPipeline

CLIP = 4 * 48 * 64 * 3  # bytes
STEPS = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='UniformSample', clip_len=4, num_clips=5, test_mode=True),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='Resize', scale=(-1, 32)),
    dict(type='ThreeCrop', crop_size=32),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]


@pytest.fixture
def kinds(make_video: Callable[..., Path], tmp_path: Path) -> List[Any]:
    """Return a video as a file and as a folder of frames."""
    path = str(make_video(frames=40))
    with open_video(path) as reader:
        frames = reader.get_frames(range(40))
    folder = tmp_path / 'frames'
    folder.mkdir()
    for number, frame in enumerate(frames):
        cv2.imwrite(str(folder / f'{number}.png'), frame[..., ::-1])
    return [path, str(folder), frames]


def views_of(item: Any) -> torch.Tensor:
    """Return the views in an order of their own."""
    views = VideoPipeline(STEPS)(item)['inputs']
    assert views.shape == (15, 3, 4, 32, 32)
    rows = sorted(views.flatten(1).tolist())
    assert len(set(map(tuple, rows))) == 15
    return torch.tensor(rows)


@pytest.mark.parametrize('kind, clips, sizes', [
    (0, 2, [8, 8, 4]),
    (0, 0.5, [4] * 5),
    (1, 3, [12, 8]),
    (2, 1, [20]),
    (0, 5, [20]),
])
def test_same_views(kinds: List[Any], kind: int, clips: float,
                    sizes: List[int], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = views_of(kinds[kind])
    monkeypatch.setattr(clip_groups, 'GROUP_BYTES', int(clips * CLIP))
    seen: List[int] = []
    read = clip_groups.read_clips

    def note(sample: dict, rest: Callable[[dict], dict]) -> dict:

        def counted(part: dict) -> dict:
            seen.append(len(part['frame_inds']))
            return rest(part)

        return read(sample, counted)

    monkeypatch.setattr('mmvideomamba.inference.pipeline.read_clips', note)
    assert torch.equal(views_of(kinds[kind]), expected)
    assert seen == sizes


@VideoReader.register
class Reader:
    """An open video with a flag for closing."""

    time_limit, path, closed = None, 'a.mp4', False
    size = (48, 64)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize('fails', [False, True])
def test_video_is_closed_at_the_end(fails: bool,
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_groups, 'GROUP_BYTES', CLIP)
    reader = Reader()
    sample = dict(
        video_reader=reader, num_clips=2, clip_len=4, frame_inds=np.arange(8))

    def rest(part: dict) -> dict:
        part['video_reader'].close()
        assert not reader.closed and part['video_reader'].path == 'a.mp4'
        if fails:
            raise ValueError('damaged')
        return dict(inputs=torch.zeros(1, 2))

    if fails:
        with pytest.raises(ValueError, match='damaged'):
            clip_groups.read_clips(sample, rest)
    else:
        assert len(clip_groups.read_clips(sample, rest)['inputs']) == 2
    assert reader.closed


def test_unknown_size(tmp_path: Path) -> None:
    folder = dict(
        frame_dir=str(tmp_path),
        filename_tmpl='{}.png',
        start_index=1,
        modality='RGB')
    # Like PyAV's container, opened by the host's step: ``size`` is in bytes.
    container = type('Container', (), dict(size=9))()
    for sample in (folder, dict(folder, modality='Flow'), dict(array=0),
                   dict(video_reader=container)):
        assert clip_groups.frame_size(sample) is None
