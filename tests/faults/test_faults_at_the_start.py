"""A fault of a config ends a real process with a line, not a traceback."""
from pathlib import Path

import pytest
from host_tools import ROOT, run_python, run_tool

pytestmark = pytest.mark.slow

QUICK = ROOT / 'configs/quickstart/videomamba-micro_1xb8-u8-25e_quickstart-' \
    'rgb.py'


def make_data(folder: Path) -> None:
    """Write lists of clips; the files are never opened."""
    data = folder / 'data/quickstart'
    data.mkdir(parents=True)
    for i in range(8):
        (data / f'{i}.mp4').touch()
    for name in ('train.txt', 'val.txt'):
        (data / name).write_text(''.join(f'{i}.mp4 {i}\n' for i in range(8)))
    (data / 'classes.txt').write_text('\n'.join(map(str, range(8))))


def test_own_tool(tmp_path: Path) -> None:
    """Before the runner logs the config, and makes a working folder."""
    make_data(tmp_path)
    done = run_python(
        ROOT / 'tools/train.py',
        QUICK,
        '--cfg-options',
        'train_dataloder.batch_size=4',
        cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, '')
    errors = done.stderr.splitlines()
    assert errors[-1].startswith('error: --cfg-options train_dataloder.batch')
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'work_dirs').exists()


@pytest.mark.parametrize('option, text', [
    ('train_dataloder.batch_size=4', 'error: train_dataloder: the runner '
     'reads no such key; did you mean train_dataloader?'),
    ('default_hooks.checkpoint.save_best=acc/top9',
     "error: default_hooks.checkpoint.save_best='acc/top9' is none of"),
])
def test_tool_of_the_host(tmp_path: Path, option: str, text: str) -> None:
    """By the hook, before the first step."""
    make_data(tmp_path)
    done = run_tool('train.py', QUICK, '--cfg-options', option, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(text)
    assert 'Traceback' not in done.stderr and 'Epoch(train)' not in done.stdout
