"""The tools as a user calls them: options, launchers, host scripts."""
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import List, Optional, TextIO

import cv2
import mmengine
import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from preloaded_python import ALONE, Python, free_port
from script import load_script

from mmvideomamba.command_line import CONFIGS, find_tool
from mmvideomamba.exit_codes import PREEMPTED

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools'

# A small model of the host: the tests are about the tools.
CONFIG = """
_base_ = 'mmaction::_base_/default_runtime.py'
custom_imports = dict(imports=['mmvideomamba'], allow_failed_imports=False)
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ResNet3d',
        depth=18,
        pretrained=None,
        base_channels=4,
        conv1_kernel=(3, 7, 7),
        inflate=(1, 1, 1, 1),
        zero_init_residual=False),
    cls_head=dict(
        type='I3DHead',
        num_classes=2,
        in_channels=32,
        dropout_ratio=0,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[0, 0, 0],
        std=[255, 255, 255],
        format_shape='NCTHW'))
test_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames',
        clip_len=4,
        frame_interval=2,
        num_clips=1,
        test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VideoDataset',
        ann_file='{root}/clips.txt',
        data_prefix=dict(video='{root}'),
        pipeline=test_pipeline))
val_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file='{root}/clips.txt',
        data_prefix=dict(video='{root}'),
        pipeline=test_pipeline,
        test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3))
randomness = dict(seed=1, deterministic=True)
default_hooks = dict(
    visualization=dict(type='VisualizationHook'),
    preemption=dict(type='mmvideomamba.PreemptionHook'),
    logger=dict(interval=1))
"""

train = load_script('tools/train.py')
evaluate = load_script('tools/test.py')


@pytest.fixture(scope='module')
def config(tmp_path_factory) -> str:
    """Write four clips and a config for a training on the clips."""
    root = tmp_path_factory.mktemp('launch')
    rng = np.random.default_rng(0)
    for index in range(4):
        writer = cv2.VideoWriter(
            str(root / f'{index}.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 10,
            (64, 48))
        for _ in range(10):
            writer.write(rng.integers(0, 255, (48, 64, 3), np.uint8))
        writer.release()
    (root / 'clips.txt').write_text(''.join(f'{i}.mp4 {i % 2}\n'
                                            for i in range(4)))
    path = root / 'tiny.py'
    path.write_text(CONFIG.replace('{root}', str(root)))
    return str(path)


@pytest.fixture(scope='module')
def trained(config: str, tmp_path_factory) -> Path:
    """Train with our tool; return the working folder."""
    folder = tmp_path_factory.mktemp('trained')
    call(sys.executable, TOOLS / 'train.py', config, '--work-dir', folder)
    return folder


def call(*command: str, cwd: Optional[Path] = None, **env: str) -> str:
    """Run a command, return the output; a failure fails the test."""
    env['PYTHONPATH'] = str(ROOT)
    if command[0] == sys.executable:
        done = Python(command[1:], cwd or Path.cwd(), **env).wait()
    else:
        done = subprocess.run(
            list(map(str, command)),
            cwd=cwd,
            env={
                **os.environ,
                **ALONE,
                **env
            },
            capture_output=True,
            text=True,
            timeout=900)
    out = done.stdout + done.stderr
    assert done.returncode == 0, out[-4000:]
    return out


def read(file: TextIO) -> str:
    """Return the content of an open file."""
    return Path(file.name).read_text()


def host_tool(name: str) -> str:
    """Return the path of a script in the installed mmaction2."""
    return str(find_tool('mmaction', name))


def state(path: Path) -> dict:
    """Return the weights in a checkpoint."""
    return torch.load(path)['state_dict']


def test_one_line_for_the_user(config: str, capsys, monkeypatch) -> None:
    monkeypatch.setattr(
        sys, 'argv', ['train.py', config, '--cfg-options', 'model.backbone=3'])
    with pytest.raises(SystemExit) as stop:
        train.main()
    assert 'error: --cfg-options' in stop.value.code
    assert 'model.backbone is a dict' in stop.value.code


def test_metafiles_name_real_configs() -> None:
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    listed = {ROOT / name for name in index['Import']}
    assert listed == set(CONFIGS.rglob('metafile.yml'))
    for metafile in listed:
        meta = yaml.safe_load(metafile.read_text())
        for model in meta['Models']:
            assert (ROOT / model['Config']).is_file(), model['Name']
            assert Path(model['Config']).stem == model['Name']


def test_mim_finds_what_it_needs() -> None:
    folder = ROOT / 'mmvideomamba' / '.mim'
    for name in ('configs', 'tools', 'model-index.yml'):
        assert (folder / name).resolve() == ROOT / name


class TestTrainOptions:

    @staticmethod
    def merged(cfg: dict, *words: str) -> Config:
        cfg = Config(dict(default_scope='mmaction', **cfg))
        train.merge_args(cfg,
                         train.build_parser().parse_args(['c.py', *words]))
        return cfg

    def test_seed_wins_over_the_config(self) -> None:
        given = dict(randomness=dict(seed=1, deterministic=True))
        assert self.merged(given).randomness == given['randomness']
        assert self.merged(given, '--seed', '7').randomness == dict(
            seed=7, deterministic=True)
        assert self.merged({}).randomness == dict(seed=None)
        assert self.merged({}, '--diff-rank-seed',
                           '--deterministic').randomness == dict(
                               seed=None,
                               diff_rank_seed=True,
                               deterministic=True)

    def test_resume(self) -> None:
        assert 'resume' not in self.merged({})
        auto = self.merged(dict(load_from='a.pth'), '--resume')
        assert auto.resume is True and auto.load_from is None
        assert auto.first_load_from == 'a.pth'
        assert 'first_load_from' not in self.merged({}, '--resume')
        option = self.merged({}, '--resume', '--cfg-options',
                             'load_from=a.pth')
        assert option.load_from is None
        assert option.first_load_from == 'a.pth'
        named = self.merged({}, '--resume', 'b.pth')
        assert named.resume is True and named.load_from == 'b.pth'

    def test_first_weights_and_the_hooks_of_a_config(self,
                                                     monkeypatch) -> None:
        told: list = []
        monkeypatch.setattr(train, 'print_log',
                            lambda words, **_: told.append(words))
        hooks = dict(checkpoint=dict(type='mmvideomamba.SafeCheckpointHook'))
        given = dict(load_from='a.pth', default_hooks=hooks)
        self.merged(given, '--resume')
        assert not told
        given['default_hooks'] = dict(checkpoint=dict(type='CheckpointHook'))
        self.merged(given, '--resume')
        assert "leaves load_from='a.pth' out" in told[0]

    def test_no_validate(self) -> None:
        cfg = self.merged(
            dict(val_cfg={}, val_dataloader={}, val_evaluator={}),
            '--no-validate')
        assert [cfg.val_cfg, cfg.val_dataloader,
                cfg.val_evaluator] == [None] * 3

    def test_amp(self) -> None:
        cfg = self.merged(dict(optim_wrapper=dict(clip_grad=None)), '--amp')
        assert cfg.optim_wrapper == dict(
            clip_grad=None, type='AmpOptimWrapper', loss_scale='dynamic')
        with pytest.raises(ValueError, match="--amp: .*'ApexOptimWrapper'"):
            self.merged(
                dict(optim_wrapper=dict(type='ApexOptimWrapper')), '--amp')

    def test_auto_scale_lr(self) -> None:
        cfg = self.merged(
            dict(auto_scale_lr=dict(base_batch_size=64)), '--auto-scale-lr')
        assert cfg.auto_scale_lr.enable is True
        with pytest.raises(ValueError, match='base_batch_size'):
            self.merged({}, '--auto-scale-lr')

    def test_options_come_last(self) -> None:
        cfg = self.merged({}, '--seed', '7', '--cfg-options',
                          'randomness.seed=8')
        assert cfg.randomness.seed == 8

    @pytest.mark.parametrize('workers', [0, 2])
    def test_batches_of_mmpretrain(self, workers: int) -> None:
        loader = dict(num_workers=workers, pin_memory=False)
        cfg = Config(
            dict(
                default_scope='mmpretrain',
                train_dataloader=loader,
                val_dataloader=None))
        train.merge_args(cfg, train.build_parser().parse_args(['c.py']))
        assert cfg.train_dataloader == dict(
            num_workers=workers,
            pin_memory=False,
            persistent_workers=workers > 0,
            collate_fn=dict(type='default_collate'))
        assert cfg.val_dataloader is None
        assert self.merged(
            dict(train_dataloader=loader)).train_dataloader == loader


class TestTestOptions:

    @staticmethod
    def merged(cfg: dict, *words: str) -> Config:
        cfg = Config(dict(default_scope='mmaction', **cfg))
        args = evaluate.build_parser().parse_args(['c.py', 'a.pth', *words])
        evaluate.merge_args(cfg, args)
        return cfg

    def test_checkpoint(self) -> None:
        assert self.merged({}).load_from == 'a.pth'

    def test_best_by_the_figure_of_the_options(self, tmp_path: Path) -> None:
        best = tmp_path / 'best_b_epoch_1.pth'
        torch.save({}, best)
        (tmp_path / 'best_a_epoch_1.pth').touch()
        cfg = dict(
            work_dir=str(tmp_path),
            default_hooks=dict(checkpoint=dict(save_best='a')))
        args = evaluate.build_parser().parse_args([
            'c.py', 'best', '--cfg-options',
            'default_hooks.checkpoint.save_best=b'
        ])
        merged = Config(dict(default_scope='mmaction', **cfg))
        evaluate.merge_args(merged, args)
        assert merged.load_from == str(best)

    def test_config_of_a_resumed_training(self) -> None:
        assert self.merged(dict(resume=True)).resume is False

    @pytest.mark.parametrize('evaluator', [dict(type='A'), [dict(type='A')]])
    def test_dump(self, evaluator) -> None:
        cfg = self.merged(dict(test_evaluator=evaluator), '--dump', 'out.pkl')
        assert cfg.test_evaluator == [
            dict(type='A'),
            dict(type='DumpResults', out_file_path='out.pkl')
        ]
        with pytest.raises(ValueError, match='out.json.* .pkl'):
            self.merged(dict(test_evaluator=evaluator), '--dump', 'out.json')

    def test_views(self) -> None:
        steps = [dict(type='UniformSample', clip_len=8, num_clips=4)]
        data = dict(test_dataloader=dict(dataset=dict(pipeline=steps)))
        for words, clips in (((), 4), (('--views', 'one'), 1)):
            found = self.merged(data, *words).test_dataloader.dataset
            assert found.pipeline[0].num_clips == clips
        with pytest.raises(ValueError, match="views must be .* is 'x'"):
            self.merged(data, '--views', 'x')

    def test_show_dir(self) -> None:
        hooks = dict(visualization=dict(type='VisualizationHook'))
        hook = self.merged(
            dict(default_hooks=hooks), '--show-dir', 'd', '--interval',
            '3').default_hooks.visualization
        assert (hook.enable, hook.out_dir, hook.interval) == (True, 'd', 3)
        with pytest.raises(ValueError, match='VisualizationHook'):
            self.merged({}, '--show')

    def test_tta(self) -> None:
        cfg = self.merged(
            dict(
                model=dict(type='M'),
                tta_model=dict(type='T'),
                tta_pipeline=[dict(type='P')],
                test_dataloader=dict(dataset=dict(pipeline=[]))), '--tta')
        assert cfg.model == dict(type='T', module=dict(type='M'))
        assert cfg.test_dataloader.dataset.pipeline == [dict(type='P')]
        with pytest.raises(ValueError, match='no tta_pipeline'):
            self.merged(dict(tta_model=dict(type='T')), '--tta')


@pytest.mark.parametrize('script, arguments, expected', [
    ('slurm_train.sh', ['part', 'job', 'c.py', '--seed', '1 2'],
     ['train.py', 'c.py', '--launcher', 'slurm', '--seed', '1 2']),
    ('slurm_test.sh', ['part', 'job', 'c.py', 'w.pth', '--dump', 'o.pkl'],
     ['test.py', 'c.py', 'w.pth', '--launcher', 'slurm', '--dump', 'o.pkl']),
])
def test_slurm_scripts(tmp_path: Path, script: str, arguments: List[str],
                       expected: List[str]) -> None:
    """srun gets the resources, the tool gets the tool's arguments."""
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    out = call(
        'bash',
        TOOLS / script,
        *arguments,
        PATH=f'{tmp_path}:{os.environ["PATH"]}',
        GPUS='16',
        SRUN_ARGS='--quotatype=auto --exclusive').splitlines()
    assert out[:2] == ['-p', 'part']
    for word in ('--job-name=job', '--ntasks=16', '--gres=gpu:8',
                 '--quotatype=auto', '--exclusive'):
        assert word in out
    tool = next(i for i, word in enumerate(out) if word.endswith('.py'))
    assert [Path(out[tool]).name, *out[tool + 1:]] == expected


@pytest.mark.parametrize('script, arguments', [('dist_train.sh', 2),
                                               ('dist_test.sh', 3),
                                               ('slurm_train.sh', 3),
                                               ('slurm_test.sh', 4)])
def test_scripts_say_how_they_are_used(script: str, arguments: int) -> None:
    """Without arguments, or with one too few, the usage is printed."""
    for given in (0, arguments - 1):
        done = subprocess.run(['bash', TOOLS / script, *['a'] * given],
                              capture_output=True,
                              text=True)
        assert done.returncode == 2
        assert f'{script} ' in done.stderr and 'Usage:' in done.stderr
        assert 'CONFIG' in done.stderr and not done.stdout


@pytest.mark.slow
class TestRuns:
    """Real runs with the small model of the host."""

    def test_stock_tool_trains_the_same(self, config: str, trained: Path,
                                        tmp_path: Path) -> None:
        call(sys.executable, host_tool('train'), config, '--work-dir',
             tmp_path)
        ours = state(trained / 'epoch_2.pth')
        theirs = state(tmp_path / 'epoch_2.pth')
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)

    @pytest.mark.parametrize('stock', [False, True])
    def test_resume_ends_as_without_a_break(self, config: str, trained: Path,
                                            tmp_path: Path,
                                            stock: bool) -> None:
        shutil.copy(trained / 'epoch_1.pth', tmp_path)
        tool = host_tool('train') if stock else TOOLS / 'train.py'
        out = call(sys.executable, tool, config, '--work-dir', tmp_path,
                   '--resume', tmp_path / 'epoch_1.pth')
        assert 'resumed epoch: 1' in out
        whole = state(trained / 'epoch_2.pth')
        resumed = state(tmp_path / 'epoch_2.pth')
        assert all(torch.equal(whole[key], resumed[key]) for key in whole)

    @pytest.mark.parametrize('stock', [False, True])
    def test_test(self, config: str, trained: Path, tmp_path: Path,
                  stock: bool) -> None:
        tool = host_tool('test') if stock else TOOLS / 'test.py'
        out = call(sys.executable, tool, config, trained / 'epoch_2.pth',
                   '--work-dir', tmp_path, '--dump', tmp_path / 'out.pkl')
        assert 'acc/top1' in out
        assert len(mmengine.load(tmp_path / 'out.pkl')) == 4

    def test_two_nodes(self, config: str, tmp_path: Path) -> None:
        """A signal to an agent ends both; a test of the checkpoint."""
        port = str(free_port())
        command = [
            'bash', TOOLS / 'dist_train.sh', config, 1, '--work-dir', tmp_path,
            '--cfg-options', 'train_cfg.max_epochs=100000'
        ]
        env = dict(
            os.environ, **ALONE, PYTHONPATH=str(ROOT), PORT=port, NNODES='2')
        with open(tmp_path / 'out', 'w+') as out:
            agents = [
                subprocess.Popen(
                    list(map(str, command)),
                    env=dict(env, NODE_RANK=rank),
                    stdout=out,
                    stderr=out) for rank in '01'
            ]
            try:
                end = time.monotonic() + 300
                while 'Epoch(train)' not in (printed := read(out)):
                    assert all(x.poll() is None for x in agents) and \
                        time.monotonic() < end, printed
                    time.sleep(0.1)
                agents[1].terminate()
                assert [x.wait(300)
                        for x in agents] == [PREEMPTED] * 2, read(out)
            finally:
                for one in agents:
                    one.kill()
        assert 'Distributed launcher: pytorch' in printed
        assert 'Distributed training: True' in printed
        assert 'GPU number: 2' in printed
        out = call(
            'bash',
            TOOLS / 'dist_test.sh',
            config, (tmp_path / 'last_checkpoint').read_text(),
            '2',
            '--work-dir',
            tmp_path,
            cwd=tmp_path,
            PORT=port)
        assert 'acc/top1' in out

    def test_host_tool_without_a_config_import(self, config: str,
                                               trained: Path,
                                               tmp_path: Path) -> None:
        call(sys.executable, TOOLS / 'run_host.py', 'mmaction',
             'publish_model', trained / 'epoch_2.pth', tmp_path / 'p.pth')
        assert len(list(tmp_path.glob('p*.pth'))) == 1
        call(sys.executable, TOOLS / 'run_host.py', 'mmaction',
             'confusion_matrix', config, trained / 'epoch_2.pth',
             '--show-path', tmp_path / 'matrix.png')
        assert (tmp_path / 'matrix.png').is_file()

    def test_inference_apis(self, config: str, trained: Path) -> None:
        from mmaction.apis import (MMAction2Inferencer, inference_recognizer,
                                   init_recognizer)
        weights = str(trained / 'epoch_2.pth')
        clip = str(Path(config).with_name('0.mp4'))
        model = init_recognizer(config, weights, device='cpu')
        scores = inference_recognizer(model, clip).pred_score
        assert scores.shape == (2, ) and scores.sum() == pytest.approx(1)
        inferencer = MMAction2Inferencer(
            rec=config, rec_weights=weights, device='cpu')
        again = inferencer(clip)['predictions'][0]['rec_scores'][0]
        assert again == pytest.approx(scores.tolist(), abs=1e-6)
