"""mmpretrain trains the same backbone on pictures, one frame each."""
from pathlib import Path

import cv2
import mmpretrain.models  # noqa: F401
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

pytestmark = pytest.mark.slow
SIZE = 32


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Write four pictures of each of two classes."""
    for label, name in enumerate(('dark', 'light')):
        (tmp_path / name).mkdir()
        for i in range(4):
            picture = np.random.randint(128 * label, 128 * label + 127,
                                        (40, 48, 3), np.uint8)
            cv2.imwrite(str(tmp_path / name / f'{i}.png'), picture)
    return tmp_path


def make_config(root: Path, work_dir: Path) -> Config:
    dataset = dict(
        type='mmvideomamba.CheckedImageFolder',
        data_root=str(root),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(SIZE, SIZE)),
            dict(type='PackInputs')
        ])
    loader = dict(
        batch_size=4,
        num_workers=0,
        dataset=dataset,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'))
    return Config(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='ImageClassifier',
                data_preprocessor=dict(
                    num_classes=2,
                    mean=[123.675, 116.28, 103.53],
                    std=[58.395, 57.12, 57.375],
                    to_rgb=True),
                backbone=dict(
                    type='mmvideomamba.VideoMamba',
                    arch=dict(embed_dims=32, num_layers=2),
                    img_size=SIZE,
                    patch_size=16,
                    num_frames=1,
                    out_type='cls_token'),
                head=dict(
                    type='LinearClsHead',
                    num_classes=2,
                    in_channels=32,
                    loss=dict(type='CrossEntropyLoss'),
                    topk=(1, ))),
            train_dataloader=loader,
            val_dataloader=loader,
            val_evaluator=dict(type='Accuracy', topk=(1, )),
            train_cfg=dict(by_epoch=True, max_epochs=1),
            val_cfg=dict(),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)),
            work_dir=str(work_dir),
            experiment_name='image_classifier'))


class Record(Hook):
    """Keep the reports of training and validation."""

    def __init__(self) -> None:
        self.losses, self.metrics = [], {}

    def after_train_iter(self, runner, batch_idx, data_batch, outputs) -> None:
        self.losses.append(outputs['loss'].item())

    def after_val_epoch(self, runner, metrics=None) -> None:
        self.metrics.update(metrics)


def test_two_iterations_and_validation(pictures: Path, tmp_path: Path) -> None:
    runner = Runner.from_cfg(make_config(pictures, tmp_path / 'work'))
    record = Record()
    runner.register_hook(record)
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}
    runner.train()
    assert len(record.losses) == 2 and np.isfinite(record.losses).all()
    assert 0 <= record.metrics['accuracy/top1'] <= 100
    for name in ('backbone.patch_embed.proj.weight', 'head.fc.weight'):
        assert not torch.equal(before[name], runner.model.state_dict()[name])
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()
    assert DefaultScope.get_current_instance().scope_name == 'mmpretrain'
