"""Everything works on a machine without a wheel of decord."""
import ast
import importlib
import sys
from pathlib import Path
from typing import List

import pytest
from host_tools import CONFIG, HERE, ROOT, TOOLS, run_python
from mmengine.fileio import list_from_file

PACKAGE = ROOT / 'mmvideomamba'
# The reader by decord, imported on first use.
READER = PACKAGE / 'datasets/video/decord_reader.py'


def files_with_decord(*folders: Path) -> List[Path]:
    """Return the files with an import of decord, at any place."""
    found = []
    for path in sorted(f for folder in folders for f in folder.rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [getattr(node, 'module', None) or ''] if isinstance(
                node, ast.ImportFrom) else [
                    alias.name for alias in getattr(node, 'names', [])
                    if isinstance(node, ast.Import)
                ]
            if any(name.split('.')[0] == 'decord' for name in names):
                found.append(path)
    return found


def test_only_the_reader_imports_decord(tmp_path: Path) -> None:
    (tmp_path / 'a.py').write_text('def f():\n    import decord.bridge\n')
    (tmp_path / 'b.py').write_text('from decord import VideoReader\n')
    (tmp_path / 'c.py').write_text('import av, cv2\nfrom . import decord\n')
    assert len(files_with_decord(tmp_path)) == 2
    folders = [ROOT / name for name in ('mmvideomamba', 'tools', 'demo')]
    assert set(files_with_decord(*folders)) <= {READER}


@pytest.mark.slow
def test_doctor_training_test_and_demo(clips: Path, tmp_path: Path) -> None:
    pytest.importorskip('imageio_ffmpeg', reason='needs the extra demo')
    (tmp_path / 'names.txt').write_text('left\nright\n')
    video = clips / 'data' / list_from_file(
        clips / 'data/val.txt')[0].split()[0]
    checkpoint = tmp_path / 'run/epoch_1.pth'
    done = run_python(
        HERE / 'without_decord.py',
        'mmvideomamba.doctor',
        '--',
        TOOLS / 'train.py',
        CONFIG,
        '--work-dir',
        tmp_path / 'run',
        '--cfg-options',
        'train_cfg.max_epochs=1',
        '--',
        TOOLS / 'test.py',
        CONFIG,
        checkpoint,
        '--work-dir',
        tmp_path / 'test',
        '--',
        ROOT / 'demo/demo_recognizer.py',
        video,
        CONFIG,
        checkpoint,
        '--label-file',
        tmp_path / 'names.txt',
        '--out-dir',
        tmp_path / 'out',
        '--device',
        'cpu',
        cwd=clips)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    lines = done.stdout.splitlines()
    assert 'healthy' in lines
    decord, = (line for line in lines if " reader 'decord' cannot" in line)
    assert decord.split()[:2] == ['note', 'decord']
    assert 'acc/top1' in done.stdout + done.stderr
    assert (tmp_path / 'out' / f'{video.stem}_annotated.mp4').exists()
    assert (tmp_path / 'out' / f'{video.stem}_scores.png').exists()


def test_named_reader_names_the_extra(monkeypatch: pytest.MonkeyPatch,
                                      clips: Path) -> None:
    readers = importlib.import_module('mmvideomamba.datasets.video.choice')
    monkeypatch.setitem(sys.modules, 'decord', None)
    readers.reader_class.cache_clear()
    path = str(clips / 'data' / '0_0.mp4')
    with pytest.raises(ImportError, match=r'pip install .*decord'):
        readers.open_video(path, reader='decord')
    assert len(readers.open_video(path)) == 6
