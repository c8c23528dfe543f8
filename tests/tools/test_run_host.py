"""Tools of the hosts, as a user runs them on our models."""
import importlib
import logging
import pickle
import sys
from collections import OrderedDict
from contextlib import ExitStack
from pathlib import Path
from typing import Callable, List
from unittest import mock

import cv2
import numpy as np
import pytest
import torch
from host_tools import CONFIG
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, DefaultScope
from script import load_script

pytestmark = pytest.mark.slow
SIZE, PATCH, CLASSES = 32, 16, 2


@pytest.fixture
def run_host(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function to run a tool of a host in this process."""
    monkeypatch.setattr(sys, 'path', list(sys.path))
    importlib.import_module('matplotlib').use('Agg')
    # A tool closes the log files of all loggers at the end, and a model of a
    # later test would write to a closed file.
    monkeypatch.setattr(logging, 'shutdown', lambda: None)

    def run(*arguments) -> None:
        monkeypatch.setattr(sys, 'argv', ['run_host.py', *map(str, arguments)])
        # A run leaves a default scope, and loggers with files in a deleted
        # folder.
        with ExitStack() as stack:
            for kept in (MMLogger, DefaultScope):
                stack.enter_context(
                    mock.patch.object(kept, '_instance_dict', OrderedDict()))
            load_script('tools/run_host.py').main()

    return run


@pytest.fixture
def recognizer(clips: Path, tmp_path: Path,
               monkeypatch: pytest.MonkeyPatch) -> List[Path]:
    """Return config and checkpoint of a recognizer with two test views."""
    monkeypatch.chdir(clips)
    cfg = Config.fromfile(CONFIG)
    pipeline = cfg.test_dataloader.dataset.pipeline
    for step in pipeline:
        if step.type == 'UniformSample':
            step.num_clips = 2
    cfg.test_pipeline = pipeline
    return save(cfg, tmp_path, 'mmaction')


@pytest.fixture
def classifier(tmp_path: Path) -> List[Path]:
    """Return config and checkpoint of a classifier, and a picture."""
    rng = np.random.default_rng(0)
    for label in range(CLASSES):
        (tmp_path / 'data' / str(label)).mkdir(parents=True)
        for i in range(4):
            picture = rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
            cv2.imwrite(str(tmp_path / f'data/{label}/{i}.png'), picture)
    loader = dict(
        batch_size=4,
        num_workers=0,
        dataset=dict(
            type='mmvideomamba.CheckedImageFolder',
            data_root=str(tmp_path / 'data'),
            pipeline=[dict(type='LoadImageFromFile'),
                      dict(type='PackInputs')]),
        sampler=dict(type='DefaultSampler', shuffle=False))
    backbone = dict(
        type='mmvideomamba.VideoMamba',
        arch=dict(embed_dims=16, num_layers=2),
        img_size=SIZE,
        patch_size=PATCH,
        num_frames=1)
    head = dict(type='LinearClsHead', num_classes=CLASSES, in_channels=16)
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            custom_imports=dict(imports=['mmvideomamba']),
            log_level='INFO',
            model=dict(type='ImageClassifier', backbone=backbone, head=head),
            data_preprocessor=dict(num_classes=CLASSES),
            test_dataloader=loader,
            test_evaluator=dict(type='Accuracy'),
            test_cfg=dict(),
            visualizer=dict(type='UniversalVisualizer')))
    picture = tmp_path / 'data' / '0' / '0.png'
    return [*save(cfg, tmp_path, 'mmpretrain'), picture]


def save(cfg: Config, folder: Path, scope: str) -> List[Path]:
    """Write a config and a checkpoint of random weights."""
    importlib.import_module(f'{scope}.models')
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(cfg.model)
    paths = [folder / 'config.py', folder / 'weights.pth']
    cfg.dump(paths[0])
    torch.save(dict(state_dict=model.state_dict(), meta={}), paths[1])
    return paths


def features_of(config: Path,
                checkpoint: Path,
                name: str,
                clips: int = 2) -> torch.Tensor:
    """Compute the class tokens of the views of a clip, (views, c)."""
    cfg = Config.fromfile(config)
    for step in cfg.test_pipeline:
        if step.type == 'UniformSample':
            step.num_clips = clips
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg.model).eval()
        pipeline = Compose(cfg.test_pipeline)
    weights = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(weights['state_dict'])
    data = pseudo_collate([
        pipeline(
            dict(
                filename=f'data/{name}',
                label=-1,
                start_index=0,
                modality='RGB'))
    ])
    with torch.no_grad():
        inputs = model.data_preprocessor(data)['inputs']
        return model.extract_feat(inputs, stage='backbone')[0][0]


def test_features(run_host: Callable, recognizer: List[Path],
                  tmp_path: Path) -> None:
    """Each file holds the features of its own video, whatever the list."""
    names = ['1_9.mp4', '0_8.mp4']
    (tmp_path / 'list.txt').write_text('\n\n'.join(f'{name} 0'
                                                   for name in names))
    for options, folder in (([], 'mean'), (['--views', 'one'], 'one'),
                            (['--multi-view'], 'views')):
        run_host('mmaction', 'clip_feature_extraction', *recognizer,
                 tmp_path / folder, '--video-list', tmp_path / 'list.txt',
                 '--video-root',
                 Path.cwd() / 'data', *options)
    for name in names:
        mean, one, views = (
            pickle.loads((tmp_path / f'{folder}/{name}.pkl').read_bytes())
            for folder in ('mean', 'one', 'views'))
        expected = features_of(*recognizer, name)
        assert expected.shape == (2, 32)
        torch.testing.assert_close(views, expected)
        torch.testing.assert_close(mean, expected.mean(0))
        torch.testing.assert_close(one, features_of(*recognizer, name, 1)[0])
        assert not list((tmp_path / 'mean').glob('total_feats.pkl'))


def test_recognizer(run_host: Callable, recognizer: List[Path], tmp_path: Path,
                    capsys: pytest.CaptureFixture) -> None:
    run_host('mmaction', 'confusion_matrix', *recognizer, '--show-path',
             tmp_path / 'matrix.png')
    run_host('mmaction', 'get_flops', recognizer[0], '--shape', 1, 3, 4, 32,
             32)
    printed = capsys.readouterr().out
    assert 'The confusion matrix is saved at' in printed
    assert cv2.imread(str(tmp_path / 'matrix.png')).std() > 0
    assert 'Flops: 0.779M' in printed


def test_maps_of_a_video(run_host: Callable, recognizer: List[Path],
                         tmp_path: Path) -> None:
    pytest.importorskip('moviepy', reason='the extra demo is missing')
    path = tmp_path / 'cam.gif'
    run_host('mmaction', 'visualizations/vis_cam', *recognizer, 'data/0_0.mp4',
             '--device', 'cpu', '--target-layer-name',
             'backbone/layers/-1/normed', '--out-filename', path)
    video = cv2.VideoCapture(str(path))
    frames = [video.read()[1] for _ in range(8)]  # two views
    assert {frame.shape for frame in frames} == {(32, 32, 3)}
    with pytest.raises(ValueError, match="Take 'backbone/layers/1/normed'"):
        run_host('mmaction', 'visualizations/vis_cam', *recognizer,
                 'data/0_0.mp4', '--device', 'cpu')


def test_classifier(run_host: Callable, classifier: List[Path], tmp_path: Path,
                    capsys: pytest.CaptureFixture) -> None:
    config, checkpoint, picture = classifier
    pytest.importorskip('pytorch_grad_cam')
    for name, layers in (('a', []),
                         ('b', ['--target-layers',
                                'backbone.layers.1.normed'])):
        run_host('mmpretrain', 'vis_cam', picture, config, checkpoint,
                 '--save-path', tmp_path / f'{name}.png', '--method',
                 'EigenCAM', *layers)
    found = [cv2.imread(str(tmp_path / f'{name}.png')) for name in 'ab']
    np.testing.assert_array_equal(*found)
    assert (found[0] != cv2.imread(str(picture))).any()
    run_host('mmpretrain', 'analysis_tools/confusion_matrix', config,
             checkpoint, '--show-path', tmp_path / 'matrix.png')
    run_host('mmpretrain', 'get_flops', config, '--shape', SIZE)
    printed = capsys.readouterr().out
    assert 'The confusion matrix is saved at' in printed
    assert 'Input shape: (3, 32, 32)' in printed
    run_host('mmpretrain', 'visualization/browse_dataset', config,
             '--not-show', '-o', tmp_path / 'seen', '-n', 1, '-p', 'test')
    assert len(list((tmp_path / 'seen').glob('*.png'))) == 1


def test_tsne(run_host: Callable, classifier: List[Path],
              tmp_path: Path) -> None:
    pytest.importorskip('sklearn')
    run_host('mmpretrain', 'vis_tsne', classifier[0], '--checkpoint',
             classifier[1], '--work-dir', tmp_path / 'work', '--perplexity', 2,
             '--n-iter', 250, '--device', 'cpu')
    folder, = (tmp_path / 'work').glob('tsne_*')
    features = np.load(folder / 'feat_1.npy')
    assert features.shape == (8, 16) and len(np.unique(features, axis=0)) == 8
    assert (folder / 'feat_1.png').is_file()
