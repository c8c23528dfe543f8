"""The verb ``predict``: tables, labels, bad inputs."""
import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mmvideomamba.cli import main, run_predict
from mmvideomamba.inference import Predictor


def test_table_and_evaluation(trained_file: Any, tmp_path: Path,
                              capsys: pytest.CaptureFixture) -> None:
    """Labels by the end of a path give accuracy and mistakes."""
    _, file, folder = trained_file
    labels, out = tmp_path / 'labels.txt', tmp_path / 'new/out.json'
    expected = list(Predictor(file, 'cpu').predict(folder, 99))
    right = expected[0].names[0]
    wrong = expected[1].names[-1]
    labels.write_text(f'a {right}\nb.mp4,{wrong}\nmore/c.mp4 '
                      f'{expected[2].labels[0]}\n')
    assert main([
        'predict',
        str(file),
        str(folder), '--out',
        str(out), '--labels',
        str(labels), '--topk', '2', '--device', 'cpu'
    ]) == 0
    rows = json.loads(out.read_text())
    assert [row['input'] for row in rows] == [e.input for e in expected]
    assert [row['labels'] for row in rows] == [e.labels[:2] for e in expected]
    assert rows[0]['names'][0] == right and len(rows[0]['frames'][0]) == 4
    found = json.loads(out.with_name('out.json.evaluation.json').read_text())
    assert found['videos'] == 3
    assert found['top1'] == pytest.approx(2 / 3)
    assert found['worst_mistakes'][0]['true'] == wrong
    assert sum(map(sum, found['confusion_matrix'])) == 3
    printed = capsys.readouterr()
    assert '3 videos with labels: top-1 66.67%' in printed.out
    assert f'but is {wrong}' in printed.out
    assert '\r' not in printed.err  # no bar but on a terminal


def test_bad_inputs_and_labels(trained_file: Any, tmp_path: Path,
                               monkeypatch: pytest.MonkeyPatch,
                               capsys: pytest.CaptureFixture) -> None:
    """Every readable input is predicted; every other input is listed."""
    _, file, folder = trained_file
    (folder / 'bad.mp4').write_bytes(b'no video')
    labels, out = tmp_path / 'labels.txt', tmp_path / 'out.csv'
    labels.write_text('a.mp4 0\nother.mp4 1\n')
    names = ['a.mp4', 'b.mp4', 'bad.mp4']
    monkeypatch.setattr(sys, 'stdin',
                        io.StringIO('\n'.join(f'{folder}/{n}' for n in names)))
    words = ['predict', str(file), '-', '--device', 'cpu', '--out', str(out)]
    assert main([*words, '--labels', str(labels)]) == 65
    with out.open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 3 and rows[0]['name_1'] and rows[0]['frames']
    assert 'bad.mp4' in rows[2]['error'] and not rows[2]['name_1']
    text = capsys.readouterr().err
    assert '1 of 3 inputs cannot be read' in text
    assert '2 inputs have no label' in text and 'b.mp4' in text
    assert '1 labels name no input' in text and 'other.mp4' in text
    found = tmp_path / 'out.csv.evaluation.json'
    assert json.loads(found.read_text())['videos'] == 1


def test_printed(trained_file: Any, capsys: pytest.CaptureFixture) -> None:
    """Without a table the results are printed, and logs go elsewhere."""
    _, file, folder = trained_file
    words = ['--topk', '1', '--views', 'one', '--device', 'cpu']
    assert main(['predict', str(file), f'{folder}/a.mp4', *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[0] == f'{folder}/a.mp4'
    assert float(lines[1].split()[0]) <= 1


def test_what_is_done_is_kept(trained_file: Any, tmp_path: Path,
                              monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption writes the predictions so far."""
    _, file, folder = trained_file
    add = run_predict.Results.add

    def add_one(self: Any, one: Any) -> None:
        if self.rows:
            raise KeyboardInterrupt
        add(self, one)

    monkeypatch.setattr(run_predict.Results, 'add', add_one)
    out = tmp_path / 'out.json'
    words = ['--out', str(out), '--device', 'cpu', '--views', '1']
    assert main(['predict', str(file), str(folder), *words]) == 130
    assert len(json.loads(out.read_text())) == 1


@pytest.mark.parametrize('words, text', [
    (['--topk', '0'], '--topk must be at least 1'),
    (['--out', 'x.xls'], 'ending of the file must be one of .json, .csv'),
    (['--views', 'some'], 'views must be'),
    (['--labels', 'gone.txt'], 'gone.txt does not exist'),
    (['--classes', 'gone.txt'], "'gone.txt' does not exist"),
])
def test_mistakes(trained_file: Any, words: list, text: str) -> None:
    """A mistake of the user is one line."""
    _, file, folder = trained_file
    with pytest.raises(SystemExit, match=f'^error: .*{text}'):
        main(['predict', str(file), str(folder), *words])
