"""``--gpu``: wrong kernels are found, and avoided by a later process."""
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest
import torch

from mmvideomamba import exit_codes
from mmvideomamba.doctor import __main__, kernels
from mmvideomamba.ops.self_check import CASES, Row

SCRIPT = Path(__file__).with_name('interpreted_doctor.py')


def interpreted(folder: Path, *names: str) -> Tuple[str, Dict[str, Any], str]:
    """Run the script; return the output, the results, and the log."""
    done = subprocess.run([sys.executable, '-W', 'ignore', SCRIPT, *names],
                          env=dict(
                              os.environ,
                              PYTHONPATH=str(SCRIPT.parents[2]),
                              TRITON_INTERPRET='1',
                              CUDA_VISIBLE_DEVICES='',
                              TMPDIR=str(folder),
                              XDG_CACHE_HOME=str(folder)),
                          capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    output, _, last = done.stdout.rstrip().rpartition('\n')
    return output, json.loads(last), done.stderr


@pytest.mark.slow
def test_wrong_kernels_are_found_and_avoided(tmp_path: Path) -> None:
    pytest.importorskip('triton')
    output, found, _ = interpreted(tmp_path, 'coverage', 'doctor')

    # Every kernel is part of the check; a kernel without outputs fails.
    covered = found['coverage']
    assert covered['missing'] == [] and len(covered['launched']) >= 14
    assert covered['right'] == [] and covered['errors'] == []

    assert found['doctor']['codes'] == [0, 1]
    right, wrong = output.split('6 of 6 right')
    assert 'WRONG' not in right
    lines = [line for line in wrong.splitlines() if 'WRONG: ' in line]
    table, verdict = lines[:-1], lines[-1]
    # An unwritten gradient in any dtype. 2 % in a block of channels is seen
    # through the rounding of bfloat16, too.
    assert len(table) == 12
    assert sum('nan' in line and 'causal_conv1d' in line
               for line in table) == 6
    assert sum('add_rms_norm' in line and line.endswith('WRONG: y')
               for line in table) == 6
    assert verdict.startswith('WRONG: add_rms_norm, causal_conv1d; ')

    file, = tmp_path.glob('mmvideomamba/verdicts/*.json')
    content = json.loads(file.read_text())
    assert content['facts']['device'] == "Triton's interpreter"

    _, found, log = interpreted(tmp_path, 'later_process')
    later = found['later_process']
    norm, conv, scan, mixer = later['auto']
    assert norm != 'triton' and conv != 'triton'
    # Wrong kernels for 16 states give way to the general ones.
    assert scan == mixer == 'triton' and later['n16'] == [False, True]
    assert later['ignored'] == ['triton'] * 4
    avoided = [x for x in log.splitlines() if 'wrong kernels on' in x]
    assert len(avoided) == 1 and 'doctor --gpu' in avoided[0]
    for family in ('add_rms_norm', 'causal_conv1d', 'n16_scan bfloat16'):
        assert family in avoided[0]
    named = [x for x in log.splitlines() if 'is named and runs' in x]
    assert len(named) == 1 and 'causal_conv1d' in named[0]


def test_without_a_gpu(capsys: pytest.CaptureFixture,
                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, 'available_backends',
                        lambda: dict(triton='no CUDA device is available'))
    assert __main__.main(['--gpu']) == exit_codes.UNAVAILABLE == 69
    assert capsys.readouterr().out.splitlines() == [
        'the kernels cannot be checked here: no CUDA device is available'
    ]


def test_each_kind_of_gpu_is_checked_once(
        monkeypatch: pytest.MonkeyPatch) -> None:

    class Card:
        """A GPU, as torch describes GPUs."""

        def __init__(self, name: str, major: int) -> None:
            self.name, self.major, self.minor = name, major, 0

    cards = [Card('a', 9), Card('b', 9), Card('a', 9), Card('a', 10)]
    monkeypatch.setattr(kernels, 'interpreting', lambda: False)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: len(cards))
    monkeypatch.setattr(torch.cuda, 'get_device_properties', cards.__getitem__)
    assert list(kernels._devices()) == [0, 1, 3]


@pytest.mark.parametrize('row, ending', [
    (Row(CASES[0], torch.float32, 'few', 1e-7, 2e-6, 5e-5,
         'y'), '1.0e-07   2.0e-06  5.0e-05  right'),
    (Row(CASES[0], torch.float32, 'few', 1e-2, float('nan'), 5e-5,
         'z'), '1.0e-02       nan  5.0e-05  WRONG: z'),
    (Row(CASES[0], torch.float32, 'few', 0, 0, 5e-5, '',
         'no Triton'), '5.0e-05  -  no Triton'),
])
def test_lines(row: Row, ending: str) -> None:
    line = kernels.line_of(row)
    assert line.startswith('selective_scan') and line.endswith(ending)


def test_rows_that_did_not_run_are_no_right_ones() -> None:
    right = Row(CASES[0], torch.float32, 'few', 0, 0, 5e-5, 'y')
    wrong = right._replace(forward=1.)
    skipped = right._replace(skipped='no Triton')
    assert kernels.count([right, wrong]) == '1 of 2 right'
    assert kernels.count([right, wrong, skipped,
                          skipped]) == ('1 of 4 right, 2 not run')
