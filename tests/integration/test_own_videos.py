"""From videos to a trained model in the two commands of the docs."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from host_tools import ROOT, run_python
from mmaction.apis import init_recognizer
from mmengine.config import Config

import mmvideomamba

pytestmark = pytest.mark.slow

NAME = 'videomamba-micro_1xb8-u8-25e_custom-rgb'
NUMBER = 'videomamba-tiny_1xb8-u8-25e_custom-number-rgb'
# Shorter than the config's schedule, without worker processes.
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


def test_templates_are_judged_alike() -> None:
    """Templates choose by top-1 accuracy alone: two classes are enough."""
    tiny, micro = (
        Config.fromfile(ROOT / f'configs/recognition/custom/{name}.py')
        for name in (NAME.replace('micro', 'tiny'), NAME))
    assert tiny.val_evaluator == micro.val_evaluator == micro.test_evaluator
    options = tiny.val_evaluator.metric_options
    assert options.top_k_accuracy.topk == (1, )


def test_two_commands(folders: Path) -> None:
    done = run('data/build_annotations.py', 'my_videos', cwd=folders)
    assert done.returncode == 0, done.stderr

    def train() -> 'subprocess.CompletedProcess[str]':
        return run(
            'train.py',
            f'{NAME}.py',
            '--data-root',
            'my_videos',
            '--auto-scale-lr',
            '--cfg-options',
            *SHORT,
            cwd=folders)

    done = train()
    assert done.returncode == 0, done.stderr
    work_dir = folders / 'work_dirs' / NAME
    best, = work_dir.glob('best_acc_top1_*.pth')
    log = done.stdout + done.stderr
    assert 'acc/top1: ' in log and 'top1_acc: ' in log
    assert 'acc/top5' not in log and 'top5_acc' not in log
    assert 'Scaling the original LR by 0.5' in log

    # Config and checkpoint hold the rest.
    kept = work_dir / f'{NAME}.py'
    cfg, text = Config.fromfile(kept), kept.read_text()
    assert cfg.test_dataloader.dataset.metainfo.classes == ['left', 'right']
    done = run(
        'test.py',
        f'work_dirs/{NAME}/{NAME}.py',
        f'work_dirs/{NAME}',
        '--views',
        'one',
        '--cfg-options',
        'test_dataloader.num_workers=0',
        'test_dataloader.persistent_workers=False',
        cwd=folders)
    assert done.returncode == 0, done.stderr
    log = done.stdout + done.stderr
    assert f'{best.name}, the best of its training' in log
    assert 'acc/top1: ' in log and 'acc/top5' not in log
    # The next test scores all views.
    assert kept.read_text() == text
    model = init_recognizer(str(cfg.filename), str(work_dir), device='cpu')
    assert model.dataset_meta['classes'] == ['left', 'right']
    assert mmvideomamba.load(work_dir).dataset_meta['classes'] == ('left',
                                                                   'right')

    (folders / 'my_videos' / 'classes.txt').write_text('left\n\nup\n\n')
    (folders / 'my_videos' / 'train.txt').write_text('left/0_0.mp4 2\n')
    done = train()
    assert done.returncode == 1
    line, = done.stderr.strip().splitlines()[-1:]
    assert line.startswith('error: my_videos/train.txt, line 1: label 2')


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
        '--data-root',
        'data/custom',
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
