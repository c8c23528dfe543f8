"""Each recipe of retrieval trains and validates, at a tiny size."""
import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import cv2
import numpy as np
import pytest
from host_tools import ROOT, needs_multimodal
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

pytestmark = needs_multimodal()
RECIPES = sorted((ROOT / 'configs/retrieval').glob('*.py'))
WORDS = ['a', 'disc', 'cat', 'dog', 'bird', 'fish', 'cow', 'bee']
COUNT = 8  # videos, images


class Watch(Hook):
    """Note losses and what the validation found."""

    def __init__(self) -> None:
        self.losses: List[Dict[str, float]] = []
        self.metrics: Dict[str, float] = {}

    def after_train_iter(self, runner, batch_idx, data_batch, outputs) -> None:
        self.losses.append({
            k: v.item()
            for k, v in outputs.items() if k.startswith('loss_')
        })

    def after_val_epoch(self, runner, metrics=None) -> None:
        self.metrics = metrics


@pytest.fixture
def folder(tmp_path: Path, make_video: Callable, monkeypatch) -> Path:
    """Write clips, images and a vocabulary, and work there."""
    for i in range(COUNT):
        make_video(f'{i}.mp4', frames=12 + i)
        cv2.imwrite(
            str(tmp_path / f'{i}.png'), np.full((40, 48, 3), i * 30, np.uint8))
    (tmp_path / 'vocab.txt').write_text('\n'.join(
        ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', *WORDS]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def entries(name: str) -> List[Dict[str, Any]]:
    """Return a caption file in the form of a recipe's data."""
    if 'sthv2' in name:  # several videos per text
        return [
            dict(video=[f'{i}.mp4', f'{i + 1}.mp4'], caption=f'a {WORDS[i]}')
            for i in range(0, COUNT, 2)
        ]
    if 'u1-' in name:
        return [
            dict(image=f'{i}.png', caption=[f'{word} {i}' for word in WORDS])
            for i in range(COUNT)
        ]
    sentences = 3 if 'didemo' in name or 'activitynet' in name else 1
    return [
        dict(video=f'{i}.mp4', caption=[f'A {WORDS[i]}.'] * sentences)
        for i in range(COUNT)
    ]


def tiny(path: Path) -> Config:
    """Read a recipe and make model, frames and data small."""
    cfg = Config.fromfile(path)
    cfg.model.vision_encoder.backbone.update(
        arch=dict(embed_dims=16, num_layers=2), img_size=16, patch_size=8)
    cfg.model.text_encoder.update(
        arch=dict(
            vocab_size=32,
            hidden_size=16,
            num_hidden_layers=4,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=160),
        fusion_layer=2,
        encoder_width=16)
    cfg.model.tokenizer.folder = '.'
    for part in ('train', 'val', 'test'):
        loader = cfg[f'{part}_dataloader']
        loader.update(batch_size=4, num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root='', data_prefix=dict(video=''))
        Path(loader.dataset.ann_file).write_text(
            json.dumps(entries(path.stem)))
        for step in loader.dataset.pipeline:
            if step['type'] == 'Resize':
                step['scale'] = (16, 16)
    # The host has no autocast on a CPU.
    del cfg.optim_wrapper.dtype
    cfg.optim_wrapper.type = 'OptimWrapper'
    cfg.param_scheduler.update(T_max=1, warmup=0)
    cfg.train_cfg.max_epochs = 1
    cfg.load_from, cfg.work_dir = None, 'work'
    cfg.experiment_name = path.stem
    return cfg


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_recipe_runs(folder: Path, path: Path) -> None:
    runner = Runner.from_cfg(tiny(path))
    watch = Watch()
    runner.register_hook(watch)
    runner.train()
    names = {'loss_vtc', 'loss_vtm'}
    if 'u12-10e_activitynet' in path.stem:
        names.add('loss_mlm')
    samples = COUNT * (len(WORDS) if 'u1-' in path.stem else 1)
    assert len(watch.losses) == samples // 4
    for losses in watch.losses:
        assert set(losses) == names
        assert np.isfinite(list(losses.values())).all()
    texts = dict(sthv2=COUNT // 2, u1=samples)
    count = next((n for k, n in texts.items() if k in path.stem), COUNT)
    log, = Path('work').glob('*/*.log')
    assert f'among {COUNT} videos and {count} texts' in log.read_text()
    assert {'t2v/R@1', 'v2t_emb/R@10', 'mean_recall'} <= set(watch.metrics)
    best = bool(list(Path('work').glob('best_mean_recall*.pth')))
    assert best == ('_msrvtt-' not in path.stem)
