"""The host's inferencers: ours is healed, a model of the host left alone."""
import json
from pathlib import Path
from typing import Callable, List

import cv2
import numpy as np
import pytest
from mmaction.apis import ActionRecogInferencer, MMAction2Inferencer
from mmengine.config import Config
from tiny_recipes import recipe, save_model

from mmvideomamba.datasets.video import MediaError, open_video

NAMES = tuple(f'name {i}' for i in range(8))


@pytest.fixture
def video(make_video: Callable[..., Path]) -> Path:
    return make_video('a.mp4', frames=9)


@pytest.fixture
def cfg(tmp_path: Path, video: Path) -> Config:
    return recipe('quickstart', tmp_path, video)


@pytest.fixture
def checkpoint(cfg: Config, tmp_path: Path) -> str:
    return save_model(cfg, tmp_path / 'model.pth', NAMES)


@pytest.fixture
def inferencer(cfg: Config, checkpoint: str) -> MMAction2Inferencer:
    return MMAction2Inferencer(cfg, checkpoint, 'cpu')


def frames_of(video: Path) -> np.ndarray:
    with open_video(video) as reader:
        return reader.get_frames(range(len(reader)))


def test_inputs_of_any_kind(inferencer: MMAction2Inferencer, video: Path,
                            tmp_path: Path) -> None:
    """A list of all kinds, as well as a folder, gives a row for each."""
    frames = frames_of(video)
    folder = tmp_path / 'frames'
    folder.mkdir()
    for number, frame in enumerate(frames):
        cv2.imwrite(str(folder / f'{number}.png'), frame[..., ::-1])
    (tmp_path / 'b.mp4').write_bytes(video.read_bytes())
    expected = inferencer(str(video))['predictions'][0]
    assert expected['rec_classes'] == [[NAMES[expected['rec_labels'][0][0]]]]
    given = [
        video, frames,
        str(folder),
        dict(array=frames),
        dict(camera=str(tmp_path / 'b.mp4'), seconds=5)
    ]
    rows = inferencer(given, batch_size=2)['predictions']
    assert len(rows) == 5
    # OpenCV converts colours in another way than PyAV.
    for row, tolerance in zip(rows, (1e-6, 1e-6, 1e-6, 1e-6, 1e-2)):
        np.testing.assert_allclose(
            row['rec_scores'], expected['rec_scores'], atol=tolerance)
    rows = inferencer(str(tmp_path))['predictions']
    assert [Path(row['input']).name for row in rows] == ['a.mp4', 'b.mp4']


def test_bad_input_among_others(inferencer: MMAction2Inferencer, video: Path,
                                tmp_path: Path, mm_log: List[str],
                                capsys: pytest.CaptureFixture) -> None:
    (tmp_path / 'bad.mp4').write_text('no video')
    given = [str(tmp_path / 'bad.mp4'), str(video), 'gone.mp4']
    out = tmp_path / 'rows.json'
    found = inferencer(
        given,
        print_result=True,
        pred_out_file=str(out),
        return_vis=True,
        out_type='img')
    bad, good, gone = found['predictions']
    assert bad['rec_labels'] == gone['rec_labels'] == [[]]
    assert 'bad.mp4 is not a video' in bad['error']
    assert len(good['rec_scores'][0]) == 8 and 'error' not in good
    assert '2 of 3 inputs cannot be read' in mm_log
    assert json.loads(out.read_text())['predictions'] == found['predictions']
    assert str(good) in capsys.readouterr().out
    assert [pictures is None
            for pictures in found['visualization']] == [True, False, True]


def test_only_input_is_bad(inferencer: MMAction2Inferencer) -> None:
    with pytest.raises(MediaError, match='gone.mp4 does not exist'):
        inferencer('gone.mp4')


def test_drawn_videos(inferencer: MMAction2Inferencer, video: Path,
                      tmp_path: Path) -> None:
    """Each input is drawn, with its prediction, in the same colours."""
    frames = frames_of(video)
    first, second = inferencer([str(video), frames],
                               vid_out_dir=str(tmp_path / 'out'),
                               out_type='img')['visualization']
    np.testing.assert_array_equal(first, second)
    inferencer.actionrecog_inferencer.visualizer.dataset_meta = dict(
        classes=['another'] * 8)
    third, = inferencer(str(video), return_vis=True)['visualization']
    assert (third != first).any()
    assert len(list((tmp_path / 'out/a.mp4').rglob('*.png'))) == 9


def test_label_file(cfg: Config, checkpoint: str, video: Path,
                    tmp_path: Path) -> None:
    path = tmp_path / 'labels.txt'
    path.write_text(''.join(f'other {i}\n' for i in range(8)))
    inferencer = ActionRecogInferencer(
        cfg, checkpoint, 'cpu', label_file=str(path))
    found = inferencer(str(video))['predictions'][0]
    assert found['pred_classes'] == [f'other {found["pred_labels"][0]}']
    assert inferencer.visualizer.dataset_meta['classes'][7] == 'other 7'
    path.write_text('one\n')
    with pytest.raises(ValueError, match='names 1 classes, but .* has 8'):
        MMAction2Inferencer(cfg, checkpoint, 'cpu', label_file=str(path))


def test_views(cfg: Config, checkpoint: str, video: Path) -> None:
    scores = [
        kind(cfg, checkpoint, 'cpu',
             views=views)(str(video), return_datasamples=True)
        for kind, views in ((ActionRecogInferencer, 'all'),
                            (ActionRecogInferencer, 1))
    ]
    first, second = (one['predictions'][0].pred_score for one in scores)
    assert (first - second).abs().max() > 1e-4
    for kind in (ActionRecogInferencer, MMAction2Inferencer):
        with pytest.raises(ValueError, match="views must be .* is 'many'"):
            kind(cfg, checkpoint, 'cpu', views='many')


HOST = dict(
    model=dict(
        type='Recognizer3D',
        backbone=dict(
            type='ResNet3d',
            depth=18,
            pretrained=None,
            base_channels=4,
            conv1_kernel=(3, 7, 7),
            inflate=(1, 1, 1, 1)),
        cls_head=dict(
            type='I3DHead',
            num_classes=2,
            in_channels=32,
            average_clips='prob'),
        data_preprocessor=dict(
            type='ActionDataPreprocessor', format_shape='NCTHW')),
    test_dataloader=dict(
        dataset=dict(pipeline=[
            dict(type='DecordInit'),
            dict(type='SampleFrames', clip_len=4, num_clips=2, test_mode=True),
            dict(type='DecordDecode'),
            dict(type='Resize', scale=(32, 32), keep_ratio=False),
            dict(type='ThreeCrop', crop_size=32),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs')
        ])),
    visualizer=dict(type='ActionVisualizer'))


def test_model_of_the_host_is_left_alone(tmp_path: Path) -> None:
    """Steps, inputs, results and names of a host's model are unchanged."""
    names = tmp_path / 'names.txt'
    names.write_text('a\n\nb\n')
    inferencer = MMAction2Inferencer(
        Config(HOST), None, 'cpu', str(names), 'array')
    inner = inferencer.actionrecog_inferencer
    kinds = [type(step).__name__ for step in inner.pipeline.transforms]
    assert kinds == [
        'InferencerPackInput', 'SampleFrames', 'ArrayDecode', 'Resize',
        'CenterCrop', 'FormatShape', 'PackActionInputs'
    ]
    assert inner.visualizer.dataset_meta['classes'] == ['a', '', 'b']
    found = inferencer(np.zeros((5, 32, 32, 3), np.uint8))['predictions']
    assert [sorted(row) for row in found] == [['rec_labels', 'rec_scores']]
    assert inferencer._inputs_to_list('gone') == ['gone']
    with pytest.raises(ValueError, match="views=1 needs a model of mmvid"):
        MMAction2Inferencer(Config(HOST), None, 'cpu', views='one')
