"""From videos to a trained model in the two commands of the docs."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from host_tools import ROOT, run_python
from mmengine.config import Config

pytestmark = pytest.mark.slow

NAME = 'videomamba-micro_1xb8-u8-25e_custom-rgb'
NUMBER = 'videomamba-tiny_1xb8-u8-25e_custom-number-rgb'
# Shorter than the config's, without processes that read.
SHORT = ('train_cfg.max_epochs=1', 'train_cfg.val_interval=1',
         'train_dataloader.num_workers=0', 'val_dataloader.num_workers=0',
         'train_dataloader.batch_size=4')


def run(tool: str, *arguments: str,
        cwd: Path) -> 'subprocess.CompletedProcess[str]':
    return run_python(ROOT / 'tools' / tool, *arguments, cwd=cwd)


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


def test_a_number_instead_of_a_class(clips: Path, tmp_path: Path,
                                     monkeypatch) -> None:
    """The lists are written by the lines of the docs."""
    place = tmp_path / 'data' / 'custom'
    place.mkdir(parents=True)
    names = [f'{i % 2}_{i}.mp4' for i in range(4)]
    for name in names:
        shutil.copy(clips / 'data' / name, place)
    (place / 'numbers.csv').write_text(''.join(
        f'{name},{10 + i}\n' for i, name in enumerate(names)))
    text = (ROOT / 'docs' / 'your_own_videos.md').read_text()
    monkeypatch.chdir(tmp_path)
    exec(
        re.search(r'```python\n(import random.*?)```', text, re.S).group(1),
        {})
    values = [
        float(line.split()[1])
        for line in (place / 'train.txt').read_text().splitlines()
    ]
    assert len(values) == 3 and abs(sum(values)) < 1e-6

    # Two frames, since Tiny is slow on a CPU.
    done = run(
        'train.py',
        f'{NUMBER}.py',
        '--cfg-options',
        *SHORT,
        '*_pipeline.UniformSample.clip_len=2',
        'model.backbone.num_frames=2',
        'train_dataloader.persistent_workers=False',
        'val_dataloader.persistent_workers=False',
        cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'regression/mse: ' in done.stdout + done.stderr
    assert list(
        (tmp_path / 'work_dirs' / NUMBER).glob('best_regression_mse_*.pth'))
