"""The analysis tools as a user calls them."""
import pickle
import subprocess
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from preloaded_python import Python
from script import load_script

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools' / 'analysis_tools'
RECIPES = ROOT / 'configs' / 'recognition'
LVU = 'videomamba-tiny_k400-u32-pre_8xb8-u32-70e_lvu-{}-60s-rgb.py'


def run(tool: str, *arguments) -> 'subprocess.CompletedProcess[str]':
    path = str(TOOLS.parents[1])
    return Python([TOOLS / tool, *arguments], Path.cwd(),
                  PYTHONPATH=path).wait()


@pytest.fixture(scope='module')
def metric():
    return load_script('tools/analysis_tools/eval_metric.py')


def windows(*rows) -> list:
    """Return dumped samples of (video, start, prediction, label)."""
    return [
        dict(
            video_id=video,
            timestamp=start,
            pred_score=torch.tensor(pred),
            gt_label=torch.tensor([label]))
        for video, start, pred, label in rows
    ]


def dump(path: Path, content) -> Path:
    path.write_bytes(pickle.dumps(content))
    return path


def test_dump_of_classes(metric, tmp_path: Path) -> None:
    samples = windows(('a', 0, [.9, .1, 0, 0], 1),
                      ('a', 16, [0., 1., 0, 0], 1),
                      ('b', 0, [0, 0, .6, .4], 3))
    cfg = Config.fromfile(RECIPES / 'lvu' / LVU.format('genre'))
    found = metric.evaluate(cfg, str(dump(tmp_path / 'a.pkl', samples)))
    assert found['acc/top1'] == 0.5


def test_dump_of_numbers(metric, tmp_path: Path) -> None:
    samples = windows(('a', 0, [1.], 2.), ('a', 16, [2.], 2.),
                      ('b', 0, [4.], 3.))
    cfg = Config.fromfile(RECIPES / 'lvu' / LVU.format('like-ratio'))
    found = metric.evaluate(cfg, str(dump(tmp_path / 'a.pkl', samples)))
    assert found['regression/mse'] == pytest.approx((0.25 + 1) / 2)


@pytest.mark.parametrize('content, text', [
    ([], 'is not a list of samples'),
    (dict(a=1), 'is not a list of samples'),
    ([dict(pred_score=1)], 'have no gt_label; they have pred_score'),
])
def test_other_files_are_refused(metric, tmp_path: Path, content,
                                 text: str) -> None:
    with pytest.raises(ValueError, match=text):
        metric.read_dump(str(dump(tmp_path / 'a.pkl', content)))


@pytest.mark.slow
def test_as_a_user_calls_them(tmp_path: Path) -> None:
    name = LVU.format('like-ratio')
    done = run('get_flops.py', name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('one view: 32 frame(s) of 224x224')
    done = run('get_flops.py', 'nothing.py')
    assert done.returncode == 1 and 'nothing.py is neither' in done.stderr
    samples = windows(('a', 0, [1.], 2.))
    path = dump(tmp_path / 'a.pkl', samples)
    done = run('eval_metric.py', name, path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith('regression/mse: 1')
    done = run('eval_metric.py', name, tmp_path / 'no.pkl')
    assert done.returncode == 1 and 'no.pkl does not exist' in done.stderr
