"""Video-text pretraining goes on where it was interrupted."""
import json
from pathlib import Path
from typing import Callable, List

import cv2
import numpy as np
import pytest
import torch
from host_tools import HERE, needs_multimodal
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

pytestmark = needs_multimodal()
NAMES = [f'loss_{name}' for name in ('uta', 'vtc', 'vtm', 'mlm')]


class Watch(Hook):
    """Note modality and losses; end the process in effect, if told to.

    Args:
        last (int, optional): Iteration that does not happen any more.
    """

    def __init__(self, last: int = None) -> None:
        self.last, self.seen = last, []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.last:
            raise KeyboardInterrupt

    def after_train_iter(self, runner, batch_idx, data_batch, outputs) -> None:
        frames = data_batch['inputs'][0].shape[2]
        self.seen.append((frames, *(outputs[k].item() for k in NAMES)))


@pytest.fixture
def folder(tmp_path: Path, make_video: Callable, monkeypatch) -> Path:
    """Write six videos, four images and a vocabulary, and work there."""
    words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'of', 'clip']
    lines = []
    for i in range(6):
        path = make_video(f'{i}.mp4', frames=6 + i)
        words.append(f'word{i}')
        lines.append(dict(video=str(path), caption=f'A clip of word{i}.'))
    images = []
    for i in range(4):
        noise = np.random.randint(0, 255, (40, 48, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f'{i}.png'), noise)
        images.append(dict(image=f'{i}.png', caption=f'a word{i}'))
    (tmp_path / 'videos.jsonl').write_text('\n'.join(
        json.dumps(line) for line in lines))
    (tmp_path / 'images.json').write_text(json.dumps(images))
    (tmp_path / 'vocab.txt').write_text('\n'.join(words))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(name: str, work_dir: str, resume: bool = False, **kwargs) -> List:
    cfg = Config.fromfile(HERE / 'tiny_multimodal.py')
    cfg.work_dir, cfg.resume, cfg.experiment_name = work_dir, resume, name
    runner = Runner.from_cfg(cfg)
    watch = Watch(**kwargs)
    runner.register_hook(watch)
    try:
        runner.train()
    except KeyboardInterrupt:
        pass
    return watch.seen


def test_a_resumed_pretraining_repeats_an_uninterrupted_one(
        folder: Path) -> None:
    whole = train('whole', 'whole')
    assert sorted(frames for frames, *_ in whole[:5]) == [1, 1, 4, 4, 4]
    assert len(whole) == 10 and torch.tensor(whole).isfinite().all()
    before = train('killed', 'killed', last=7)
    after = train('resumed', 'killed', resume=True)
    assert before == whole[:7] and after == whole[5:]
