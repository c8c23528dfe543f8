import json
import shutil
from pathlib import Path

import cv2
import pytest
from script import load_script

pytest.importorskip('skimage', reason='the extra quickstart is not installed')
pytest.importorskip('imageio_ffmpeg', reason='quickstart is not installed')


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/data/quickstart/make_quickstart_captions.py')


@pytest.fixture(scope='module')
def folder(tool, tmp_path_factory):
    out_dir = tmp_path_factory.mktemp('captions') / 'set'
    assert tool.make_set(out_dir, 2, 1, limit=8, seed=3) == 32
    return out_dir


def test_lists_and_vocabulary(tool, folder: Path) -> None:
    words = (folder / 'vocab.txt').read_text().splitlines()
    assert words[:5] == ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
    assert len(words) == len(set(words)) < 128
    answers = json.loads((folder / 'answers.json').read_text())
    assert len(answers) == len(set(answers)) == 23
    for split, clips in (('train', 16), ('val', 8), ('test', 8)):
        entries = json.loads((folder / f'{split}.json').read_text())
        videos = [name for entry in entries for name in entry['video']]
        assert len(set(videos)) == clips == len(
            list((folder / split).glob('*.mp4')))
        for entry in entries:
            assert all((folder / name).is_file() for name in entry['video'])
            for caption in entry['caption']:
                assert set(caption.split()) <= set(words)
        captions = {
            name: entry['caption']
            for entry in entries
            for name in entry['video']
        }
        asked = json.loads((folder / f'qa_{split}.json').read_text())
        assert len(asked) == 3 * clips
        assert len({x['question_id'] for x in asked}) == len(asked)
        assert {x['answer'] for x in asked} <= set(answers)
        assert len({(x['video'], x['question']) for x in asked}) == len(asked)
        choices = json.loads((folder / f'mc_{split}.json').read_text())
        assert {x['video'] for x in choices} == set(videos)
        for entry in choices:
            fits = [x in captions[entry['video']] for x in entry['caption']]
            assert fits.index(True) == entry['answer'] and sum(fits) == 1


def test_the_set_is_made_once_and_alike(tool, folder: Path,
                                        tmp_path: Path) -> None:
    assert tool.make_set(folder, 2, 1, limit=8, seed=3) == 0
    with pytest.raises(FileExistsError, match='--overwrite'):
        tool.make_set(folder, 2, 2, limit=8, seed=3)
    for wrong in ((0, 1, None), (1, 1, 0)):
        with pytest.raises(ValueError, match='positive'):
            tool.make_set(tmp_path, *wrong)
    split = 'val'
    one = tool.objects.combinations()[split][0]
    name = f'{split}/{one.name}_0.mp4'
    tool.make_clip((name, one), tmp_path, 3)
    assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    capture = cv2.VideoCapture(str(folder / name))
    assert 16 <= capture.get(cv2.CAP_PROP_FRAME_COUNT) < 25


def test_an_interrupted_set_is_no_whole_one(tool, folder: Path, tmp_path: Path,
                                            monkeypatch) -> None:
    again = tmp_path / 'set'
    shutil.copytree(folder, again)

    def stop(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tool, 'make_all', stop)
    with pytest.raises(KeyboardInterrupt):
        tool.make_set(again, 2, 1, limit=8, seed=4, overwrite=True)
    monkeypatch.setattr(tool, 'make_all', lambda *_: None)
    assert tool.make_set(again, 2, 1, limit=8, seed=4) == 32
