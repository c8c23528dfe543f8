"""The verbs ``ask`` and ``choose``."""
import json
from pathlib import Path
from typing import Callable

import pytest
from text_model_files import ANSWERS, text_model_file

from mmvideomamba.cli import main
from mmvideomamba.inference import VideoTextPredictor

pytest.importorskip('tokenizers', reason='texts need tokenizers')


def test_ask(tmp_path: Path, make_video: Callable,
             capsys: pytest.CaptureFixture) -> None:
    """Answers of several questions, printed and written."""
    file = text_model_file('questions', tmp_path / 'model').file
    video = str(make_video(frames=30))
    words = [str(file), video, 'a square?', 'moves left', '--device', 'cpu']
    assert main(['ask', *words, '--topk', '2']) == 0
    found = capsys.readouterr()
    assert 'note: ' not in found.err
    printed = found.out.splitlines()
    expected = VideoTextPredictor(file,
                                  'cpu').answer_all(video,
                                                    ['a square', 'moves left'],
                                                    2)
    lines = [
        f'  {a.probability:.4f}  {a.text}' for one in expected for a in one
    ]
    assert printed == ['a square?', *lines[:2], 'moves left', *lines[2:]]
    out = tmp_path / 'new' / 'answers.json'
    part = ['--start', '1', '--end', '2', '--json', str(out)]
    assert main(['ask', *words, *part]) == 0
    assert capsys.readouterr().out == ''
    found = json.loads(out.read_text())
    assert (found['video'], found['start'], found['end']) == (video, 1, 2)
    question, other = found['questions']
    assert question['question'] == 'a square?'
    assert sorted(a['text'] for a in other['answers']) == sorted(ANSWERS)
    for more, message in ((['--topk', '0'], 'topk must be at least 1'),
                          (['--start', '7'], 'lasts 3.000 s'),
                          (['--json', 'x.csv'], 'ending of the file must')):
        with pytest.raises(SystemExit, match=f'error: .*{message}') as error:
            main(['ask', *words, *more])
        assert '\n' not in str(error.value)
    with pytest.raises(SystemExit, match='and can answer, but not choose'):
        main(['choose', *words])


def test_choose(tmp_path: Path, make_video: Callable,
                capsys: pytest.CaptureFixture) -> None:
    file = text_model_file('retrieval', tmp_path / 'model').file
    video = str(make_video())
    words = ['choose', str(file), video, 'A square', 'left', '--device', 'cpu']
    assert main(words) == 0
    expected = VideoTextPredictor(file, 'cpu').choose(video,
                                                      ['A square', 'left'])
    assert capsys.readouterr().out.splitlines() == [
        video, *(f'  {a.probability:.4f}  {a.text}' for a in expected)
    ]
    assert main([*words[:4], 'a zebra', *words[4:]]) == 0
    assert 'note: the vocabulary of the model lacks zebra' in (
        capsys.readouterr().err)
    out = tmp_path / 'choice.json'
    assert main([*words, '--json', str(out)]) == 0
    assert json.loads(out.read_text())['options'] == [
        dict(text=a.text, probability=pytest.approx(a.probability))
        for a in expected
    ]
    with pytest.raises(SystemExit, match='two options or more, but 1'):
        main([*words[:4], '--device', 'cpu'])
    with pytest.raises(SystemExit, match='none.mp4 does not exist'):
        main([*words[:2], 'none.mp4', *words[3:]])
