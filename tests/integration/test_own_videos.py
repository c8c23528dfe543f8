"""From class folders to a trained model in the two commands of the docs."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from host_tools import ROOT
from mmengine.config import Config

pytestmark = pytest.mark.slow

NAME = 'videomamba-micro_1xb8-u8-25e_custom-rgb'
# Shorter than the config's, without processes that read.
SHORT = ('train_cfg.max_epochs=1', 'train_cfg.val_interval=1',
         'train_dataloader.num_workers=0', 'val_dataloader.num_workers=0',
         'train_dataloader.batch_size=4')


def run(tool: str, *arguments: str,
        cwd: Path) -> 'subprocess.CompletedProcess[str]':
    return subprocess.run(
        [sys.executable,
         str(ROOT / 'tools' / tool), *arguments],
        cwd=cwd,
        env=dict(os.environ, PYTHONPATH=str(ROOT), CUDA_VISIBLE_DEVICES=''),
        capture_output=True,
        text=True,
        check=False)


@pytest.fixture
def folders(clips: Path, tmp_path: Path) -> Path:
    """Lay twelve clips out as folders of two classes."""
    for name in sorted((clips / 'data').glob('*.mp4')):
        place = tmp_path / 'my_videos' / ('left', 'right')[int(name.name[0])]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, place)
    return tmp_path


def options(folder: str, count: int) -> list:
    """Return the options of the docs for a folder of some classes."""
    found = [f'model.cls_head.num_classes={count}']
    for part in ('train', 'val', 'test'):
        data = f'{part}_dataloader.dataset'
        found += [
            f'{data}.data_root={folder}', f'{data}.num_classes={count}',
            f'{data}.metainfo.classes={folder}/classes.txt'
        ]
    return found


def test_templates_are_judged_alike() -> None:
    """By the best class alone, of which there may be two."""
    tiny, micro = (
        Config.fromfile(ROOT / f'configs/recognition/custom/{name}.py')
        for name in (NAME.replace('micro', 'tiny'), NAME))
    assert tiny.val_evaluator == micro.val_evaluator == micro.test_evaluator
    options = tiny.val_evaluator.metric_options
    assert options.top_k_accuracy.topk == (1, )


def test_two_commands(folders: Path) -> None:
    done = run('data/build_annotations.py', 'my_videos', cwd=folders)
    assert done.returncode == 0, done.stderr

    def train(count: int) -> 'subprocess.CompletedProcess[str]':
        return run(
            'train.py',
            f'{NAME}.py',
            '--cfg-options',
            *options('my_videos', count),
            *SHORT,
            cwd=folders)

    done = train(2)
    assert done.returncode == 0, done.stderr
    assert list((folders / 'work_dirs' / NAME).glob('best_acc_top1_*.pth'))
    log = done.stdout + done.stderr
    assert 'acc/top1: ' in log and 'acc/top5' not in log
    done = train(8)
    assert done.returncode == 1
    assert ('metainfo.classes names 2 classes, but num_classes=8'
            in done.stderr)
