"""Train, save, load elsewhere, export, and label without this package."""
import json
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List

import numpy as np
import pytest
from host_tools import ROOT, run_python
from preloaded_python import Python

import mmvideomamba

pytest.importorskip('onnxruntime', reason='the extra export is missing')
pytestmark = pytest.mark.slow

NAME = 'quickstart/videomamba-micro_1xb8-u8-25e_quickstart-rgb.py'
CLASSES = [f'{way} from {place}' for way in ('left', 'right')
           for place in ('top', 'bottom', 'east', 'west')]  # yapf: disable
# A step of the training changes the weights; the lists come from the fixture
# ``clips``.
OPTIONS = ('model.backbone.arch.num_layers=1', 'train_cfg.max_epochs=1',
           'train_cfg.val_interval=1', 'train_dataloader.num_workers=0',
           'val_dataloader.num_workers=0',
           'default_hooks.checkpoint.interval=1',
           'default_hooks.visualization.enable=False',
           "vis_backends=[{'type':'LocalVisBackend'}]",
           *(f'{part}_dataloader.dataset.{key}={value}'
             for part in ('train', 'val', 'test')
             for key, value in (('data_root', 'data'),
                                ('metainfo.classes', 'data/classes.txt'))))

LOAD = """
import json, sys
import mmvideomamba
model = mmvideomamba.load(sys.argv[1])
found = [model.test_step(model.pipeline(clip))[0] for clip in sys.argv[2:]]
print(json.dumps([one.pred_score.tolist() for one in found]))
"""
# Neither this package nor a host can be imported.
ALONE = """
import runpy, sys
for name in ('mmvideomamba', 'mmengine', 'mmcv', 'mmaction', 'mmpretrain'):
    assert name not in sys.modules
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.fixture(scope='module')
def folder(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data/ and saved/, a model trained on the data."""
    folder = tmp_path_factory.mktemp('deployment')
    shutil.copytree(clips / 'data', folder / 'data')
    (folder / 'data/classes.txt').write_text('\n'.join(CLASSES))
    done = run_python(
        ROOT / 'tools/train.py',
        ROOT / 'configs' / NAME,
        '--work-dir',
        'run',
        '--cfg-options',
        *OPTIONS,
        cwd=folder)
    assert done.returncode == 0, done.stderr
    mmvideomamba.save_pretrained(folder / 'run/epoch_1.pth', folder / 'saved')
    # The folder ``saved`` is the only source of the tests below.
    shutil.rmtree(folder / 'run')
    return folder


@pytest.fixture(scope='module')
def clip_paths(folder: Path) -> List[Path]:
    names = (folder / 'data/val.txt').read_text().split()[::2]
    return [folder / 'data' / name for name in names[-2:]]


@pytest.fixture(scope='module')
def scores(folder: Path, clip_paths: List[Path]) -> np.ndarray:
    """Return the probabilities of two clips, from a new process."""
    (folder / 'load.py').write_text(LOAD)
    done = run_python(folder / 'load.py', 'saved', *clip_paths, cwd=folder)
    assert done.returncode == 0, done.stderr
    found = np.array(json.loads(done.stdout.splitlines()[-1]))
    assert found.shape == (2, len(CLASSES))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-4)
    # Wrong frames would be noticed.
    assert np.abs(found[0] - found[1]).max() > 0.01
    return found


@pytest.fixture(scope='module')
def exported(folder: Path) -> Dict[str, Path]:
    """Return the exported files of the loaded model by format."""
    done = run_python(
        ROOT / 'tools/deployment/export.py',
        'saved',
        '--formats',
        'pt2',
        'onnx',
        '--out',
        'exported',
        '--rounds',
        '0',
        cwd=folder)
    assert done.returncode == 0, done.stderr
    found = {
        kind: folder / f'exported/model.{kind}'
        for kind in ('pt2', 'onnx')
    }
    assert all(path.is_file() for path in found.values())
    return found


def consume(kind: str, *arguments: object,
            cwd: Path) -> 'subprocess.CompletedProcess[str]':
    """Run the script of a format in a process without this package."""
    (cwd / 'alone.py').write_text(ALONE)
    script = ROOT / f'docs/consumers/run_{kind}.py'
    return Python(['alone.py', script, *arguments], cwd, PYTHONPATH='').wait()


@pytest.mark.parametrize('kind', ['pt2', 'onnx'])
def test_same_probabilities(kind: str, exported: Dict[str, Path],
                            scores: np.ndarray, clip_paths: List[Path],
                            tmp_path: Path) -> None:
    path = shutil.copy(exported[kind], tmp_path)
    done = consume(
        kind,
        path,
        clip_paths[0],
        '--json',
        '--top',
        len(CLASSES),
        cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found['views'] == 6
    rows = sorted(found['predictions'], key=lambda row: row['index'])
    assert [row['label'] for row in rows] == CLASSES
    np.testing.assert_allclose([row['probability'] for row in rows],
                               scores[0],
                               atol=1e-3)


@pytest.mark.parametrize('kind', ['pt2', 'onnx'])
def test_one_line_for_bad_input(kind: str, exported: Dict[str, Path],
                                clip_paths: List[Path],
                                tmp_path: Path) -> None:
    text = tmp_path / 'text.mp4'
    text.write_text('no video')
    for model, media in ((exported[kind], text), (text, clip_paths[0])):
        done = consume(kind, model, media, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, '')
        assert len(done.stderr.splitlines()) == 1, done.stderr
