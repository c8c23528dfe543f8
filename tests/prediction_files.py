"""Fixtures: checkpoints of a moment, with videos and images."""
from pathlib import Path
from typing import Any, Callable, NamedTuple, Tuple

import cv2
import micro_models
import numpy as np
import pytest
from mmengine.config import Config
from tiny_recipes import recipe, runner_file

NAMES = ('jump', 'run', 'walk', 'sit', 'stand', 'turn', 'wave', 'lie')


class Trained(NamedTuple):
    """A checkpoint with videos of the training."""
    cfg: Config
    file: Path
    folder: Path


@pytest.fixture
def trained_file(tmp_path: Path, make_video: Callable) -> Trained:
    """Return a checkpoint of a training, and a folder of three videos."""
    folder = tmp_path / 'videos'
    (folder / 'more').mkdir(parents=True)
    sizes = [(64, 48), (48, 64), (80, 48)]
    for i, (name, size) in enumerate(zip(('a', 'b', 'more/c'), sizes)):
        make_video(f'videos/{name}.mp4', frames=9 + 6 * i, size=size)
    cfg: Any = recipe('quickstart', tmp_path, folder / 'a.mp4')
    lines = [f'{folder / name}.mp4 0' for name in ('a', 'b', 'more/c')]
    Path(cfg.test_dataloader.dataset.ann_file).write_text('\n'.join(lines))
    file = tmp_path / 'epoch_1.pth'
    runner_file(cfg, file, dataset_meta=dict(classes=NAMES))
    return Trained(cfg, file, folder)


@pytest.fixture
def image_file(tmp_path: Path) -> Tuple[Path, Path]:
    """Return a checkpoint of an image classifier, and a folder of images."""
    steps = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=16, backend='pillow'),
        dict(type='PackInputs')
    ]
    model = dict(
        type='ImageClassifier',
        backbone=micro_models.backbone(num_frames=1),
        head=dict(type='LinearClsHead', num_classes=3, in_channels=8))
    cfg = dict(
        default_scope='mmpretrain',
        model=model,
        data_preprocessor=dict(micro_models.PREPROCESSOR, to_rgb=True),
        test_dataloader=dict(dataset=dict(pipeline=steps)))
    runner_file(Config(cfg), tmp_path / 'image.pth')
    folder = tmp_path / 'images'
    folder.mkdir()
    for i in range(2):
        picture = np.random.RandomState(i).randint(0, 256, (20, 24, 3))
        cv2.imwrite(str(folder / f'{i}.png'), picture.astype('uint8'))
    return tmp_path / 'image.pth', folder
