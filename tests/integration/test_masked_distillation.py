"""Masked distillation as a user runs it: train, resume, share, fine-tune."""
import json
import os
import runpy
import signal
import sys
from pathlib import Path

import cv2
import pytest
import torch
from host_tools import CONFIG, HERE, ROOT, run_ranks, run_tool
from mmengine.config import Config
from mmengine.runner import Runner
from nested import differences
from test_resume import load

from mmvideomamba.config_edit import edit

pytestmark = pytest.mark.slow
UMT_CONFIG = HERE / 'tiny_umt.py'


@pytest.fixture(scope='session')
def pretrained(clips: Path) -> Path:
    """Return the working folder of a pretraining without interruption."""
    folder = clips / 'umt'
    done = run_tool('train.py', UMT_CONFIG, '--work-dir', folder, cwd=clips)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_student_learns_and_the_teacher_does_not(pretrained: Path) -> None:
    first, last = (load(pretrained, i)['state_dict'] for i in (1, 3))
    changed = {k for k in first if not torch.equal(first[k], last[k])}
    assert not any('target_generator' in k for k in changed)
    assert any('neck' in k for k in changed)
    # As published, the last block keeps the initial weights.
    assert any('backbone.layers.0.mixer' in k for k in changed)
    assert not any('backbone.layers.1.' in k for k in changed)


def test_pictures(pretrained: Path) -> None:
    pictures = sorted(pretrained.rglob('alignment_0_*.png'))
    # 12 iterations, every third one drawn.
    assert len(pictures) == 4
    assert cv2.imread(str(pictures[0])).shape[0] > 5 * 96


def test_killed_and_resumed_run_ends_with_the_same_weights(
        clips: Path, pretrained: Path) -> None:
    """Frames, crops, dropped paths and masks are drawn as without a kill."""
    folder = clips / 'killed_umt'
    killed = run_tool(
        'train.py', HERE / 'killed_umt.py', '--work-dir', folder, cwd=clips)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert sorted(p.name for p in folder.glob('epoch_*')) == ['epoch_1.pth']
    resumed = run_tool(
        'train.py', UMT_CONFIG, '--work-dir', folder, '--resume', cwd=clips)
    assert resumed.returncode == 0, resumed.stderr
    expected, found = load(pretrained, 3), load(folder, 3)
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert not differences(found[part], expected[part], part)


def run_ddp(clips: Path, processes: int, gpus: str) -> tuple:
    """Train on some processes; return losses and the last weights."""
    folder = clips / f'ddp_{processes}_{gpus}'
    done = run_ranks(
        processes,
        ROOT / 'tools/train.py',
        HERE / 'ddp_umt.py',
        '--work-dir',
        folder,
        '--cfg-options',
        f'train_dataloader.batch_size={4 // processes}',
        cwd=clips,
        gpus=gpus)
    assert done.returncode == 0, done.stderr
    losses = json.loads((folder / 'losses.json').read_text())
    return losses, load(folder, 2)['state_dict']


@pytest.mark.parametrize(
    'gpus', ['', pytest.param('0,1', marks=pytest.mark.gpu)],
    ids=['cpu', 'gpu'])
def test_two_processes_have_the_loss_of_one(clips: Path, gpus: str) -> None:
    """On the same batch; the weights after the step are equal as well."""
    if gpus and torch.cuda.device_count() < 2:
        pytest.skip('fewer than two CUDA devices are available')
    one, weights = run_ddp(clips, 1, gpus[:1])
    two, others = run_ddp(clips, 2, gpus)
    assert len(one) == len(two) == 4
    assert two == pytest.approx(one, rel=1e-5)
    assert len(set(one)) == 4
    for key, value in weights.items():
        torch.testing.assert_close(others[key], value, rtol=1e-3, atol=1e-5)


def fine_tune(clips: Path, checkpoint: Path, frames: int) -> Path:
    """Train the recognizer for an epoch from a checkpoint."""
    folder = clips / f'finetuned_{frames}'
    cfg = Config.fromfile(CONFIG)
    cfg.work_dir = str(folder)
    cfg.experiment_name = folder.name
    cfg.train_cfg.max_epochs = 1
    cfg.model.backbone.update(
        num_frames=frames,
        patch_size=8,
        init_cfg=dict(type='Pretrained', checkpoint=str(checkpoint)))
    edit(cfg, '*_pipeline', 'mmvideomamba.OpenVideo', min_frames=None)
    edit(cfg, '*_pipeline', 'UniformSample', clip_len=frames)
    for loader in (cfg.train_dataloader, cfg.val_dataloader,
                   cfg.test_dataloader):
        loader.num_workers = 0
    before = os.getcwd()
    os.chdir(clips)
    try:
        Runner.from_cfg(cfg).train()
    finally:
        os.chdir(before)
    return folder / 'epoch_1.pth'


def report_of(checkpoint: Path) -> str:
    """Return the log of a checkpoint's run."""
    return next(checkpoint.parent.rglob('*.log')).read_text()


def test_chain_to_64_frames(clips: Path, pretrained: Path) -> None:
    """Pretraining, then 8 frames, then 64 frames from the 8-frame model."""
    eight = fine_tune(clips, pretrained / 'epoch_3.pth', 8)
    report = report_of(eight)
    assert 'dropped   neck.clip_decoder.0.head.weight' in report
    assert 'dropped   target_generator.*' in report
    assert 'resized' not in report
    longest = fine_tune(clips, eight, 64)
    assert '(1, 8, 32) -> (1, 64, 32)' in report_of(longest)
    state = torch.load(longest)['state_dict']
    assert state['backbone.temporal_pos_embedding'].shape == (1, 64, 32)


def test_picture_by_one_command(clips: Path, pretrained: Path, monkeypatch,
                                capsys) -> None:
    video = next((clips / 'data').glob('*.mp4'))
    out = clips / 'alignment.png'

    def run(config: Path, *arguments: str) -> bytes:
        monkeypatch.setattr(sys, 'argv', [
            'demo_alignment.py',
            str(video),
            str(config),
            str(pretrained / 'epoch_3.pth'), '--out',
            str(out), *arguments
        ])
        runpy.run_path(
            str(ROOT / 'demo/demo_alignment.py'), run_name='__main__')
        assert f'picture: {out}' in capsys.readouterr().out
        return out.read_bytes()

    first = run(UMT_CONFIG)
    assert cv2.imread(str(out)).shape[0] > 5 * 96
    assert run(UMT_CONFIG, '--seed', '0') == first
    assert run(UMT_CONFIG, '--seed', '1') != first
    with pytest.raises(SystemExit, match='error: the config is of a Recog'):
        run(CONFIG)
    video = clips / 'missing.mp4'
    with pytest.raises(SystemExit, match='error: the video .*missing.mp4'):
        run(UMT_CONFIG)
