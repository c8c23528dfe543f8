import sys

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from script import ROOT, load_script
from sklearn.datasets import load_digits

tool = load_script('tools/data/digits/make_digits.py')


@pytest.fixture
def call(monkeypatch, tmp_path):

    def run(*options):
        arguments = [
            'make_digits.py', '--out-dir', tmp_path / 'digits', *options
        ]
        monkeypatch.setattr(sys, 'argv', list(map(str, arguments)))
        tool.main()
        return tmp_path / 'digits'

    return run


def test_every_digit_is_written_once(call, capsys):
    folder = call()
    paths = {path.stem: path for path in folder.rglob('*.png')}
    digits = load_digits()
    assert sorted(map(int, paths)) == list(range(1797))
    for number in (0, 700, 897, 898, 1796):
        path = paths[f'{number:04d}']
        split, label = path.relative_to(folder).parts[:2]
        assert split == ('train' if number < 898 else 'val')
        assert int(label) == digits.target[number]
        found = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert np.array_equal(
            np.rint(found / 255 * 16).astype(int), digits.images[number])
    for split in ('train', 'val'):
        names = sorted(path.name for path in (folder / split).iterdir())
        assert names == [str(i) for i in range(10)]
    assert '898 training and 899 validation' in capsys.readouterr().out


def test_statistics_in_the_config(call):
    """Mean and deviation in the config equal the training set's."""
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/digits.py')
    pixels = np.stack([
        cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        for path in (call() / 'train').rglob('*.png')
    ])
    assert cfg.data_preprocessor.mean == [round(pixels.mean())] * 3
    assert cfg.data_preprocessor.std == [round(pixels.std())] * 3


@pytest.mark.parametrize('ratio', [0, 1, 1.5])
def test_bad_ratio(call, ratio):
    with pytest.raises(SystemExit, match='--train-ratio must lie between 0'):
        call('--train-ratio', ratio)


def test_nothing_is_overwritten(call):
    call('--train-ratio', 0.9)
    with pytest.raises(SystemExit, match='digits/train exists; remove it'):
        call()


def test_without_scikit_learn(call, monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn.datasets', None)
    with pytest.raises(
            SystemExit, match='needs sklearn.*pip install .*scikit-learn'):
        call()
