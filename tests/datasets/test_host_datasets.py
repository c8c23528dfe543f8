"""The host's own data sets work with our transforms."""
from pathlib import Path
from typing import Callable, List

import cv2
import numpy as np
import pytest
from mmaction.datasets import RawframeDataset, VideoDataset

from mmvideomamba.datasets import CheckedRawframeDataset, CheckedVideoDataset
from mmvideomamba.datasets.video.choice import open_video

SAMPLERS: List[dict] = [
    dict(
        type='mmaction.UniformSample', clip_len=4, num_clips=2,
        test_mode=True),
    dict(
        type='mmaction.SampleFrames', clip_len=2, num_clips=2, test_mode=True),
    dict(
        type='mmvideomamba.SegmentSample',
        clip_len=4,
        num_clips=2,
        test_mode=True),
    dict(type='mmvideomamba.IntervalSample', clip_len=4),
]


@pytest.fixture
def folder(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    """Return a folder with a video, its frames as images, and two lists."""
    path = make_video(frames=9)
    with open_video(str(path)) as reader:
        frames = reader.get_frames(range(9))
    (tmp_path / 'clip').mkdir()
    for number, frame in enumerate(frames, 1):
        cv2.imwrite(
            str(tmp_path / f'clip/img_{number:05}.png'), frame[..., ::-1])
    (tmp_path / 'videos.txt').write_text('clip.mp4 1\n')
    (tmp_path / 'folders.txt').write_text('clip 9 1\n')
    return tmp_path


@pytest.mark.parametrize('sampler', SAMPLERS)
def test_all_data_sets_give_the_same_frames(folder: Path,
                                            sampler: dict) -> None:
    videos = [
        dict(type='mmvideomamba.OpenVideo'), sampler,
        dict(type='mmvideomamba.DecodeFrames')
    ]
    samples = [
        cls(str(folder / 'videos.txt'),
            videos,
            data_prefix=dict(video=str(folder)),
            test_mode=True)[0] for cls in (VideoDataset, CheckedVideoDataset)
    ]
    samples += [
        cls(str(folder / 'folders.txt'), [sampler, dict(type=decoder)],
            data_prefix=dict(img=str(folder)),
            filename_tmpl='img_{:05}.png',
            test_mode=True)[0]
        for cls in (RawframeDataset, CheckedRawframeDataset)
        for decoder in ('mmaction.RawFrameDecode',
                        'mmvideomamba.DecodeRawFrames')
    ]
    inds = samples[0]['frame_inds']
    with open_video(str(folder / 'clip.mp4')) as reader:
        expected = reader.get_frames(inds)
    assert len(set(inds.tolist())) > 1
    for sample in samples:
        np.testing.assert_array_equal(
            sample['frame_inds'] - sample['start_index'], inds)
        np.testing.assert_array_equal(sample['imgs'], expected)
        assert sample['label'] == 1
