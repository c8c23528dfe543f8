"""Rows of features, against the model by hand."""
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch

import mmvideomamba
from mmvideomamba.datasets.video import open_video
from mmvideomamba.inference import Predictor
from mmvideomamba.inference.predictor import features as module


def by_hand(model: Any, views: torch.Tensor, out_type: str) -> torch.Tensor:
    """Return the output of the backbone for views (m, 3, t, h, w)."""
    data = model.data_preprocessor(dict(inputs=[views], data_samples=[]))
    kept, model.backbone.out_type = model.backbone.out_type, out_type
    with torch.no_grad():
        found = model.backbone(data['inputs'].flatten(0, 1))[-1]
    model.backbone.out_type = kept
    return found


def test_clips_of_the_test(trained_file: Any) -> None:
    """A row is the mean over the crops of a clip, in any grouping."""
    _, file, folder = trained_file
    model: Any = mmvideomamba.load(file)
    views = model.pipeline.read(str(folder / 'a.mp4'))['inputs']
    expected = by_hand(model, views, 'cls_token').reshape(3, 2, -1).mean(0)
    for batch_size in (1, 2, 8):
        predictor = Predictor(file, 'cpu', batch_size=batch_size)
        found = next(predictor.features(folder / 'a.mp4'))
        np.testing.assert_allclose(found.features, expected, atol=1e-5)
    assert found.features.dtype == np.float32 and found.frames == 9
    frames = next(predictor.predict(folder / 'a.mp4')).frames
    assert found.spans.tolist() == [[c[0], c[-1] + 1] for c in frames]
    assert found.times[0, 0] == frames[0][0] / found.fps


def test_windows(trained_file: Any) -> None:
    """Windows cover the video to the end; the last frame is repeated."""
    _, file, folder = trained_file
    model: Any = mmvideomamba.load(file)
    path = str(folder / 'b.mp4')
    found = next(
        Predictor(file, 'cpu').features(path, 'window', interval=2, stride=4))
    assert found.frames == 15
    assert found.spans.tolist() == [[0, 8], [4, 12], [8, 15]]
    np.testing.assert_allclose(found.times, found.spans / 10)
    pipeline = module.VideoPipeline(model.pipeline.read.original, 'one')
    frames = open_video(path, 'auto').get_frames([8, 10, 12, 14])
    view = pipeline(dict(imgs=list(frames)))['inputs']
    assert view.shape[2] == 4
    expected = by_hand(model, view, 'cls_token')
    np.testing.assert_allclose(found.features[2:], expected, atol=1e-5)


def test_frames(trained_file: Any) -> None:
    """Rows of frames are means of patches, without frames past the end."""
    _, file, folder = trained_file
    predictor = Predictor(file, 'cpu', batch_size=2)
    found = next(predictor.features(folder / 'a.mp4', 'frame', interval=2))
    assert found.spans.tolist() == [[0, 2], [2, 4], [4, 6], [6, 8], [8, 9]]
    assert found.features.shape == (5, 16)
    model = predictor.backend.model
    assert model.backbone.out_type == 'cls_token'
    pipeline = module.VideoPipeline(model.pipeline.read.original, 'one')
    frames = open_video(str(folder / 'a.mp4'), 'auto').get_frames([0, 2, 4, 6])
    expected = by_hand(model,
                       pipeline(dict(imgs=list(frames)))['inputs'],
                       'featmap')[0].mean((2, 3)).T
    np.testing.assert_allclose(found.features[:4], expected, atol=1e-5)


def test_long_videos_in_parts(trained_file: Any, make_video: Callable,
                              monkeypatch: pytest.MonkeyPatch) -> None:
    """A video is decoded a few windows at a time, with the same rows."""
    _, file, _ = trained_file
    clip = make_video(frames=60)
    predictor = Predictor(file, 'cpu', batch_size=16)
    whole = next(predictor.features(clip, 'window', interval=1))
    monkeypatch.setattr(module, 'MOST_BYTES', 2 * 4 * 3 * 64 * 48)
    sizes = []
    forward = module.FeatureExtractor._forward

    def note(self: Any, count: int, packed: dict) -> Any:
        sizes.append(count)
        return forward(self, count, packed)

    monkeypatch.setattr(module.FeatureExtractor, '_forward', note)
    parts = next(predictor.features(clip, 'window', interval=1))
    assert len(whole.features) == 15 and max(sizes) == 2
    np.testing.assert_allclose(parts.features, whole.features, atol=1e-5)


def test_order_and_bad_videos(trained_file: Any) -> None:
    _, file, folder = trained_file
    (folder / 'bad.mp4').write_bytes(b'no video')
    inputs = [folder / 'more', folder / 'bad.mp4', folder / 'a.mp4']
    found = list(Predictor(file, 'cpu', workers=3).features(inputs))
    assert [Path(one.input).stem for one in found] == ['c', 'bad', 'a']
    assert 'bad.mp4' in found[1].error and found[1].features.shape == (0, 0)
    assert found[0].error is None and len(found[2].features) == 2


def test_images(image_file: Any) -> None:
    file, folder = image_file
    predictor = Predictor(file, 'cpu')
    found = list(predictor.features(folder))
    assert [one.features.shape for one in found] == [(1, 8), (1, 8)]
    assert not np.allclose(found[0].features, found[1].features)
    assert found[0].times is None
    with pytest.raises(ValueError, match='an image has no windows'):
        predictor.features(folder, 'window')


@pytest.mark.parametrize('arguments, text', [
    (dict(level='scene'), 'level must be one of'),
    (dict(stride=4), 'the clips of the test are taken'),
    (dict(level='window', interval=0), 'interval must be at least 1'),
    (dict(level='frame', stride=4), 'each frame has one row'),
])
def test_mistakes(trained_file: Any, arguments: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Predictor(trained_file.file, 'cpu').features('x.mp4', **arguments)
