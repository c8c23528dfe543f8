"""Retrieval as a user runs it: train, then test on one and two processes."""
import json
import re
from pathlib import Path
from typing import Dict

import pytest
from host_tools import HERE, ROOT, run_python, run_ranks

pytest.importorskip('tokenizers', reason='texts need tokenizers')
pytestmark = pytest.mark.slow

CONFIG = HERE / 'tiny_retrieval.py'


@pytest.fixture(scope='module')
def trained(caption_clips: Path) -> Path:
    """Train; return the folder that holds data/."""
    done = run_python(
        ROOT / 'tools/train.py',
        CONFIG,
        '--work-dir',
        'train',
        cwd=caption_clips)
    assert done.returncode == 0, done.stderr
    return caption_clips


def metrics_of(folder: Path) -> Dict[str, float]:
    """Read the metrics that a test logged."""
    log, = folder.glob('*/*.json')
    found = json.loads(log.read_text())
    return {k: v for k, v in found.items() if 'time' not in k}


def test_training_validates(trained: Path) -> None:
    log, = (trained / 'train').glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    losses = [line for line in lines if 'loss_vtc' in line]
    assert losses and {'loss_vtm', 'temperature'} <= set(losses[0])
    assert {'t2v/R@1', 'v2t/R@10', 't2v_emb/R@5',
            'mean_recall'} <= set(lines[-1])
    assert list((trained / 'train').glob('best_*.pth'))


def test_two_processes_find_what_one_finds(trained: Path) -> None:
    found = []
    for processes in (1, 2):
        folder = trained / f'test-{processes}'
        arguments = (ROOT / 'tools/test.py', CONFIG,
                     trained / 'train/epoch_1.pth', '--work-dir', folder)
        if processes == 1:
            done = run_python(*arguments, cwd=trained)
        else:
            done = run_ranks(processes, *arguments, cwd=trained)
        assert done.returncode == 0, done.stderr
        # The bar of 20 videos, of the first process its 10.
        assert f'{20 // processes}/{20 // processes}' in done.stdout
        assert re.search('among 20 videos and 240 texts',
                         done.stderr + done.stdout)
        found.append(metrics_of(folder))
    assert found[0] == found[1]
    assert found[0]['t2v/R@10'] > 0
