"""Contradictions in a config end the run before the first batch."""
import copy
from pathlib import Path
from typing import Any, Callable

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from mmvideomamba.config_check import ConfigError
from mmvideomamba.engine.hooks import CheckConfigHook

CLASSES = dict(
    type='mmvideomamba.VideoMambaHead', num_classes=3, in_channels=16)
NUMBER = dict(type='mmvideomamba.VideoMambaRegressionHead', in_channels=16)
SEVERAL = {
    'model.cls_head.multi_class': True,
    'model.cls_head.loss_cls': dict(type='BCELossWithLogits')
}
BLENDING = dict(
    type='RandomBatchAugment',
    augments=[dict(type='MixupBlending', num_classes=3)])


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    """Return a function to train or test with changes of a config."""
    (tmp_path / 'a.mp4').touch()
    (tmp_path / 'ann.txt').write_text('a.mp4 2\n')

    def start(part: str = 'train',
              wrapped: bool = False,
              **changes: Any) -> None:
        data = dict(
            batch_size=2,
            num_workers=0,
            collate_fn=dict(type='pseudo_collate'),
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='mmvideomamba.CheckedVideoDataset',
                ann_file='ann.txt',
                data_root=str(tmp_path),
                data_prefix=dict(video=''),
                num_classes=3,
                serialize_data=False,  # slow: collects garbage
                pipeline=[dict(type='UniformSample', clip_len=4)]))
        if wrapped:
            data['dataset'] = dict(
                type='ClassBalancedDataset',
                oversample_thr=0.1,
                dataset=data['dataset'])
        model = dict(
            type='Recognizer3D',
            backbone=dict(
                type='mmvideomamba.VideoMamba',
                arch=dict(embed_dims=16, num_layers=1),
                img_size=16,
                num_frames=4),
            cls_head=copy.deepcopy(CLASSES),
            data_preprocessor=dict(
                type='ActionDataPreprocessor', format_shape='NCTHW'))
        cfg = Config(
            dict(
                default_scope='mmaction',
                work_dir=str(tmp_path),
                model=model,
                custom_hooks=[dict(type='mmvideomamba.CheckConfigHook')]))
        if part == 'train':
            cfg.train_cfg = dict(by_epoch=True, max_epochs=0)
            cfg.optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
        else:
            cfg[f'{part}_cfg'] = dict()
            cfg[f'{part}_evaluator'] = dict(type='AccMetric')
        cfg[f'{part}_dataloader'] = data
        cfg.merge_from_dict({
            k.replace('loader', f'{part}_dataloader'): v
            for k, v in changes.items()
        })
        getattr(Runner.from_cfg(cfg), part)()

    return start


def test_looks_into_a_wrapped_model(run: Callable, monkeypatch) -> None:
    """As several processes train the model."""
    monkeypatch.setattr(Runner, 'wrap_model',
                        lambda self, cfg, model: nn.DataParallel(model))
    with pytest.raises(ValueError, match='model.backbone.num_frames=8'):
        run(**{'model.backbone.num_frames': 8})


def test_config_that_fits(run: Callable) -> None:
    run()
    run(**{'model.data_preprocessor.blending': copy.deepcopy(BLENDING)})
    run(
        **{
            'loader.dataset.num_repeats': 2,
            'loader.collate_fn.type': 'repeat_pseudo_collate'
        })
    run(
        **{
            'model.cls_head': dict(NUMBER, _delete_=True),
            'loader.dataset.regression': True,
            'loader.dataset.num_classes': None
        })
    # The classes of a data set may be unknown.
    run(**{'loader.dataset.num_classes': None})
    run(**SEVERAL, **{'loader.dataset.multi_class': True})


@pytest.mark.parametrize('part, changes, text', [
    ('train', {
        'model.backbone.num_frames': 8
    }, 'train_dataloader samples clip_len=4 frames, but '
     'model.backbone.num_frames=8'),
    ('test', {
        'model.backbone.num_frames': 8
    }, 'test_dataloader samples clip_len=4'),
    ('train', {
        'model.cls_head.num_classes': 5
    }, r'classes differ: model.cls_head.num_classes=5, '
     r'train_dataloader.dataset.num_classes=3'),
    ('val', {
        'model.cls_head.num_classes': 5
    }, 'val_dataloader.dataset.num_classes=3'),
    ('train', {
        'model.data_preprocessor.blending': BLENDING,
        'model.cls_head.num_classes': 4,
        'loader.dataset.num_classes': 4
    }, 'model.data_preprocessor.blending.num_classes=3'),
    ('train', {
        'loader.dataset.regression': True
    }, 'regression=True, but model.cls_head is a VideoMambaHead'),
    ('train', {
        'model.cls_head': dict(NUMBER, _delete_=True)
    }, 'regression=False, but model.cls_head is a VideoMambaRegressionHead'),
    ('train', {
        'model.cls_head': dict(NUMBER, _delete_=True),
        'model.data_preprocessor.blending': BLENDING,
        'loader.dataset.regression': True
    }, 'blending mixes classes, but labels are numbers'),
    ('train', {
        'loader.dataset.multi_class': True
    },
     'dataset.multi_class=True, but model.cls_head.multi_class=False; .*BCE'),
    ('test', SEVERAL, 'dataset.multi_class=False, but '
     'model.cls_head.multi_class=True'),
    ('train', {
        'loader.dataset.pipeline.0.num_clips': 4
    }, 'num_clips=4, but a training sample is one clip'),
    ('test', {
        'model.test_cfg': dict(max_testing_views=2)
    }, 'max_testing_views=2 needs test_dataloader.batch_size=1, but it is 2'),
    ('train', {
        'loader.dataset.num_repeats': 2
    }, 'num_repeats=2 with collate_fn pseudo_collate'),
    ('train', {
        'loader.collate_fn.type': 'repeat_pseudo_collate'
    }, 'num_repeats=1 with collate_fn repeat_pseudo_collate'),
])
def test_contradictions_are_named(run: Callable, part: str, changes: dict,
                                  text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        run(part, **copy.deepcopy(changes))


def test_looks_into_a_wrapped_data_set(run: Callable) -> None:
    run(wrapped=True)
    with pytest.raises(ConfigError, match='num_frames=8'):
        run(wrapped=True, **{'model.backbone.num_frames': 8})
    with pytest.raises(ConfigError, match='cls_head.num_classes=8'):
        run(wrapped=True, **{'model.cls_head.num_classes': 8})


def test_windows_need_their_sampler(run: Callable, tmp_path: Path) -> None:
    (tmp_path / 'ann.txt').write_text('a.mp4 2 90\n')
    windows = {'loader.dataset.type': 'mmvideomamba.WindowVideoDataset'}
    with pytest.raises(
            ValueError, match='window=60.0 cuts videos .* whole videos'):
        run(**windows)
    sampler = 'mmvideomamba.UniformWindowSample'
    run(**windows, **{'loader.dataset.pipeline.0.type': sampler})
    run(**windows, **{'loader.dataset.window': None})


def test_all_contradictions_are_listed(run: Callable) -> None:
    with pytest.raises(ValueError) as caught:
        run(**{
            'model.backbone.num_frames': 8,
            'model.cls_head.num_classes': 5
        })
    assert str(caught.value).count('\n') == 2


def test_other_models_pass() -> None:

    class Other:
        """No recognizer."""
        model = None

    CheckConfigHook()._check(Other, train=None)
