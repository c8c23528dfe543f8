"""Counting of operations, and evaluation of dumped predictions."""
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from script import load_script
from torch.utils.flop_counter import FlopCounterMode

from mmvideomamba.models import VideoMamba

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools' / 'analysis_tools'
RECIPES = ROOT / 'configs' / 'recognition'
LVU = 'videomamba-tiny_k400-u32-pre_8xb8-u32-70e_lvu-{}-60s-rgb.py'

# G of a view by the published rule: size, frames, side, classes.
PUBLISHED = [
    ('tiny', 1, 224, 1000, 1.0796),
    ('small', 1, 224, 1000, 4.2507),
    ('middle', 1, 224, 1000, 12.6551),
    ('base', 1, 224, 1000, 16.8674),
    ('tiny', 8, 224, 400, 8.6),
    ('tiny', 64, 224, 400, 68.7),
    ('tiny', 16, 288, 400, 28.4),
    ('tiny', 64, 384, 400, 202.0),
    ('small', 8, 224, 400, 33.9),
    ('small', 64, 384, 400, 795.4),
    ('middle', 8, 224, 400, 100.8),
    ('middle', 64, 384, 400, 2368.1),
]
# G that the published rule leaves out of an image at 224 px.
LEFT_OUT = dict(tiny=0.75, small=1.67, middle=3.69, base=4.04)


@pytest.fixture(scope='module')
def flops():
    return load_script('tools/analysis_tools/get_flops.py')


class Model(torch.nn.Module):
    """A backbone with a linear head."""

    def __init__(self, classes: int, *args, **kwargs) -> None:
        super().__init__()
        self.backbone = VideoMamba(*args, **kwargs)
        self.cls_head = torch.nn.Linear(self.backbone.embed_dims, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cls_head(self.backbone(x)[-1])


@pytest.mark.parametrize('arch, frames, side, classes, expected', PUBLISHED)
def test_published_rule(flops, arch: str, frames: int, side: int, classes: int,
                        expected: float) -> None:
    # All blocks cost the same, so one tells the rest.
    depth = VideoMamba.arch_zoo[arch]['num_layers']
    width = VideoMamba.arch_zoo[arch]['embed_dims']
    counts = []
    for layers in (1, 2):
        small = dict(embed_dims=width, num_layers=layers)
        model = Model(classes, small, side, num_frames=frames)
        counts.append(flops.totals(flops.count_macs(model)))
    published, everything = (one + (depth - 1) * (two - one)
                             for one, two in zip(*counts))
    digits = 4 if frames == 1 else 1
    assert round(published / 1e9, digits) == expected
    if frames == 1:
        left_out = (everything - published) / 1e9
        assert left_out == pytest.approx(LEFT_OUT[arch], abs=0.005)


@pytest.mark.parametrize('bidirectional', [True, False])
def test_matrix_products_are_those_of_a_run(flops,
                                            bidirectional: bool) -> None:
    """torch counts a run of the definition; it sees products only."""
    model = Model(
        7,
        dict(embed_dims=32, num_layers=2), (32, 48),
        num_frames=4,
        tubelet_size=2,
        mixer_cfg=dict(backend='torch', bidirectional=bidirectional))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, 4, 32, 48))
    kinds = ('patch embedding', 'in_proj and out_proj', 'x_proj and dt_proj',
             'conv1d', 'head')
    found = flops.count_macs(model)
    seen = counter.get_flop_counts()['Global']
    names = {str(name): count / 2 for name, count in seen.items()}
    products = sum(count for name, count in names.items()
                   if 'convolution' not in name)
    assert products >= found['in_proj and out_proj'] + found[
        'x_proj and dt_proj'] + found['head']
    assert sum(names.values()) == pytest.approx(
        sum(found[kind] for kind in kinds), rel=0.15)


def test_shared_scans_cost_twice(flops) -> None:
    small = dict(embed_dims=32, num_layers=1)
    one, two = (
        flops.count_macs(Model(3, small, 32, num_frames=4, scan_order=order))
        for order in ('spatial_first', 'spatiotemporal_v2'))
    for kind in one:
        factor = 1 if kind in flops.PUBLISHED else 2
        assert two[kind] == factor * one[kind], kind


def test_report_of_a_config(flops) -> None:
    cfg = Config.fromfile(RECIPES / 'sthv2' /
                          'videomamba-tiny_in1k-pre_8xb64-u8-35e_sthv2-rgb.py')
    lines = flops.report(cfg).splitlines()
    assert lines[0] == 'one view: 8 frame(s) of 224x224'
    assert '8.597' in next(x for x in lines if x.startswith('published'))
    assert '(6 view(s))' in next(x for x in lines if x.startswith('all, test'))
    assert lines[-1].split() == ['parameters', '6,990,126']


def test_other_models_cannot_be_counted(flops) -> None:
    with pytest.raises(ValueError, match='the backbone is a NoneType'):
        flops.count_macs(torch.nn.Linear(2, 2))


def run(tool: str, *arguments) -> 'subprocess.CompletedProcess[str]':
    return subprocess.run([sys.executable, TOOLS / tool, *map(str, arguments)],
                          capture_output=True,
                          text=True,
                          check=False)


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
    ([], 'is no list of samples'),
    (dict(a=1), 'is no list of samples'),
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
