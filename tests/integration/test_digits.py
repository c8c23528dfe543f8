"""The image recipes in mmpretrain's own tools, from pictures to a video.

One small classifier is trained by the stock script, then tested, used for
prediction, used as a teacher by ``mim``, and turned into the start of a
recognizer.
"""
from pathlib import Path
from typing import Iterator

import cv2
import mmaction.models  # noqa: F401
import mmpretrain.models  # noqa: F401
import pytest
import torch
from host_tools import CONFIG as RECOGNIZER
from host_tools import ROOT, run_python, run_tool
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain import ImageClassificationInferencer, get_model
from mmpretrain.apis.model import ModelHub
from script import load_script

from mmvideomamba.models import VideoMamba

pytestmark = pytest.mark.slow

FOLDER = ROOT / 'configs/classification'
PLAIN = FOLDER / 'videomamba-micro_1xb32-60e_digits.py'
DISTILLED = FOLDER / 'videomamba-micro_distill-micro_1xb32-15e_digits.py'
# The width, depth and patches of the recognizer of these tests.
SIZES = [
    'model.backbone.arch.embed_dims=32', 'model.backbone.arch.num_layers=2',
    'model.backbone.patch_size=16', 'model.head.in_channels=32'
]
SHORT = [
    'train_cfg.max_epochs=1', 'train_cfg.val_interval=1',
    'param_scheduler.warmup=0', 'train_dataloader.batch_size=64',
    'train_dataloader.num_workers=0', 'val_dataloader.num_workers=0',
    'test_dataloader.num_workers=0'
]


@pytest.fixture
def image_scope() -> Iterator[None]:
    """Set mmpretrain's scope, whatever scope earlier tests have left."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


@pytest.fixture(scope='module')
def digits(tmp_path_factory) -> Path:
    """Return a folder with data/digits and a trained classifier."""
    folder = tmp_path_factory.mktemp('digits')
    tool = load_script('tools/data/digits/make_digits.py')
    tool.write_digits(folder / 'data/digits', train_ratio=0.2)
    done = run_tool(
        'train.py',
        PLAIN,
        '--work-dir',
        folder / 'teacher',
        '--cfg-options',
        *SHORT,
        *SIZES,
        cwd=folder,
        host='mmpretrain')
    assert done.returncode == 0, done.stderr
    assert 'accuracy/top1' in done.stdout + done.stderr
    return folder


@pytest.fixture(scope='module')
def checkpoint(digits: Path) -> Path:
    return digits / 'teacher/epoch_1.pth'


@pytest.fixture
def config(digits: Path) -> Config:
    """Return the classifier's config with absolute paths of the data."""
    cfg = Config.fromfile(digits / 'teacher' / PLAIN.name)
    for part in ('train', 'val', 'test'):
        cfg[f'{part}_dataloader'].dataset.data_root = str(digits /
                                                          'data/digits')
    return cfg


def test_stock_test_tool(digits: Path, checkpoint: Path) -> None:
    done = run_tool(
        'test.py',
        PLAIN,
        checkpoint,
        '--work-dir',
        digits / 'test',
        '--cfg-options',
        *SHORT,
        *SIZES,
        cwd=digits,
        host='mmpretrain')
    assert done.returncode == 0, done.stderr
    assert 'accuracy/top1' in done.stdout + done.stderr


def test_inferencer_labels_an_image(image_scope: None, digits: Path,
                                    checkpoint: Path, config: Config) -> None:
    picture = sorted((digits / 'data/digits/val/7').iterdir())[0]
    inferencer = ImageClassificationInferencer(
        config, pretrained=str(checkpoint), device='cpu')
    result, = inferencer(str(picture))
    assert result['pred_class'] in '0123456789'
    assert int(result['pred_class']) == int(result['pred_label'])
    assert result['pred_scores'].sum() == pytest.approx(1, abs=1e-5)
    # The picture itself, as an array, gets the same label.
    again, = inferencer(cv2.imread(str(picture)))
    assert again['pred_label'] == result['pred_label']
    assert again['pred_score'] == pytest.approx(result['pred_score'])


def test_get_model_and_its_features(image_scope: None, checkpoint: Path,
                                    config: Config) -> None:
    model = get_model(config, pretrained=str(checkpoint))
    assert isinstance(model.backbone, VideoMamba)
    assert list(model._dataset_meta['classes']) == list('0123456789')
    feature, = model.extract_feat(torch.zeros(2, 3, 32, 32))
    assert feature.shape == (2, 32)


def test_models_by_name() -> None:
    """mmpretrain finds our recipes after registering our index."""
    ModelHub.register_model_index(ROOT / 'model-index.yml', config_prefix=ROOT)
    model = get_model(
        'videomamba-tiny_8xb512-300e_in1k', backbone=dict(img_size=32))
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 1000)


def test_mim_trains_a_student(digits: Path, checkpoint: Path, capsys) -> None:
    """The checkpoint fits a plain classifier; dropped keys are logged."""
    work_dir = digits / 'student'
    done = run_python(
        '-m',
        'mim',
        'train',
        'mmpretrain',
        DISTILLED,
        '--gpus',
        0,
        '--work-dir',
        work_dir,
        '--cfg-options',
        *SHORT,
        *(size.replace('=32', '=48') for size in SIZES),
        'model.distill_head.in_channels=48',
        'model.distill_head.teacher.patch_size=16',
        'model.distill_head.teacher.arch.embed_dims=32',
        'model.distill_head.teacher.arch.num_layers=2',
        f'model.distill_head.checkpoint={checkpoint}',
        cwd=digits)
    assert done.returncode == 0, done.stderr
    assert 'teacher VideoMamba (width 32' in done.stdout + done.stderr
    weights = torch.load(work_dir / 'epoch_1.pth')['state_dict']
    assert {k
            for k in weights
            if k.split('.')[0] not in ('backbone', 'head')} == {
                f'distill_head.{k}'
                for k in ('0.weight', '1.weight', '1.bias')
            }
    sizes = dict(arch=dict(embed_dims=48, num_layers=2), patch_size=16)
    capsys.readouterr()
    plain = get_model(
        str(PLAIN),
        pretrained=str(work_dir / 'epoch_1.pth'),
        backbone=sizes,
        head=dict(in_channels=48))
    assert 'unexpected key in source state_dict: distill_head.0.weight' in (
        capsys.readouterr().out)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, weights[name])


def recognizer(clips: Path, work_dir: Path, **init_cfg) -> Config:
    """Return the config of a recognizer with absolute paths of the clips."""
    cfg = Config.fromfile(RECOGNIZER)
    for part in ('train', 'val', 'test'):
        dataset = cfg[f'{part}_dataloader'].dataset
        dataset.ann_file = str(clips / dataset.ann_file)
        dataset.data_prefix.video = str(clips / 'data')
    cfg.model.backbone.init_cfg = init_cfg
    cfg.train_cfg.max_epochs = 1
    cfg.merge_from_dict(
        dict(work_dir=str(work_dir), experiment_name=work_dir.name))
    return cfg


def test_image_to_video(checkpoint: Path, clips: Path, tmp_path: Path) -> None:
    """A recognizer starts from a trained classifier, and is trained."""
    runner = Runner.from_cfg(
        recognizer(
            clips,
            tmp_path / 'video',
            type='Pretrained',
            checkpoint=str(checkpoint)))
    started = []
    init_weights = runner.model.init_weights

    def record() -> None:
        init_weights()
        started.append({
            k: v.clone()
            for k, v in runner.model.backbone.state_dict().items()
        })

    runner.model.init_weights = record
    runner.train()
    images = torch.load(checkpoint)['state_dict']
    start, = started
    for name, value in start.items():
        if name == 'temporal_pos_embedding':
            assert not value.any()
        else:
            assert torch.equal(value, images[f'backbone.{name}']), name
    trained = runner.model.backbone.state_dict()
    assert trained['temporal_pos_embedding'].any()
    assert not torch.equal(trained['cls_token'], start['cls_token'])


def test_still_clip_of_an_image_model(checkpoint: Path,
                                      config: Config) -> None:
    """As a clip of one frame, a picture has the feature of the classifier."""
    image = get_model(config, pretrained=str(checkpoint)).backbone
    with DefaultScope.overwrite_default_scope('mmaction'):
        video = VideoMamba(
            arch=dict(embed_dims=32, num_layers=2),
            img_size=32,
            num_frames=4,
            init_cfg=dict(type='Pretrained', checkpoint=str(checkpoint)))
        video.init_weights()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(video.eval()(x)[0], image(x)[0])


def test_distilled_recognizer_trains(trained: Path, clips: Path,
                                     tmp_path: Path) -> None:
    """The recognizer of the other tests teaches a narrower recognizer."""
    cfg = recognizer(clips, tmp_path / 'distilled')
    teacher = dict(cfg.model.backbone)
    cfg.model.backbone.init_cfg = teacher['init_cfg'] = None
    cfg.merge_from_dict(
        dict(
            model=dict(
                type='mmvideomamba.DistilledRecognizer3D',
                backbone=dict(arch=dict(embed_dims=16)),
                cls_head=dict(in_channels=16),
                distill_head=dict(
                    type='mmvideomamba.TokenDistillHead',
                    in_channels=16,
                    teacher=teacher,
                    checkpoint=str(trained / 'epoch_3.pth')))))
    runner = Runner.from_cfg(cfg)
    runner.train()
    losses = runner.message_hub.get_scalar('train/loss_distill').data[0]
    assert 0 < losses[-1] < 4
    assert (tmp_path / 'distilled/epoch_1.pth').is_file()
    found = runner.model.distill_head.teacher.backbone.cls_token
    wanted = torch.load(trained / 'epoch_3.pth')['state_dict']
    assert torch.equal(found, wanted['backbone.cls_token'])
