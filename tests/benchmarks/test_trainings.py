"""Tiny runs of the benchmarks of trainings, and the sums in tables."""
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Callable

import pytest
import torch
from torch import nn

Bench = Callable[[str], ModuleType]


def test_training_step(bench: Bench, capsys: pytest.CaptureFixture) -> None:
    bench('training_step').main([
        '--tiny', '--device', 'cpu', '--lines', '--only', 'Tiny 8f, 8 clips',
        '--rows', 'default settings', 'bare loop', 'hand-made graph'
    ])
    lines = [
        json.loads(x) for x in capsys.readouterr().out.splitlines()
        if x.startswith('["')
    ]
    found = {row: entry for _, row, entry in lines}
    assert found['default settings']['ms'] > 0
    assert found['bare loop']['ms'] > 0
    assert found['hand-made graph'] == dict(note='no GPU')


def test_ratios(bench: Bench) -> None:
    script = bench('training_step')
    times = {
        'hand-made graph': 10.,
        'default settings': 11.,
        'default settings, before': 22.,
        'bare loop': 20.
    }
    lines = [script.Line('a', row, dict(ms=x)) for row, x in times.items()]
    # The ratio of windows side by side counts, not the row measured earlier.
    lines.append(script.Line('a', 'compiled', dict(ms=30., ratio=.9)))
    lines += [script.Line('b', 'compiled', dict(note='out of memory'))]
    found = {x[:2]: script.against(x, lines) for x in lines}
    assert found['a', 'default settings'] == ['1.100', '0.500']
    assert found['a', 'compiled'] == ['3.000', '0.900']
    assert found['b', 'compiled'] == ['', '']


def test_groups_of_the_hand_made_step(bench: Bench) -> None:
    a, b, c = (nn.Parameter(torch.ones(1)) for _ in range(3))
    same = dict(lr=1., betas=(.9, .99))
    groups = bench('bare_step').merged_groups([
        dict(same, weight_decay=0., params=[a]),
        dict(same, weight_decay=1., params=[b]),
        dict(same, weight_decay=0., params=[c]),
        dict(same, weight_decay=2., params=[nn.Parameter(a.data, False)])
    ])
    assert [x['params'] for x in groups] == [[a, c], [b]]
    assert [x['weight_decay'] for x in groups] == [0., 1.]


def test_overlapping_kernels_count_once(bench: Bench) -> None:
    covered = bench('device_work').covered
    assert covered([(4, 5), (0, 2), (1, 3), (1.5, 2)]) == 4
    assert covered([]) == 0


def test_work_of_a_gpu(bench: Bench, monkeypatch) -> None:
    """Each reported number is the mean of two steps."""
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda: None)
    work = bench('device_work').DeviceWork(2)
    gpu, host = (
        getattr(torch.autograd.DeviceType, x) for x in ('CUDA', 'CPU'))
    events = [(gpu, '_scan', 0, 4000), (gpu, '_conv', 3000, 5000),
              (gpu, 'Memcpy HtoD', 8000, 9000), (gpu, '_scan', 9000, 10000),
              (gpu, '_scan', 12000, 13000), (host, 'cuLaunchKernelEx', 0, 1),
              (host, 'cudaGraphLaunch', 2, 3), (host, 'cudaMalloc', 5, 6)]
    work._profile = SimpleNamespace(
        stop=lambda: None,
        events=lambda: [
            SimpleNamespace(
                device_type=device,
                name=name,
                time_range=SimpleNamespace(start=start, end=end))
            for device, name, start, end in events
        ])
    work.end()
    assert work.found == dict(busy=4., kernels=2., copies=.5, launches=1.)


def test_agents_share_the_gpus(bench: Bench, monkeypatch) -> None:
    script = bench('scaling')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '3,5,6,7')
    job = script.Job('Tiny 8f, 64 clips', 'auto', 2, 4)
    agents = script.commands(job, Path('c.py'), 'cuda')
    assert [command[-2:] for command, _ in agents] == [['c.py', '2']] * 2
    one, other = (environment for _, environment in agents)
    assert one['CUDA_VISIBLE_DEVICES'] == '3,5'
    assert other['CUDA_VISIBLE_DEVICES'] == '6,7'
    assert one['PORT'] == other['PORT']
    assert (one['NODE_RANK'], other['NODE_RANK']) == ('0', '1')


def test_small_steps(bench: Bench) -> None:
    script = bench('small_steps')
    models = [
        script.build(script.TINY[0], small, 32, torch.device('cpu'))[0]
        for small in (False, True)
    ]
    steps = [
        nn.functional.softplus(p).max().item() for model in models
        for name, p in model.named_parameters()
        if 'dt_proj' in name and name.endswith('bias')
    ]
    # Two directions a layer.
    assert len(steps) == 4
    assert min(steps[:2]) > 0.01
    assert steps[2:] == pytest.approx([script.STEP] * 2)


def test_launching_thread(bench: Bench) -> None:
    args = SimpleNamespace(
        workers=1,
        nice=[10],
        batch_size=2,
        milliseconds=1.,
        seconds=0.02,
        rounds=1)
    lines = bench('launching_thread').report(args).splitlines()
    names = [x.split(' | ')[0] for x in lines if x.startswith('| ')]
    assert names == [
        '| loader', '| no loader', '| 1 workers, niceness 10',
        '| 1 workers, niceness 10, a tensor a batch'
    ]
    assert ' | 1.00 | - |' in lines[-3]
