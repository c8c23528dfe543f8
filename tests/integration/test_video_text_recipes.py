"""Each recipe of videos and texts trains and validates, at a tiny size."""
import json
import sqlite3
from pathlib import Path
from typing import Any, Callable, Dict, List

import cv2
import numpy as np
import pytest
from host_tools import ROOT
from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook
from mmengine.runner import Runner

pytest.importorskip('tokenizers', reason='texts need tokenizers')
pytestmark = pytest.mark.slow
PRETRAINING, RETRIEVAL = (
    sorted((ROOT / 'configs' / name).glob('*.py'))
    for name in ('multimodal', 'retrieval'))
PROMPTS = [path for path in RETRIEVAL if path.stem.endswith('-prompts')]
RETRIEVAL = [path for path in RETRIEVAL if path not in PROMPTS]
WORDS = ['a', 'disc', 'cat', 'dog', 'bird', 'fish', 'cow', 'bee']
COUNT = 8  # videos, images


class Watch(Hook):
    """Note losses and the metrics of validation."""

    def __init__(self) -> None:
        self.losses: List[Dict[str, float]] = []
        self.metrics: Dict[str, float] = {}
        self.encoded = 0

    def after_test_iter(self, *args: Any, **kwargs: Any) -> None:
        self.encoded += 1

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


def write_pairs(path: Path, ending: str) -> None:
    """Write a database of clips or images with captions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as database:
        database.execute('CREATE TABLE annos(id INTEGER PRIMARY KEY, '
                         'filename, caption)')
        database.executemany('INSERT INTO annos VALUES (?, ?, ?)',
                             [(i, f'{i}{ending}', WORDS[i])
                              for i in range(COUNT)])
    database.close()


def read(path: Path) -> Config:
    """Read a recipe and make model, frames and data small."""
    cfg = Config.fromfile(path)
    cfg.model.vision_encoder.backbone.update(
        arch=dict(embed_dims=16, num_layers=2),
        img_size=16,
        patch_size=8,
        init_cfg=None)
    cfg.model.text_encoder.update(
        arch=dict(
            vocab_size=32,
            hidden_size=16,
            num_hidden_layers=4,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=160),
        fusion_layer=2,
        encoder_width=16,
        weights=None)
    cfg.model.tokenizer.folder = '.'
    cfg.load_from, cfg.work_dir = None, 'work'
    cfg.experiment_name = path.stem
    if path in PROMPTS:
        shrink(cfg.test_dataloader)
        return cfg
    for part in ('train', 'val', 'test'):
        shrink(cfg[f'{part}_dataloader'])
    for part in ('val', 'test'):
        cfg[f'{part}_dataloader'].dataset.update(
            data_root='', data_prefix=dict(video=''))
        Path(cfg[f'{part}_dataloader'].dataset.ann_file).write_text(
            json.dumps(entries(path.stem)))
    # The host has no autocast on a CPU.
    del cfg.optim_wrapper.dtype, cfg.optim_wrapper.loss_scale
    cfg.optim_wrapper.type = 'OptimWrapper'
    cfg.param_scheduler.update(T_max=1, warmup=0)
    cfg.train_cfg.max_epochs = 1
    return cfg


def shrink(loader: ConfigDict) -> None:
    """Let a loader read small batches of small frames by itself."""
    loader.update(batch_size=4, num_workers=0, persistent_workers=False)
    for step in loader.dataset.pipeline:
        if step['type'] == 'Resize':
            step['scale'] = (16, 16)


def check_run(cfg: Config, names: set, batches: int, texts: int) -> None:
    """Train and validate; check losses and metrics."""
    runner = Runner.from_cfg(cfg)
    watch = Watch()
    runner.register_hook(watch)
    runner.train()
    assert len(watch.losses) == batches
    for losses in watch.losses:
        assert set(losses) == names
        assert np.isfinite(list(losses.values())).all()
    log, = Path('work').glob('*/*.log')
    assert f'among {COUNT} videos and {texts} texts' in log.read_text()
    assert {'t2v/R@1', 'v2t_emb/R@10', 'mean_recall'} <= set(watch.metrics)


@pytest.mark.parametrize('path', RETRIEVAL, ids=lambda path: path.stem)
def test_retrieval(folder: Path, path: Path) -> None:
    cfg = read(path)
    train = cfg.train_dataloader.dataset
    train.update(data_root='', data_prefix=dict(video=''))
    Path(train.ann_file).write_text(json.dumps(entries(path.stem)))
    names = {'loss_vtc', 'loss_vtm'}
    if 'u12-10e_activitynet' in path.stem:
        names.add('loss_mlm')
    samples = COUNT * (len(WORDS) if 'u1-' in path.stem else 1)
    texts = COUNT // 2 if 'sthv2' in path.stem else samples
    check_run(cfg, names, samples // 4, texts)
    best = bool(list(Path('work').glob('best_mean_recall*.pth')))
    assert best == ('_msrvtt-' not in path.stem and 'sthv2' not in path.stem)


@pytest.mark.parametrize('path', PROMPTS, ids=lambda path: path.stem)
def test_prompts(folder: Path, path: Path) -> None:
    cfg = read(path)
    data = cfg.test_dataloader.dataset
    lines = [f'{i}.mp4{data.delimiter}{i % 3}\n' for i in range(COUNT)]
    (folder / 'val.csv').write_text(''.join(lines))
    (folder / 'classes.txt').write_text('Bird\nfish\nCat and dog\n')
    templates = 16 if 'kinetics' in path.stem else 1
    data.update(
        data_root='',
        data_prefix=dict(video=''),
        num_classes=3,
        metainfo=dict(classes='classes.txt'))
    metrics = Runner.from_cfg(cfg).test()
    assert set(metrics) == {
        f'acc/{name}{tail}'
        for name in ('top1', 'top5', 'mean1')
        for tail in ('', '_emb')
    }
    assert metrics['acc/top5'] == 1
    log, = Path('work').glob('*/*.log')
    text = log.read_text()
    assert f'3 classes by {3 * templates} prompts' in text
    # Each class has one name within the vocabulary.
    assert 'cannot tell them apart' not in text


def test_a_missing_vocabulary_shows_before_the_videos(folder: Path) -> None:
    runner = Runner.from_cfg(read(RETRIEVAL[-1]))
    watch = Watch()
    runner.register_hook(watch)
    (folder / 'vocab.txt').unlink()
    with pytest.raises(ValueError, match='no vocab.txt'):
        runner.test()
    assert not watch.encoded


@pytest.mark.parametrize('path', PRETRAINING, ids=lambda path: path.stem)
def test_pretraining(folder: Path, path: Path) -> None:
    cfg = read(path)
    names = {'loss_vtc', 'loss_vtm', 'loss_mlm'}
    if path.stem.startswith('umt-'):
        names.add('loss_uta')
        cfg.model.vision_encoder.neck.update(in_channels=16, out_channels=12)
        tower = dict(
            width=16, num_layers=2, num_heads=2, patch_size=8, out_channels=12)
        cfg.model.teacher.update(arch=tower, img_size=16, init_cfg=None)
    shrink(cfg.train_cfg.image_dataloader)
    batches = 0
    for loader, ending in ((cfg.train_dataloader, '.mp4'),
                           (cfg.train_cfg.image_dataloader, '.png')):
        loader.dataset.data_root = ''
        for source in loader.dataset.sources:
            source.media_root = ''
            write_pairs(Path(source.ann_file), ending)
            batches += COUNT // 4
    check_run(cfg, names, batches, COUNT)
