"""Predictions have the numbers of the test, and lose no input."""
from pathlib import Path
from typing import Any, Callable, List

import numpy as np
import pytest
from mmengine.evaluator import DumpResults, Evaluator
from mmengine.fileio import load as load_file
from mmengine.runner import Runner
from tiny_recipes import recipe, runner_file

import mmvideomamba
from mmvideomamba.datasets.video import open_video
from mmvideomamba.inference import Predictor
from mmvideomamba.inference.predictor.predictor import choose_device


def scores_of_the_test(cfg: Any, file: Path, out: Path) -> List[np.ndarray]:
    """Return the scores of the host's test."""
    cfg = cfg.copy()
    cfg.load_from = str(file)
    cfg.custom_hooks = []
    runner = Runner.from_cfg(cfg)
    runner.test_loop.evaluator = Evaluator(DumpResults(str(out)))
    runner.test()
    return [one['pred_score'].numpy() for one in load_file(str(out))]


def test_numbers_of_the_test(trained_file: Any, tmp_path: Path) -> None:
    """Checkpoint and saved folder score as tools/test.py does."""
    cfg, file, folder = trained_file
    expected = np.stack(
        scores_of_the_test(cfg, file, tmp_path / 'results.pkl'))
    assert expected.std(axis=0).max() > 1e-4
    saved = mmvideomamba.save_pretrained(file, tmp_path / 'saved')
    model: Any = mmvideomamba.load(file)
    for source in (file, saved):
        found = list(
            Predictor(source, 'cpu', batch_size=2).predict(folder, topk=99))
        names = [Path(one.input).stem for one in found]
        assert names == ['a', 'b', 'c']
        for one, row in zip(found, expected):
            assert one.labels == np.argsort(-row, kind='stable').tolist()
            np.testing.assert_allclose(
                one.probabilities, row[one.labels], atol=2e-5)
            assert one.names[0] == model.dataset_meta['classes'][one.labels[0]]


def test_frames_and_times(trained_file: Any) -> None:
    """Frames come from the pipeline, times from the frame rate."""
    _, file, folder = trained_file
    predictor = Predictor(file, 'cpu', workers=0)
    found = next(predictor.predict(folder / 'a.mp4'))
    pipeline = predictor.backend.pipeline
    choose, _, sample = pipeline.parts(str(folder / 'a.mp4'))
    expected = choose(sample)['frame_inds'].reshape(-1, 4).tolist()
    assert found.frames == expected and len(expected) > 1
    rate = open_video(str(folder / 'a.mp4'), 'auto').avg_fps
    assert found.times[0] == pytest.approx([i / rate for i in expected[0]])
    single = Predictor(file, 'cpu', views='one')
    assert len(next(single.predict(folder / 'a.mp4')).frames) == 1


def test_bad_videos_are_results(trained_file: Any) -> None:
    """An unreadable video leaves the results of all other videos unchanged."""
    _, file, folder = trained_file
    (folder / 'bad.mp4').write_bytes(b'no video')
    inputs = [folder / 'gone.mp4', folder]
    found = list(Predictor(file, 'cpu', batch_size=3).predict(inputs, 1))
    errors = [one.error for one in found]
    assert [bool(error)
            for error in errors] == [True, False, False, True, False]
    assert 'gone.mp4 does not exist' in errors[0]
    assert 'bad.mp4' in errors[3] and found[3].labels == []
    assert 'error' in found[3].to_dict() and 'error' not in found[1].to_dict()


def test_names_of_classes(trained_file: Any, tmp_path: Path,
                          mm_log: List[str]) -> None:
    """Names are given, or classes are numbered, and the log says so."""
    cfg, _, folder = trained_file
    file = tmp_path / 'nameless.pth'
    runner_file(cfg, file)
    video = folder / 'a.mp4'
    predictor = Predictor(file, 'cpu')
    first = next(predictor.predict(video))
    assert first.names[0] == f'class {first.labels[0]}'
    assert any('holds no names of classes' in line for line in mm_log)
    count = predictor.backend.num_classes
    names = [f'n{i}' for i in range(count)]
    path = tmp_path / 'names.txt'
    path.write_text('\n'.join(names))
    for classes in (names, path):
        found = next(Predictor(file, 'cpu', classes=classes).predict(video))
        assert found.names[0] == f'n{first.labels[0]}'
    with pytest.raises(ValueError, match='2 names, but the model'):
        Predictor(file, 'cpu', classes=['x', 'y'])


def test_a_number(tmp_path: Path, make_video: Callable) -> None:
    """A model of numbers gives a value, averaged over the windows."""
    clip = make_video(frames=30)
    cfg = recipe('number', tmp_path, clip)
    runner_file(cfg, tmp_path / 'number.pth')
    found = next(Predictor(tmp_path / 'number.pth', 'cpu').predict(clip))
    model: Any = mmvideomamba.load(tmp_path / 'number.pth')
    expected = model.test_step(model.pipeline(clip))[0].pred_score
    assert found.value == pytest.approx(float(expected), rel=1e-4)
    assert found.labels == [] and len(found.frames) > 1


def test_bad_arguments(trained_file: Any, tmp_path: Path) -> None:
    """A wrong argument has a message before any file is read."""
    _, file, folder = trained_file
    for arguments, text in ((dict(batch_size=0),
                             'batch_size'), (dict(workers=-1), 'workers'),
                            (dict(device='moon'), "device 'moon'")):
        with pytest.raises(ValueError, match=text):
            Predictor(file, **arguments)
    predictor = Predictor(file, 'cpu')
    with pytest.raises(ValueError, match='topk must be at least 1'):
        predictor.predict(folder, topk=0)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='empty holds no video'):
        predictor.predict(tmp_path / 'empty')
    broken = tmp_path / 'x.pt2'
    with pytest.raises(FileNotFoundError):
        Predictor(broken)
    broken.write_bytes(b'x')
    with pytest.raises(ValueError, match='x.pt2 cannot be opened'):
        Predictor(broken)
    with pytest.raises(ValueError, match='run on the CPU'):
        Predictor(broken, 'cuda')


def test_devices() -> None:
    assert choose_device('auto') in ('cpu', 'cuda')
    assert choose_device('cpu') == 'cpu'


def test_images(image_file: Any) -> None:
    """An image classifier reads folders of images."""
    file, folder = image_file
    found = list(Predictor(file, 'cpu').predict(folder))
    loaded: Any = mmvideomamba.load(file)
    for i, one in enumerate(found):
        batch = loaded.pipeline(folder / f'{i}.png')
        score = loaded.test_step(batch)[0].pred_score
        assert one.labels[0] == int(score.argmax())
        assert one.probabilities[0] == pytest.approx(
            float(score.max()), abs=1e-5)
    assert len(found) == 2 and found[0].frames == [[0]]
