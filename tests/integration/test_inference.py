"""The hosts' ways to use a trained checkpoint agree with each other."""
import sys
from pathlib import Path

import cv2
import mmengine
import numpy as np
import pytest
import torch
from host_tools import CONFIG, run_tool
from mmaction.apis import inference_recognizer, init_recognizer
from mmaction.apis.inferencers import MMAction2Inferencer
from mmengine.fileio import list_from_file

from mmvideomamba.datasets.video.choice import open_video

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def dumped(clips: Path, trained: Path) -> list:
    """Return the predictions of the test tool for the clips of val.txt."""
    path = clips / 'predictions.pkl'
    done = run_tool(
        'test.py',
        CONFIG,
        trained / 'epoch_3.pth',
        '--work-dir',
        clips / 'test',
        '--dump',
        path,
        cwd=clips)
    assert done.returncode == 0, done.stderr
    assert 'acc/top1' in done.stderr + done.stdout
    return mmengine.load(path)


@pytest.fixture(scope='module')
def videos(clips: Path) -> list:
    lines = list_from_file(str(clips / 'data' / 'val.txt'))
    return [str(clips / 'data' / line.split()[0]) for line in lines]


def test_test_tool_dumps_every_clip(dumped: list, videos: list) -> None:
    assert len(dumped) == len(videos) == 4
    for result, video in zip(dumped, videos):
        assert int(result['gt_label']) == int(Path(video).name[0])
        assert float(result['pred_score'].sum()) == pytest.approx(1, abs=1e-5)


def test_inference_recognizer(dumped: list, videos: list,
                              trained: Path) -> None:
    model = init_recognizer(
        str(CONFIG), str(trained / 'epoch_3.pth'), device='cpu')
    for result, video in zip(dumped, videos):
        found = inference_recognizer(model, video)
        torch.testing.assert_close(found.pred_score, result['pred_score'])
        assert int(found.pred_label) == int(result['pred_label'])


def test_inferencer(dumped: list, videos: list, trained: Path) -> None:
    inferencer = MMAction2Inferencer(
        rec=str(CONFIG),
        rec_weights=str(trained / 'epoch_3.pth'),
        device='cpu')
    for result, video in zip(dumped, videos):
        found = inferencer(video)['predictions'][0]
        np.testing.assert_allclose(
            found['rec_scores'][0], result['pred_score'], rtol=1e-4, atol=1e-6)
        assert found['rec_labels'][0] == result['pred_label'].tolist()


def test_inferencer_on_decoded_frames(dumped: list, videos: list,
                                      trained: Path, tmp_path: Path) -> None:
    """An array and a folder of images give the scores of the video."""
    with open_video(videos[0]) as reader:
        frames = reader.get_frames(range(len(reader)))
    for number, frame in enumerate(frames, 1):
        # The inferencer looks for this ending; the content is lossless.
        path = tmp_path / f'img_{number:05}.jpg'
        path.write_bytes(cv2.imencode('.png', frame[..., ::-1])[1].tobytes())
    given = dict(array=frames, rawframes=str(tmp_path))
    for input_format, media in given.items():
        inferencer = MMAction2Inferencer(
            rec=str(CONFIG),
            rec_weights=str(trained / 'epoch_3.pth'),
            device='cpu',
            input_format=input_format)
        found = inferencer(media)['predictions'][0]
        np.testing.assert_allclose(
            found['rec_scores'][0],
            dumped[0]['pred_score'],
            rtol=1e-4,
            atol=1e-6)


def test_inferencer_draws_the_frames_of_the_file(videos: list, trained: Path,
                                                 tmp_path: Path,
                                                 monkeypatch) -> None:
    """The drawn video has as many frames as the file, without decord."""
    pytest.importorskip('moviepy', reason='the extra demo is not installed')
    monkeypatch.setitem(sys.modules, 'decord', None)
    inferencer = MMAction2Inferencer(
        rec=str(CONFIG),
        rec_weights=str(trained / 'epoch_3.pth'),
        device='cpu')
    inferencer(
        videos[0], vid_out_dir=str(tmp_path), target_resolution=(96, 96))
    with open_video(videos[0]) as reader:
        frames = len(reader)
    with open_video(str(tmp_path / Path(videos[0]).name)) as drawn:
        assert (len(drawn), drawn.height, drawn.width) == (frames, 96, 96)
