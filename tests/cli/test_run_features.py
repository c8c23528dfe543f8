"""The verb ``features``: files, tables, going on."""
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmvideomamba.cli import main
from mmvideomamba.inference import Predictor
from mmvideomamba.inference.predictor.feature_files import FeatureFolder


def run(trained_file: Any, out: Path, *words: str) -> int:
    _, file, folder = trained_file
    return main([
        'features',
        str(file),
        str(folder), '--out',
        str(out), '--device', 'cpu', *words
    ])


def test_killed_and_continued(trained_file: Any, tmp_path: Path,
                              monkeypatch: pytest.MonkeyPatch,
                              capsys: pytest.CaptureFixture) -> None:
    """An end in the midst of a write costs no finished video."""
    out, save = tmp_path / 'out', FeatureFolder.save
    words = ['--level', 'window', '--interval', '1', '--stride', '2']

    def stop(self: Any, name: str, *rest: Any) -> None:
        if name == 'b':
            self.paths(name)[1].write_text('{}')  # half of a pair
            raise KeyboardInterrupt
        save(self, name, *rest)

    monkeypatch.setattr(FeatureFolder, 'save', stop)
    assert run(trained_file, out, *words) == 130
    assert sorted(p.stem for p in out.rglob('*.npy')) == ['a']
    before = (out / 'a.npy').stat().st_mtime_ns
    monkeypatch.setattr(FeatureFolder, 'save', save)
    assert run(trained_file, out, *words) == 0
    assert '1 of 3 inputs are done already' in capsys.readouterr().err
    assert (out / 'a.npy').stat().st_mtime_ns == before
    expected = Predictor(trained_file.file, 'cpu').features(
        trained_file.folder, 'window', interval=1, stride=2)
    for one, name in zip(expected, ('a', 'b', 'more/c')):
        found = np.load(out / f'{name}.npy')
        assert found.dtype == np.float32 and found.ndim == 2
        np.testing.assert_allclose(found, one.features, atol=1e-5)
        values = json.loads((out / f'{name}.json').read_text())
        assert (values['feature_stride'], values['num_frames']) == (2, 4)
        assert values['times'][1] == [.2, .6] and values['fps'] == 10
    with pytest.raises(SystemExit, match='features of other settings'):
        run(trained_file, out, '--level', 'frame')


def test_table_and_bad_video(trained_file: Any, tmp_path: Path,
                             capsys: pytest.CaptureFixture) -> None:
    bad = trained_file.folder / 'bad.mp4'
    bad.write_bytes(b'no video')
    out = tmp_path / 'x.npz'
    assert run(trained_file, out) == 65
    assert '1 of 4 inputs cannot be read' in capsys.readouterr().err
    with np.load(out) as file:
        assert file['more/c'].shape == (2, 16) and 'bad' not in file
    assert (tmp_path / 'x.npz.parts').is_dir()
    bad.unlink()
    assert run(trained_file, out) == 0
    assert not (tmp_path / 'x.npz.parts').exists()
    with np.load(out) as file:
        assert sorted(file)[:2] == ['a', 'a.times'] and len(file) == 6


def test_mistakes(trained_file: Any, tmp_path: Path) -> None:
    """Nothing of the user is overwritten or passed over."""
    with pytest.raises(SystemExit, match='--views one: views are clips'):
        run(trained_file, tmp_path / 'x', '--level', 'frame', '--views', 'one')
    (tmp_path / 'x.npz.parts').mkdir()
    with pytest.raises(SystemExit, match='x.npz.parts is in the way'):
        run(trained_file, tmp_path / 'x.npz')
