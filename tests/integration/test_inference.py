"""The hosts' ways to use a trained checkpoint agree with each other."""
from pathlib import Path

import decord
import mmengine
import numpy as np
import pytest
import torch
from host_tools import CONFIG, run_tool
from mmaction.apis import inference_recognizer, init_recognizer
from mmaction.apis.inferencers import MMAction2Inferencer
from mmengine.fileio import list_from_file

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def dumped(clips: Path, trained: Path) -> list:
    """Return the predictions of the test tool, one per clip of val.txt."""
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


def test_inferencer_on_an_array(dumped: list, videos: list,
                                trained: Path) -> None:
    inferencer = MMAction2Inferencer(
        rec=str(CONFIG),
        rec_weights=str(trained / 'epoch_3.pth'),
        device='cpu',
        input_format='array')
    frames = decord.VideoReader(videos[0])[:].asnumpy()
    found = inferencer(frames)['predictions'][0]
    np.testing.assert_allclose(
        found['rec_scores'][0], dumped[0]['pred_score'], rtol=1e-4, atol=1e-6)
