"""Relevance of frames and patches for a prediction."""
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from mmvideomamba.inference import Predictor
from mmvideomamba.inference.predictor.explanation import find_label
from mmvideomamba.inference.relevance import relevance


def test_videos(trained_file: Any) -> None:
    """Frame numbers and relevance belong to the scored views."""
    (trained_file.folder / 'bad.mp4').write_bytes(b'none')
    predictor = Predictor(trained_file.file, 'cpu')
    found = list(predictor.explain(trained_file.folder, 'walk', 'attribution'))
    wanted = list(predictor.predict(trained_file.folder, topk=8))
    assert [f.prediction.input for f in found] == [w.input for w in wanted]
    assert [f.label for f in found] == [2, 2, None, 2]
    assert 'bad.mp4' in str(found[2].prediction.error)
    for one, prediction in zip(found, wanted):
        if prediction.error is not None:
            continue
        assert one.name == 'walk'
        assert one.prediction.labels == prediction.labels[:5]
        place = prediction.labels.index(2)
        assert one.probability == pytest.approx(
            prediction.probabilities[place], abs=1e-5)
        clips = len(prediction.frames)
        for i, view in enumerate(one.views):
            assert view.numbers == prediction.frames[i % clips]
            assert view.frames.shape[0] == len(view.numbers)
            assert view.frames.dtype == np.uint8
    backend: Any = predictor.backend
    sample, _ = backend.read(str(trained_file.folder / 'a.mp4'))
    maps = relevance(backend.model, sample['inputs'], 2, 'attribution')
    for view, values in zip(found[0].views, maps):
        np.testing.assert_array_equal(view.relevance, values.numpy())
    rgb = sample['inputs'].permute(0, 2, 3, 4, 1).numpy()
    np.testing.assert_array_equal(found[0].views[0].frames, rgb[0])


def test_images(image_file: Any) -> None:
    """Pixels come out in the order red, green, blue."""
    file, folder = image_file
    path = folder / '0.png'
    one, = Predictor(file, 'cpu').explain(str(path))
    assert one.label == one.prediction.labels[0]
    view, = one.views
    assert view.frames.shape[0] == 1 and view.numbers is None
    assert view.relevance.shape[0] == 1
    bgr = cv2.imread(str(path))
    mean = view.frames.reshape(-1, 3).mean(0)
    np.testing.assert_allclose(mean, bgr.reshape(-1, 3).mean(0)[::-1], atol=9)
    assert mean.argsort().tolist() == bgr.reshape(
        -1, 3).mean(0)[::-1].argsort().tolist()


@pytest.mark.parametrize('label, number', [(None, None), ('run', 1), ('0', 0),
                                           (2, 2)])
def test_labels(label: Any, number: Any) -> None:
    """A name comes before a number."""
    assert find_label(label, ['walk', 'run', '0'],
                      3) == (2 if label == '0' else number)


@pytest.mark.parametrize('label, words', [('fly', 'fly. is not a class.*walk'),
                                          (3, '3 is not a class.*0 to 2'),
                                          ('-1', '-1 is not a class')])
def test_unknown_labels(label: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        find_label(label, ['walk', 'run', 'sit'], 3)


def test_an_unknown_method(trained_file: Any) -> None:
    predictor = Predictor(trained_file.file, 'cpu')
    with pytest.raises(ValueError, match="method 'x'; choose one of"):
        predictor.explain(trained_file.folder, method='x')
    assert torch.is_grad_enabled()
