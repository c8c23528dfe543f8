import json
import shutil
from collections import Counter
from itertools import combinations as pairs_of
from pathlib import Path

import cv2
import numpy as np
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
    assert tool.make_set(out_dir, 1, 1, seed=3) == 80
    return out_dir


def test_validation_holds_unseen_combinations_of_seen_parts(tool) -> None:
    train, val = tool.combinations()
    assert not set(train) & set(val) and len({*train, *val}) == 80
    for i, j in pairs_of(range(3), 2):
        seen = {(one[i], one[j]) for one in train}
        assert {(one[i], one[j]) for one in val} <= seen
    for i in range(3):
        assert len(set(Counter(one[i] for one in val).values())) == 1


def test_captions_and_vocabulary(tool, folder: Path) -> None:
    words = (folder / 'vocab.txt').read_text().splitlines()
    assert words[:5] == ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
    assert len(words) == len(set(words)) < 256
    for split in ('train', 'val'):
        for entry in json.loads((folder / f'{split}.json').read_text()):
            assert all((folder / name).is_file() for name in entry['video'])
            assert len(set(entry['caption'])) == 12
            for caption in entry['caption']:
                assert set(caption.split()) <= set(words)


@pytest.mark.parametrize('way, axis, sign', [('left', 1, -1), ('right', 1, 1),
                                             ('up', 0, -1), ('down', 0, 1)])
def test_the_disc_goes_where_the_caption_says(tool, way, axis, sign) -> None:
    one = tool.Combination('red', way, 'grass')
    frames = tool.render(one, np.random.default_rng(0)).astype(int)
    red = frames[..., 2] - frames[..., :2].max(-1) > 60
    places = [np.argwhere(frame).mean(0) for frame in red]
    moved = places[-1] - places[0]
    assert sign * moved[axis] > 30 and abs(moved[1 - axis]) < 5


def test_the_set_is_made_once_and_alike(tool, folder: Path,
                                        tmp_path: Path) -> None:
    assert tool.make_set(folder, 1, 1, seed=3) == 0
    with pytest.raises(FileExistsError, match='--overwrite'):
        tool.make_set(folder, 2, 1, seed=3)
    with pytest.raises(ValueError, match='positive.* 0 and 1'):
        tool.make_set(tmp_path, 0, 1)
    name, one = 'val/red-down-bricks-0.mp4', tool.Combination(
        'red', 'down', 'bricks')
    tool.make_clip((name, one), tmp_path, 3)
    assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    capture = cv2.VideoCapture(str(folder / name))
    assert 16 <= capture.get(cv2.CAP_PROP_FRAME_COUNT) < 40


def test_an_interrupted_set_is_no_whole_one(tool, folder: Path, tmp_path: Path,
                                            monkeypatch) -> None:
    again = tmp_path / 'set'
    shutil.copytree(folder, again)

    def stop(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tool, 'make_all', stop)
    with pytest.raises(KeyboardInterrupt):
        tool.make_set(again, 1, 1, seed=4, overwrite=True)
    monkeypatch.setattr(tool, 'make_all', lambda *_: None)
    assert tool.make_set(again, 1, 1, seed=4) == 80
