"""Scripts for exported models: alone, alike, and clear about bad input."""
import ast
import json
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import cv2
import numpy as np
import pytest
from script import ROOT, load_script

onnx = pytest.importorskip('onnx', reason='the extra export is missing')
pytest.importorskip('onnxruntime', reason='the extra export is missing')

FOLDER = ROOT / 'docs' / 'consumers'
SCRIPTS = dict(
    run_onnx={'onnxruntime'},
    run_pt2={'torch', 'zipfile'},
    run_pte={'torch', 'executorch'})
SHARED = {'PIL', 'argparse', 'av', 'cv2', 'json', 'numpy', 'os', 'sys',
          'typing'}  # yapf: disable
consumer = load_script('docs/consumers/run_onnx.py')


def tree_of(name: str) -> ast.Module:
    return ast.parse((FOLDER / f'{name}.py').read_text())


def test_all_scripts_are_known() -> None:
    assert {path.stem for path in FOLDER.glob('*.py')} == set(SCRIPTS)


@pytest.mark.parametrize('name', SCRIPTS)
def test_imports(name: str) -> None:
    """Nothing of ours or of the hosts."""
    found = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    assert {x.partition('.')[0] for x in found} == SHARED | SCRIPTS[name]


def test_the_same_functions() -> None:
    """A mistake is mended in all scripts; only ``load`` differs."""
    parts: List[Dict[str, str]] = []
    for name in SCRIPTS:
        body = tree_of(name).body
        parts.append({
            getattr(node, 'name', ast.dump(node)): ast.dump(node)
            for node in body[1:]
            if not isinstance(node, (ast.Import, ast.ImportFrom))
        })
        assert parts[-1].pop('load')
    assert len(parts[0]) > 15
    assert parts[0] == parts[1] == parts[2]


def describe(**changes: Any) -> Dict[str, Any]:
    """Return the description of a model of 3 classes: red, green, blue."""
    shape = ['batch', 'views', 2, 8, 8, 3]
    rule = dict(
        kind='uniform',
        frames=2,
        clips=2,
        resize=dict(
            short_side=8,
            rounding='nearest',
            interpolation='bilinear',
            library='opencv'),
        crop='three',
        crops=3,
        size=8)
    outputs = [dict(name='probabilities'), dict(name='logits')]
    found = dict(
        task='video-classification',
        classes=['red', 'green', 'blue'],
        sampling=rule,
        average='prob',
        probability='softmax',
        tensors=dict(
            inputs=[dict(name='frames', shape=shape)], outputs=outputs))
    return {**found, **changes}


def export(path: Path, shape: list, metadata: Any) -> Path:
    """Write a model whose logits are the mean colours of a view."""
    helper, types = onnx.helper, onnx.TensorProto
    axes = [[2, 3, 4], [1]]
    nodes = [
        helper.make_node('Cast', ['frames'], ['floats'], to=types.FLOAT),
        helper.make_node('Mul', ['floats', 'scale'], ['scaled']),
        helper.make_node('ReduceMean', ['scaled', 'inner'], ['logits'],
                         keepdims=0),
        helper.make_node('Softmax', ['logits'], ['views'], axis=-1),
        helper.make_node('ReduceMean', ['views', 'outer'], ['probabilities'],
                         keepdims=0)
    ]  # yapf: disable
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, 'colours', [value('frames', types.UINT8, shape)], [
            value('probabilities', types.FLOAT, [None, 3]),
            value('logits', types.FLOAT, [None, None, 3])
        ], [
            helper.make_tensor('scale', types.FLOAT, [], [1 / 64]),
            helper.make_tensor('inner', types.INT64, [3], axes[0]),
            helper.make_tensor('outer', types.INT64, [1], axes[1])
        ])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
    if metadata is not None:
        helper.set_model_props(model, dict(mmvideomamba=json.dumps(metadata)))
    onnx.save(model, str(path))
    return path


@pytest.fixture
def red(tmp_path: Path) -> Path:
    """Return a video, wider than high, red at the right end."""
    path = tmp_path / 'red.mp4'
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10., (64, 32))
    frame = np.full((32, 64, 3), 64, np.uint8)
    frame[:, 40:, 2] = 240
    for _ in range(6):
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture
def label(monkeypatch, capsys) -> Callable[..., tuple]:
    """Return a function to call the script."""

    def label(*arguments: Any) -> tuple:
        monkeypatch.setattr(sys, 'argv', ['run_onnx.py', *map(str, arguments)])
        code = consumer.main()
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    return label


def test_labels(red: Path, tmp_path: Path, label: Callable) -> None:
    model = export(tmp_path / 'm.onnx', ['b', 'm', 2, 8, 8, 3], describe())
    code, lines, errors = label(model, red, '--top', 2)
    assert (code, errors) == (0, [])
    assert [line.split()[1] for line in lines
            ] == ['red', 'green'] or [line.split()[1]
                                      for line in lines] == ['red', 'blue']
    code, lines, _ = label(model, red, '--json', '--top', 3)
    found = json.loads(lines[0])
    assert found['views'] == 6
    views = consumer.read_views(str(red), describe()['sampling'])
    powers = np.exp(views.mean(axis=(1, 2, 3)) / 64)
    expected = (powers / powers.sum(1, keepdims=True)).mean(0)
    by_index = sorted(found['predictions'], key=lambda row: row['index'])
    np.testing.assert_allclose([row['probability'] for row in by_index],
                               expected,
                               atol=1e-5)
    assert found['predictions'][0] == dict(
        index=0, label='red', probability=pytest.approx(expected[0], abs=1e-5))


@pytest.mark.parametrize('average', ['prob', 'score'])
@pytest.mark.parametrize('several', [False, True])
def test_a_fixed_number_of_views(average: str, several: bool) -> None:
    """A file for 2 views runs on 6, with the result of all at once."""
    weights = np.random.RandomState(0).randn(3, 3) / 99

    def probability(scores: np.ndarray) -> np.ndarray:
        if several:
            return 1 / (1 + np.exp(-scores))
        powers = np.exp(scores)
        return powers / powers.sum(-1, keepdims=True)

    calls = []

    def run(views: np.ndarray) -> List[np.ndarray]:
        calls.append(views.shape[1])
        logits = views.mean(axis=(2, 3, 4)) @ weights
        if average == 'prob':
            return [probability(logits).mean(1), logits]
        return [probability(logits.mean(1)), logits]

    views = np.random.RandomState(1).randint(
        0, 256, (6, 2, 8, 8, 3), dtype=np.uint8)
    made = describe(
        average=average, probability='sigmoid' if several else 'softmax')
    whole = consumer.score('m.onnx', run, made, views)
    made['tensors']['inputs'][0]['shape'][1] = 2
    parts = consumer.score('m.onnx', run, made, views)
    assert calls == [6, 2, 2, 2]
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
    with pytest.raises(consumer.Refused, match='views=2 and not views=1'):
        consumer.score('m.onnx', run, made, views[:5])


def test_no_classes_to_print(label: Callable, capsys) -> None:
    with pytest.raises(SystemExit):
        label('m.onnx', 'clip.mp4', '--top', 0)
    assert '--top must be at least 1, but got 0' in capsys.readouterr().err


def test_numbers_and_images() -> None:
    made = describe(task='video-regression')
    made['tensors']['outputs'] = [dict(name='value')]
    made['tensors']['inputs'][0]['shape'][1] = 1
    views = np.zeros((2, 2, 8, 8, 3), np.uint8)
    values = iter([1., 4.])
    found = consumer.score('m', lambda x: [np.array([next(values)])], made,
                           views)
    assert found.tolist() == [2.5]
    made = describe(task='image-classification', average=None)
    made['tensors']['inputs'][0]['shape'] = ['batch', 8, 8, 3]

    def run(image: np.ndarray) -> List[np.ndarray]:
        assert image.shape == (1, 8, 8, 3)
        return [np.array([[0.2, 0.8]]), np.zeros((1, 2))]

    scores = consumer.score('m', run, made, views[:1, :1])
    best = consumer.name_best(scores, dict(classes=None), 1)
    assert best == [dict(index=1, label='class 1', probability=0.8)]


def test_a_shape_that_the_file_is_not_for(red: Path, tmp_path: Path,
                                          label: Callable) -> None:
    for place, length, words in ((0, 4, 'batch=4 and not batch=1'),
                                 (2, 3, 'frames=3 and not frames=2'),
                                 (3, 9, 'height=9 and not height=8')):
        made = describe()
        shape = made['tensors']['inputs'][0]['shape']
        shape[place] = length
        model = export(tmp_path / 'm.onnx', shape, made)
        code, lines, errors = label(model, red)
        assert (code, lines, len(errors)) == (1, [], 1)
        assert words in errors[0]


def test_files_that_cannot_be_used(red: Path, tmp_path: Path,
                                   label: Callable) -> None:
    shape = ['b', 'm', 2, 8, 8, 3]
    good = export(tmp_path / 'good.onnx', shape, describe())
    bare = export(tmp_path / 'bare.onnx', shape, None)
    text = tmp_path / 'text.mp4'
    text.write_text('no video')
    # The library draws a text file as pictures of its letters.
    notes = tmp_path / 'notes.txt'
    notes.write_text('Notes on a video. ' * 99)
    cut = tmp_path / 'cut.mp4'
    cut.write_bytes(red.read_bytes()[:200])
    cases = [
        (bare, red, 'has no metadata'),
        (text, red, 'cannot be opened'),
        (tmp_path / 'missing.onnx', red, 'cannot be opened'),
        (good, text, 'cannot be read'),
        (good, notes, 'is a text file'),
        (good, cut, 'has no video stream'),
        (good, tmp_path / 'missing.mp4', 'No such file'),
        (good, tmp_path, 'cannot be read'),
    ]
    beyond = dict(kind='unknown', reason='the step ShuffleFrames ...')
    for name, rule, words in (('unknown', beyond, 'the step ShuffleFrames'),
                              ('none', None, 'no rule'),
                              ('newer',
                               dict(describe()['sampling'],
                                    kind='new'), "'new' is not")):
        path = tmp_path / f'{name}.onnx'
        export(path, shape, describe(sampling=rule))
        cases.append((path, red, words))
    image = dict(describe()['sampling'], kind='image')
    path = tmp_path / 'image.onnx'
    export(path, shape, describe(sampling=image))
    cases += [(path, red, 'it is not an image'),
              (path, tmp_path / 'missing.png', 'No such file')]
    for model, media, words in cases:
        code, lines, errors = label(model, media)
        assert (code, lines, len(errors)) == (1, [], 1), (model, media)
        assert errors[0].startswith('error: ') and words in errors[0]
