"""Retrieval as a user runs it: train, then test on one and two processes."""
import json
import re
import subprocess
from pathlib import Path
from typing import Dict, Optional

import pytest
from host_tools import HERE, ROOT, run_python, run_ranks
from mmaction.apis import inference_recognizer
from mmengine.config import Config
from mmengine.runner import Runner

from mmvideomamba.command_line.config import find_config

pytest.importorskip('tokenizers', reason='texts need tokenizers')
pytestmark = pytest.mark.slow

CONFIG = HERE / 'tiny_retrieval.py'
PROMPTS = ('retrieval-videomamba-micro_scratch_1xb32-u4-8e_'
           'quickstart-prompts')
# The model of CONFIG, at the recipe's own size of frames.
SMALL = {
    'model.vision_encoder.backbone.arch.embed_dims': 32,
    'model.vision_encoder.backbone.arch.num_layers': 2,
    'model.text_encoder.encoder_width': 32,
    'model.tokenizer.folder': 'data',
    'model.topk': 3,
    'test_dataloader.dataset.data_root': 'data',
    'test_dataloader.num_workers': 0,
    # Other batches for another number of processes.
    'test_dataloader.batch_size': 3,
}


@pytest.fixture(scope='module')
def trained(caption_clips: Path) -> Path:
    """Train; return the parent folder of data/."""
    done = run_python(
        ROOT / 'tools/train.py',
        CONFIG,
        '--work-dir',
        'train',
        cwd=caption_clips)
    assert done.returncode == 0, done.stderr
    return caption_clips


def metrics_of(folder: Path) -> Dict[str, float]:
    """Read the metrics logged by a test."""
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


def run_test(trained: Path, folder: Path, processes: int, config: object,
             *options: str) -> 'subprocess.CompletedProcess[str]':
    """Test the trained model on one or several processes."""
    arguments = (ROOT / 'tools/test.py', config, trained / 'train/epoch_1.pth',
                 '--work-dir', folder, *options)
    if processes == 1:
        done = run_python(*arguments, cwd=trained)
    else:
        done = run_ranks(processes, *arguments, cwd=trained)
    assert done.returncode == 0, done.stderr
    return done


def test_two_processes_find_what_one_finds(trained: Path) -> None:
    found = []
    for processes in (1, 2):
        folder = trained / f'test-{processes}'
        done = run_test(trained, folder, processes, CONFIG)
        assert re.search('among 20 videos and 80 texts',
                         done.stderr + done.stdout)
        found.append(metrics_of(folder))
    assert found[0] == found[1]
    assert found[0]['t2v/R@10'] > 0


def test_two_processes_recognise_what_one_does(trained: Path,
                                               monkeypatch) -> None:
    """The held-out combinations as classes, by their captions."""
    done = run_test(trained, trained / 'prompts', 2, PROMPTS, '--cfg-options',
                    *(f'{place}={value}' for place, value in SMALL.items()))
    assert '20 classes by 80 prompts' in done.stderr + done.stdout
    found = metrics_of(trained / 'prompts')
    assert {'acc/top1', 'acc/mean1', 'acc/top5_emb'} <= set(found)
    assert found['acc/top5_emb'] > 0
    cfg = Config.fromfile(find_config(PROMPTS))
    cfg.merge_from_dict(SMALL)
    cfg.load_from, cfg.work_dir = 'train/epoch_1.pth', 'alone'
    monkeypatch.chdir(trained)
    runner = Runner.from_cfg(cfg)
    assert runner.test() == found
    # A single video, with classes and prompts of a user's own.
    model = runner.model
    model.cfg = cfg
    model.prompts = ['a {} disc moves left', 'coins with a {} ball']
    model.set_classes(['red', 'blue'])
    video = next(Path('data/val').glob('*.mp4'))
    sample = inference_recognizer(model, str(video))
    assert sample.pred_score.shape == (2, )
    assert sample.pred_label == sample.pred_score.argmax()


@pytest.mark.parametrize(
    'name, start, metric',
    [('videomamba-micro_scratch_1xb32-u4-8e_quickstart-mc', None, 'VQAMC/acc'),
     ('videomamba-micro_quickstart-pre_1xb32-u4-5e_quickstart-qa',
      'train/epoch_1.pth', 'VQA/acc')])
def test_quickstart_questions(trained: Path, monkeypatch, name: str,
                              start: Optional[str], metric: str) -> None:
    """Options are chosen without a training, answers after one epoch."""
    monkeypatch.chdir(trained)
    cfg = Config.fromfile(find_config(name))
    cfg.merge_from_dict({k: v for k, v in SMALL.items() if 'topk' not in k})
    cfg.work_dir = cfg.experiment_name = metric.split('/', maxsplit=1)[0]
    cfg.load_from = 'train/epoch_1.pth'
    if start is None:
        found = Runner.from_cfg(cfg).test()
        assert 0 <= found[metric] <= 100 and found[metric] % 5 == 0  # of 20
        return
    cfg.merge_from_dict({
        f'{part}_dataloader.{key}': value
        for part in ('train', 'val')
        for key, value in (('num_workers', 0), ('dataset.data_root', 'data'))
    })
    cfg.model.answer_file = 'data/answers.json'
    cfg.train_cfg.max_epochs = 1
    cfg.param_scheduler = None
    runner = Runner.from_cfg(cfg)
    assert runner.train() is runner.model
    assert list((trained / cfg.work_dir).glob('best_*.pth'))
    assert runner.test()[metric] > 0
