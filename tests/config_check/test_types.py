"""Keys unknown to a class are found; the configs have none."""
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmvideomamba.command_line import CONFIGS, find_config
from mmvideomamba.config_check import value_faults
from mmvideomamba.config_check.training import decay_warnings
from mmvideomamba.config_check.types import nearest, type_faults

NAMES = sorted(
    p.stem for p in CONFIGS.rglob('*.py') if '_base_' not in p.parts)
QUICK = 'videomamba-micro_1xb8-u8-25e_quickstart-rgb'


@pytest.mark.parametrize('name', NAMES)
def test_no_false_alarm(name: str) -> None:
    """Of no config of ours, in training and test."""
    cfg = Config.fromfile(find_config(name))
    assert type_faults(cfg, cfg.default_scope) == []
    assert decay_warnings(cfg, cfg.default_scope) == []
    assert value_faults(cfg, True) == value_faults(cfg, False) == []


@pytest.fixture(scope='module')
def quick() -> Config:
    return Config.fromfile(find_config(QUICK))


@pytest.mark.parametrize('key, value, text', [
    ('model.backbon.depth', 1, "Recognizer3D takes no 'backbon'; did you mean"
     ' backbone'),
    ('model.backbone.num_frame', 4, 'mean num_frames'),
    ('model.cls_head.classes', 4, 'VideoMambaHead takes no .* num_classes'),
    ('model.backbone.type', 'mmvideomamba.VideoManba',
     "no 'mmvideomamba.VideoManba'; did you mean mmvideomamba.VideoMamba"),
    ('train_dataloader.batchsize', 4, 'a dataloader takes no .* batch_size'),
    ('train_dataloader.dataset.annfile', 'a', 'mean ann_file'),
    ('train_dataloader.dataset.pipeline.0.min_frame', 1, 'mean min_frames'),
    ('train_dataloader.sampler.shufle', True, 'mean shuffle'),
    ('val_evaluator.metric_option', 1, 'mean metric_options'),
    ('optim_wrapper.optimizer.weight_dekay', 1, 'mean weight_decay'),
    ('optim_wrapper.optimiser.lr', 1, 'mean optimizer'),
    ('optim_wrapper.clip_gradient', 1, 'OptimWrapper takes no .* clip_grad'),
    ('optim_wrapper.clip_grad.max_nrom', 1, 'clip_grad_norm_ .* max_norm'),
    ('optim_wrapper.paramwise_cfg.norm_decay', 0., 'mean norm_decay_mult'),
    ('param_scheduler.0.tmax', 3, 'takes no'),
    ('train_cfg.max_epoch', 3, 'mean max_epochs'),
    ('default_hooks.checkpoint.intervall', 3, 'mean interval'),
    ('default_hooks.checkpoints.interval', 3, 'not a hook .* mean checkpoint'),
    ('custom_hooks.0.strict', True, 'CheckConfigHook takes no'),
    ('randomness.sed', 3, 'mean seed'),
    ('env_cfg.cudnn_benchmrk', True, 'mean cudnn_benchmark'),
    ('visualizer.nam', 'a', 'mean name'),
    ('log_processor.window', 3, 'mean window_size'),
])
def test_mistyped_keys(quick: Config, key: str, value: Any, text: str) -> None:
    cfg = Config(quick.to_dict())
    cfg.merge_from_dict({key: value})
    place = key if key.count('.') < 2 else key.rsplit('.', 1)[0]
    faults = type_faults(cfg, 'mmaction')
    assert len(faults) == 1 and faults[0].startswith(tuple([key, place
                                                            ])), faults
    with pytest.raises(AssertionError, match=text):
        raise AssertionError(faults[0])


def test_classes_that_take_any_keyword(quick: Config) -> None:
    """Classes with ``**kwargs`` and classes not found are not judged."""
    cfg = Config(quick.to_dict())
    cfg.merge_from_dict({
        'model.cls_head.type':
        'missing.Head',
        'model.cls_head.anything':
        1,
        'train_dataloader.collate_fn':
        dict(type='unknown', more=1)
    })
    assert type_faults(cfg, 'mmaction') == []


def test_nearest() -> None:
    assert nearest('batchsize', ['batch_size', 'x']) == \
        '; did you mean batch_size?'
    assert nearest('zzz', ['batch_size']) == ''


@pytest.mark.parametrize('host', ['mmaction', 'mmpretrain'])
def test_a_config_of_the_hosts(host: str) -> None:
    """A sample; all of them were compared once."""
    pattern = dict(
        mmaction='recognition/swin/swin-tiny*k400-rgb.py',
        mmpretrain='vision_transformer/vit-base-p16_*in1k.py')[host]
    package = __import__(host)
    folder = Path(package.__file__).parent / '.mim/configs'
    paths = sorted(folder.glob(pattern)) or sorted(
        (folder / pattern.split('/')[0]).rglob('*.py'))
    assert paths
    for path in paths[:3]:
        assert type_faults(Config.fromfile(path), host) == []
