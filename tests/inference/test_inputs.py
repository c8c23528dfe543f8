"""Inputs of any kind become single videos, or are refused by name."""
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmvideomamba.inference import inputs
from mmvideomamba.inference.inputs import input_name, list_inputs, pack_input

FRAMES = np.zeros((5, 4, 6, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with videos/ and frames/, files without content."""
    names = ('videos/b.mp4', 'videos/a.AVI', 'videos/1.jpg', 'videos/a.txt',
             'frames/img_1.jpg', 'frames/img_2.jpg')
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / 'empty').mkdir()
    return tmp_path


def test_folder_of_videos(folder: Path) -> None:
    videos = [str(folder / 'videos' / name) for name in ('a.AVI', 'b.mp4')]
    assert list_inputs(str(folder / 'videos')) == videos
    assert list_inputs(folder / 'videos') == videos
    assert list_inputs([str(folder / 'videos'), 'c.mp4']) == videos + ['c.mp4']


def test_other_folders_stay(folder: Path) -> None:
    for name in ('frames', 'empty'):
        assert list_inputs(f'{folder / name}/') == [str(folder / name)]
    videos = str(folder / 'videos')
    assert list_inputs(videos, 'rawframes') == [videos]


def test_arrays_and_dicts_stay() -> None:
    given = (FRAMES, dict(array=FRAMES))
    array, found = list_inputs(given)
    assert array is FRAMES and found['array'] is FRAMES
    paths = dict(filename=Path('a.mp4'), label=3)
    assert list_inputs(paths) == [dict(filename='a.mp4', label=3)]
    # A list of inputs is not changed again.
    assert list_inputs(list_inputs('a.mp4')) == ['a.mp4']


def test_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, 'read_camera', lambda *given: dict(was=given))
    found = list_inputs([0, np.int64(2), dict(camera='rtsp://a', seconds=9)])
    assert found == [
        dict(was=(0, )),
        dict(was=(2, )),
        dict(was=('rtsp://a', 9))
    ]


@pytest.mark.parametrize('given, input_format, text', [
    (None, 'video', 'an input is of type NoneType; give the path'),
    ([FRAMES, True], 'video', 'an input is of type bool'),
    ([[FRAMES]], 'video', 'an input is of type list'),
    ([], 'video', 'the list is empty'),
    ('a.mp4', 'array', "takes arrays.* input is 'a.mp4'"),
    ('a.mp4', 'film', "input_format must be one of .* is 'film'"),
])
def test_other_inputs_are_refused(given: Any, input_format: str,
                                  text: str) -> None:
    with pytest.raises(ValueError, match=text):
        list_inputs(given, input_format)


def test_sample_of_a_file() -> None:
    expected = dict(filename='a.mp4', label=-1, start_index=0, modality='RGB')
    assert pack_input('a.mp4') == expected
    assert pack_input(dict(filename='a.mp4', label=3)) == dict(
        expected, label=3)


def test_sample_of_an_array() -> None:
    found = pack_input(dict(array=FRAMES, fps=25, start_index=1))
    assert found.pop('array') is FRAMES
    assert found == dict(
        total_frames=5, avg_fps=25., label=-1, start_index=1, modality='RGB')
    assert 'avg_fps' not in pack_input(FRAMES)


def test_sample_of_frames(folder: Path) -> None:
    path = str(folder / 'frames')
    expected = dict(
        frame_dir=path,
        filename_tmpl='img_{:01}.jpg',
        start_index=1,
        total_frames=2,
        label=-1,
        modality='RGB')
    assert pack_input(path) == expected
    assert pack_input(
        dict(frame_dir=path), start_index=2) == dict(
            expected, start_index=2, total_frames=1)
    found = pack_input(dict(frame_dir=path, start_index=2, fps=5))
    assert (found['total_frames'], found['avg_fps']) == (1, 5.)


def test_sample_of_chosen_frames() -> None:
    found = pack_input(dict(imgs=list(FRAMES[:4]), num_clips=2, clip_len=2))
    assert (found['num_clips'], found['clip_len']) == (2, 2)
    assert pack_input(dict(imgs=list(FRAMES)))['clip_len'] == 5
    assert found['img_shape'] == found['original_shape'] == (4, 6)


@pytest.mark.parametrize('given, text', [
    (FRAMES[0], r'shape \(4, 6, 3\) is not a video; give \(t, h, w, 3\)'),
    (FRAMES[..., :2], r'shape \(5, 4, 6, 2\) is not a video'),
    (FRAMES[:0], r'shape \(0, 4, 6, 3\) is not a video'),
    (FRAMES / 255, 'dtype float64 is not a video; give uint8'),
    (dict(array=FRAMES.tolist()), 'the frames are of type list'),
    (dict(imgs=[]), 'imgs of a dict holds no frame'),
    (dict(imgs=['a.jpg']), r'frames \(h, w, 3\) of one size, .* \[\(\)\]'),
    (dict(imgs=FRAMES[..., 0]), r'but holds shapes \[\(4, 6\)\]'),
    (dict(imgs=[FRAMES[0], FRAMES[0, 1:]]), 'imgs of a dict must be frames'),
    (dict(path='a.mp4'), 'needs one of the keys array, .* but has path'),
    (dict(array=FRAMES, filename='a.mp4'), 'needs one of the keys'),
    ({}, 'but has none'),
    (dict(array=FRAMES, fps=0), 'fps of a dict must be .* but is 0'),
    (dict(array=FRAMES, fps=float('nan')), 'fps .* but is nan'),
    (dict(array=FRAMES, fps=-5.), 'fps .* but is -5.0'),
    (dict(array=FRAMES, fps='25'), "fps .* but is '25'"),
])
def test_no_videos(given: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        pack_input(given)


def test_names() -> None:
    given = ('a.mp4', FRAMES, dict(array=FRAMES), dict(frame_dir='b'),
             dict(imgs=[FRAMES[0]]))
    assert [input_name(item) for item in given] == [
        'a.mp4', 'array (5, 4, 6, 3)', 'array (5, 4, 6, 3)', 'b', '1 frames'
    ]
