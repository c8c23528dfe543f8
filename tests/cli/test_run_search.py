"""The verbs ``search index`` and ``search query``."""
import csv
import json
import shutil
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from fake_video_text import FakePredictor
from text_model_files import text_model_file

from mmvideomamba.cli import main, run_search_index, search_model
from mmvideomamba.inference import VideoTextPredictor
from mmvideomamba.inference.search import VideoIndex


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make two videos of a stand-in for the model, a file 'm'."""
    for module in (run_search_index, search_model):
        monkeypatch.setattr(module, 'VideoTextPredictor', FakePredictor)
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'videos/a.mp4').write_text('1 0\n0 1\n')
    (tmp_path / 'videos/b.mp4').write_text('-1 0\n')
    (tmp_path / 'm').touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(line: str, *more: str) -> int:
    return main(['search', *line.split(), *more])


def test_index_and_again(folder: Path, capsys: pytest.CaptureFixture) -> None:
    """Counts of changes come first; later calls need no --model."""
    words = 'index videos --out x --model m --window 4 --stride 2 --tokens'
    (folder / 'videos/bad.mp4').write_text('nothing')
    assert run(words) == 65
    error = capsys.readouterr().err
    assert 'videos: 3 new, 0 changed, 0 moved, 0 removed, 0 up to' in error
    assert 'on the disk (' in error and 'for a query' in error
    assert '3 windows are new: x holds 2 videos, 3 windows' in error
    assert '1 of 3 inputs cannot be read; all others are indexed' in error
    index = VideoIndex.open('x')
    assert index.settings.model == str(folder / 'm')
    assert index.query(np.array([0, 1, 0, 0]), 1)[0].start == 2
    assert run('index videos --out x') == 65
    error = capsys.readouterr().err
    assert '2 up to date, 1 unreadable before and unchanged' in error
    (folder / 'videos/bad.mp4').unlink()
    (folder / 'list.txt').write_text('videos/a.mp4\n')
    assert run('index list.txt --out x --window 4') == 0
    assert run('index videos --out x --retry') == 0
    assert '1 removed, 2 up to date' in capsys.readouterr().err


def test_queries(folder: Path, capsys: pytest.CaptureFixture) -> None:
    run('index videos --out x --model m --tokens')
    capsys.readouterr()
    assert run('query x up --topk 2 --rerank 1') == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ['score', 'judge', 'from', 'to', 'video']
    video = str(folder / 'videos/a.mp4')
    assert first.split() == ['1', '1.000', '0.990', '0:10.0', '0:20.0', video]
    assert second.split()[2] == '-'
    assert run('query x --class up --per-video 1 --out out/hits.csv') == 0
    with open('out/hits.csv', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    assert [row['video'][-5:] for row in rows] == ['a.mp4', 'b.mp4']
    assert rows[0]['start'] == '10.0' and rows[0]['probability'] == ''
    assert run('query x --video videos/a.mp4 --json') == 0
    hit, = json.loads(capsys.readouterr().out)
    assert hit['video'].endswith('b.mp4') and hit['window'] == 0
    (folder / 'videos/b.mp4').unlink()
    assert run('query x left') == 0
    found = capsys.readouterr()
    assert 'b.mp4' not in found.out and 'a.mp4' in found.out
    assert 'note: 1 videos are removed since' in found.err


def test_unknown_words(folder: Path, capsys: pytest.CaptureFixture) -> None:
    """A word missing in the model's vocabulary is named."""
    run('index videos --out x --model m')
    capsys.readouterr()
    for line, count in (('query x left', 1), ('query x --class left', 1),
                        ('query x up', 0)):
        assert run(line) == 0
        error = capsys.readouterr().err
        assert error.count('vocabulary of the model lacks left') == count


def test_names_with_control_characters(folder: Path,
                                       capsys: pytest.CaptureFixture) -> None:
    """A file name cannot write to the terminal."""
    (folder / 'videos/a.mp4').rename(folder / 'videos/縦 \n\x1b[2J.mp4')
    run('index videos --out x --model m')
    capsys.readouterr()
    assert run('query x up --topk 1') == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert line.endswith('videos/縦 \\n\\x1b[2J.mp4')


@pytest.mark.parametrize('line, error', [
    ('query x', 'give either a sentence, --class or --video'),
    ('query x up --class up', 'give either a sentence'),
    ('query x up --templates y', 'are prompts of a class; give --class'),
    ('query x up --out y.txt', 'ending of the file must be one of .json, '),
    ('query x up --out y.csv --json', 'are for the standard output'),
    ('query x --class up --rerank 3', '--rerank needs a sentence'),
    ('query x --video videos', 'videos is a folder; --video takes a file'),
    ('query x --video no.mp4', 'the video no.mp4 does not exist'),
    ('query x up --topk 0', 'topk must be at least 1'),
    ('query videos up', 'videos is not a search index'),
    ('query x up --searcher faiss', "must be 'exact' or"),
    ('query x up --model other', 'of another model'),
    ('index empty --out x', 'the folder empty holds no video'),
    ('index videos --out x --window 5', 'other settings .window None'),
    ('index videos --out x --model other', 'of another model'),
    ('index videos --out y', 'y is not an index yet; give --model'),
    ('index videos --out videos --model m', 'videos is not an index and'),
    ('index none.mp4 --out y --model m', 'none.mp4 does not exist; nothing'),
    ('index no.txt --out x', 'the list no.txt does not exist'),
])
def test_mistakes(folder: Path, line: str, error: str) -> None:
    (folder / 'empty').mkdir()
    run('index videos --out x --model m')
    with pytest.raises(SystemExit, match=error):
        run(line)
    assert not (folder / 'y').exists()


def test_words_and_models(folder: Path) -> None:
    run('index videos --out x --model m')
    with pytest.raises(SystemExit, match='has 6 words, and the model reads'):
        run('query x', 'up up up up up up')
    shutil.rmtree(folder / 'videos')
    (folder / 'm').unlink()
    with pytest.raises(SystemExit, match='m, is no longer there; give --mod'):
        run('query x up')
    (folder / 'index.json').touch()
    VideoIndex.create('empty', FakePredictor())
    with pytest.raises(SystemExit, match='empty is an empty index'):
        run('query empty up')


def test_model_and_videos(tmp_path: Path, make_video: Callable,
                          capsys: pytest.CaptureFixture) -> None:
    """A real model reads real videos; cosine and judge come from the model."""
    pytest.importorskip('tokenizers', reason='texts need tokenizers')
    file = text_model_file('retrieval', tmp_path / 'model').file
    (tmp_path / 'videos').mkdir()
    for name, frames in (('a', 12), ('b', 40)):
        make_video(f'videos/{name}.mp4', frames=frames, size=(48, 32))
    out = str(tmp_path / 'index')
    assert run(f'index {tmp_path}/videos --model {file} --out {out} '
               '--device cpu --window 1 --tokens') == 0
    # 1.2 seconds are two windows, 4 seconds are four.
    assert '\nabout 6 windows: ' in capsys.readouterr().err
    text = 'a square moves left'
    assert run(f'query {out} --device cpu --rerank 6 --json', text) == 0
    hits = json.loads(capsys.readouterr().out)
    model = VideoTextPredictor(str(file), 'cpu')
    words = model.embed_texts([text])[0]
    for one in model.embed_videos(
            str(tmp_path / 'videos'), window=1, tokens=True):
        for i, start in enumerate(one.starts):
            hit, = [
                hit for hit in hits
                if hit['video'] == one.input and hit['window'] == i
            ]
            assert hit['start'] == pytest.approx(start)
            assert hit['score'] == pytest.approx(
                float(words @ one.vectors[i]), abs=1e-5)
            assert hit['probability'] == pytest.approx(
                model.match(one.tokens[i:i + 1], [text])[0, 0], abs=1e-4)
    assert run(f'query {out} --device cpu --video {tmp_path}/videos/a.mp4 '
               '--per-video 1') == 0
    assert 'b.mp4' in capsys.readouterr().out
