"""Files, folders and arrays pass the same steps, with the same result."""
from pathlib import Path
from typing import Any, Callable, List

import cv2
import numpy as np
import pytest
import torch

from mmvideomamba.datasets.video import open_video
from mmvideomamba.inference.pipeline import VideoPipeline, adapt_steps

SHAPE = dict(type='FormatShape', input_format='NCTHW')
PACK = dict(type='PackActionInputs')


def steps(opening: str = 'mmvideomamba.OpenVideo',
          decoding: str = 'mmvideomamba.DecodeFrames',
          sampler: str = 'UniformSample') -> List[dict]:
    first = [dict(type=opening)] if opening else []
    return first + [
        dict(type=sampler, clip_len=4, num_clips=2, test_mode=True),
        dict(type=decoding),
        dict(type='Resize', scale=(-1, 32)),
        dict(type='ThreeCrop', crop_size=32), SHAPE, PACK
    ]


def types(opening: str, decoding: str, source: str) -> List[str]:
    return [
        step['type'].rsplit('.', maxsplit=1)[-1]
        for step in adapt_steps(steps(opening, decoding), source)[:3]
    ]


OURS = ('mmvideomamba.OpenVideo', 'mmvideomamba.DecodeFrames')
HOST = ('DecordInit', 'DecordDecode')
RAW = ('', 'mmvideomamba.DecodeRawFrames')


@pytest.mark.parametrize('config, source, expected', [
    (OURS, 'filename', ['OpenVideo', 'UniformSample', 'DecodeFrames']),
    (OURS, 'array', ['UniformSample', 'DecodeArray', 'Resize']),
    (OURS, 'frame_dir', ['UniformSample', 'DecodeRawFrames', 'Resize']),
    (OURS, 'imgs', ['Resize', 'ThreeCrop', 'FormatShape']),
    (HOST, 'filename', ['DecordInit', 'UniformSample', 'DecordDecode']),
    (HOST, 'array', ['UniformSample', 'DecodeArray', 'Resize']),
    (RAW, 'filename', ['OpenVideo', 'UniformSample', 'DecodeFrames']),
    (RAW, 'frame_dir', ['UniformSample', 'DecodeRawFrames', 'Resize']),
    (RAW, 'array', ['UniformSample', 'DecodeArray', 'Resize']),
    (('', 'RawFrameDecode'), 'frame_dir',
     ['UniformSample', 'RawFrameDecode', 'Resize']),
])
def test_steps_that_read(config: tuple, source: str, expected: list) -> None:
    assert types(*config, source) == expected


@pytest.fixture
def kinds(make_video: Callable[..., Path], tmp_path: Path) -> List[Any]:
    """Return a video as a file, an array, a folder and dicts of each."""
    path = str(make_video(frames=9, fps=2.))
    with open_video(path) as reader:
        frames = reader.get_frames(range(9))
    folder = tmp_path / 'frames'
    folder.mkdir()
    for number, frame in enumerate(frames):
        cv2.imwrite(str(folder / f'{number:03}.png'), frame[..., ::-1])
    return [
        path, frames,
        str(folder),
        dict(filename=path),
        dict(array=frames, fps=2.),
        dict(frame_dir=str(folder), fps=2.)
    ]


def test_same_views_of_each_kind(kinds: List[Any]) -> None:
    pipeline = VideoPipeline(steps())
    first, *others = [pipeline(item)['inputs'] for item in kinds]
    assert first.shape == (6, 3, 4, 32, 32) and first.float().std() > 1
    for other in others:
        torch.testing.assert_close(first, other, rtol=0, atol=0)
    assert torch.equal(pipeline(kinds[0])['inputs'], first)


def test_number_of_views(kinds: List[Any]) -> None:
    pipeline = VideoPipeline(steps(), 'one')
    assert (pipeline.views, len(pipeline(kinds[1])['inputs'])) == (1, 1)
    pipeline.set_views(3)
    assert len(pipeline(kinds[1])['inputs']) == 3
    pipeline.set_views('all')
    assert len(pipeline(kinds[1])['inputs']) == 6


def test_windows_of_the_data_set(kinds: List[Any]) -> None:
    data = dict(window=2., stride=1.)
    windows = 'mmvideomamba.UniformWindowSample'
    pipeline = VideoPipeline(steps(sampler=windows), data_set=data)
    # Windows of 4.5 s begin at 0, 1, 2 and 3.
    found = [len(pipeline(item)['inputs']) for item in (kinds[0], kinds[4])]
    assert found == [24, 24]
    pipeline.set_views('one')
    assert len(pipeline(kinds[0])['inputs']) == 1
    with pytest.raises(ValueError, match='the array has no frame rate'):
        pipeline(kinds[1])


def test_chosen_frames(kinds: List[Any]) -> None:
    pipeline = VideoPipeline(steps())
    found = pipeline(dict(imgs=list(kinds[1][:4])))['inputs']
    assert found.shape == (3, 3, 4, 32, 32)


def test_config_is_left_alone() -> None:
    given = steps(sampler='mmvideomamba.UniformWindowSample')
    VideoPipeline(given, 'one', dict(window=1.))
    assert given == steps(sampler='mmvideomamba.UniformWindowSample')


def test_bad_views() -> None:
    with pytest.raises(ValueError, match="views must be .* is 'two'"):
        VideoPipeline(steps(), 'two')


def test_names_of_frames(kinds: List[Any], tmp_path: Path) -> None:
    pack = dict(filename_tmpl='{:03}.png', start_index=4)
    found = VideoPipeline(steps(), 1, pack_cfg=pack)(kinds[2])['inputs']
    expected = VideoPipeline(steps(), 1)(kinds[1][4:])['inputs']
    assert torch.equal(found, expected)
    assert not np.array_equal(found,
                              VideoPipeline(steps(), 1)(kinds[1])['inputs'])
