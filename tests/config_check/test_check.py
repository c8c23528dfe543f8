"""Faults at the start, through the functions of ``tools/train.py``."""
import os
from pathlib import Path
from typing import Any, List, Optional

import huggingface_hub
import pytest
from mmengine.config import Config
from script import load_script

from mmvideomamba.command_line import find_config, load_config, user_errors
from mmvideomamba.config_check import (ConfigError, check_config,
                                       empty_epoch_fault, value_faults,
                                       value_warnings)

QUICK = 'videomamba-micro_1xb8-u8-25e_quickstart-rgb'
TOOLS = {name: load_script(f'tools/{name}.py') for name in ('train', 'test')}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a quickstart set of 3 clips, never opened."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'hub'))
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', True)
    # load_config sets LOCAL_RANK; monkeypatch removes the variable afterwards.
    monkeypatch.setenv('LOCAL_RANK', '0')
    folder = tmp_path / 'data/quickstart'
    folder.mkdir(parents=True)
    for i in range(3):
        (folder / f'{i}.mp4').touch()
    lines = ''.join(f'{i}.mp4 {i}\n' for i in range(3))
    for name in ('train.txt', 'val.txt'):
        (folder / name).write_text(lines)
    (folder / 'classes.txt').write_text(''.join(f'{i}\n' for i in range(8)))
    return tmp_path


def start(*words: str, tool: str = 'train', config: str = QUICK) -> None:
    """Run the steps of a tool before the runner is built."""
    script = TOOLS[tool]
    args = script.build_parser().parse_args([config, *words])
    with user_errors():
        cfg = load_config(args)
        script.merge_args(cfg, args)
        check_config(cfg, training=tool == 'train')


def test_no_fault(data: Path) -> None:
    start()
    start('--work-dir', 'new/folder', '--cfg-options', 'load_from=s3://a/b')
    (data / 'a.pth').touch()
    start('a.pth', tool='test')


BEST = 'default_hooks.checkpoint.save_best'
TRAIN = 'train_dataloader'
FAULTS = [
    ([f'{TRAIN}.num_workers=0', f'{TRAIN}.persistent_workers=True'],
     'train_dataloader.persistent_workers=True needs workers, .* '
     'train_dataloader.persistent_workers=False, or set'),
    ([f'{TRAIN}.num_workers=0', f'{TRAIN}.persistent_workers=False',
      f'{TRAIN}.prefetch_factor=1'],
     'train_dataloader.prefetch_factor=1 needs workers, .*=None, or'),
    ([f'{TRAIN}.num_workers=-1'], 'num_workers must be .* but is -1'),
    (['train_dataloder.batch_size=4'], 'is not a key of the config, .*'
     'did you mean train_dataloader.$'),
    ([f'{TRAIN}.batchsize=4'],
     'train_dataloader.batchsize: a dataloader takes no .* mean batch_size?'),
    (['*_pipeline.mmvideomamba.OpenVideo.reders=a'],
     'pipeline.0.reders: OpenVideo takes no .* mean reader'),
    (['model.backbone.img_size=64'],
     'train_dataloader: the pipeline gives frames of 48 x 48 pixels, but '
     'model.backbone.img_size is 64 x 64'),
    (['val_pipeline.CenterCrop.crop_size=32'],
     'val_dataloader: the pipeline gives frames of 32 x 32'),
    ([f'{BEST}=acc/top2'], "'acc/top2' is none of the figures of "
     'val_evaluator, acc/top1, acc/top5, acc/mean1; did you mean'),
    ([f'{BEST}=top1'], "'top1' is none of the figures"),
    ([f'{BEST}=acc/top5', 'model.cls_head.num_classes=3'],
     "save_best='acc/top5' is 1 for any model of 3 classes; .* acc/top1"),
    ([f'{TRAIN}.drop_last=True'],
     'an epoch has no batch: 3 samples over 1 process.* batch of 8'),
    (['optim_wrapper.type=AmpOptimWrapper'], 'needs an accelerator'),
    (['load_from=missing.pth'],
     "load_from: 'missing.pth' does not exist .below"),
    (['load_from=elsewhere/videomamba_t16_in1k_res224.pth'],
     'does not exist .*; the name alone, videomamba_t16_in1k_res224.pth,'),
    (['load_from=checkpoints/videomamba_t16_in1k_res224.pth'],
     'load_from: https.* cannot be downloaded, as HF_HUB_OFFLINE is set, '),
    (['model.backbone.init_cfg.type=Pretrained',
      'model.backbone.init_cfg.checkpoint=videomamba_t16_in1k_res224'],
     'checkpoint: https.*/videomamba_t16_in1k_res224.pth cannot be downlo'),
    (['model.backbone.init_cfg.type=Pretrained',
      'model.backbone.init_cfg.checkpoint=missing.pth'],
     "model.backbone.init_cfg.checkpoint: 'missing.pth' does not exist"),
    ([f'{TRAIN}.dataset.data_root=nowhere'],
     "train_dataloader.dataset.data_root: 'nowhere' does not exist"),
    ([f'{TRAIN}.dataset.ann_file=none.txt'],
     "dataset.ann_file: 'data/quickstart/none.txt' does not exist"),
    (['val_dataloader.dataset.ann_file=/none.txt'],
     "val_dataloader.dataset.ann_file: '/none.txt' does not exist$"),
    (['work_dir=data/quickstart/train.txt'], 'train.txt is not a folder; '),
]  # yapf: disable


@pytest.mark.parametrize('options, text', FAULTS)
def test_faults(data: Path, monkeypatch: pytest.MonkeyPatch,
                options: List[str], text: str) -> None:
    monkeypatch.setattr('mmvideomamba.config_check.training.get_device',
                        lambda: 'cpu')
    with pytest.raises(SystemExit, match=f'(?s)^error: .*{text}') as caught:
        start('--cfg-options', *options)
    assert str(caught.value).count('\n') == 0 or options[0].startswith(
        ('*', 'model.backbone.img_size'))


def test_amp_on_a_cpu(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = 'mmvideomamba.config_check.training.get_device'
    monkeypatch.setattr(device, lambda: 'cpu')
    with pytest.raises(SystemExit, match='leave --amp out'):
        start('--amp')
    monkeypatch.setattr(device, lambda: 'cuda')
    start('--amp')


def test_more_samples_than_a_batch(data: Path) -> None:
    """No data set is built, and none refuses its files."""
    path = data / 'data/quickstart/train.txt'
    path.write_text('missing.mp4 0\n' * 8)
    start('--cfg-options', f'{TRAIN}.drop_last=True')


def test_processes_share_the_samples(data: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    options = [f'{TRAIN}.drop_last=True', f'{TRAIN}.batch_size=2']
    start('--cfg-options', *options)
    monkeypatch.setenv('WORLD_SIZE', '3')
    with pytest.raises(SystemExit, match='3 samples over 3 process'):
        start('--launcher', 'pytorch', '--cfg-options', *options)


def test_all_faults_are_listed(data: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        start('--cfg-options', 'load_from=a.pth', 'train_cfg.max_epoch=1')
    assert str(caught.value).splitlines()[0] == \
        'error: the config has 2 faults:'
    assert len(str(caught.value).splitlines()) == 3


def test_parts_that_are_not_used(data: Path) -> None:
    """Faults in unused parts are warnings; their files need not exist."""
    options = ['test_dataloader.batchsize=4', 'test_cfg.fp=1']
    start('--cfg-options', *options,
          'test_dataloader.dataset.data_root=nowhere')
    (data / 'a.pth').touch()
    with pytest.raises(SystemExit, match='test_dataloader.batchsize'):
        start('a.pth', '--cfg-options', *options, tool='test')
    start(
        'a.pth',
        '--cfg-options',
        'train_dataloader.batchsize=4', 'work_dir='
        'work',
        f'{BEST}=top7',
        tool='test')
    with pytest.raises(SystemExit, match="load_from: 'b.pth' does not exist"):
        start('b.pth', tool='test')
    cfg = Config.fromfile(find_config(QUICK))
    cfg.merge_from_dict({'test_dataloader.batchsize': 4})
    assert ['batchsize' in x for x in value_warnings(cfg, True)] == [True]


def test_places_that_cannot_be_written(
        data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's folder, whoever runs this test."""
    allowed = os.access

    def access(path: Any, mode: int) -> bool:
        return Path(path) != data and allowed(path, mode)

    monkeypatch.setattr(os, 'access', access)
    with pytest.raises(SystemExit, match='cannot be written .* --work-dir'):
        start()
    (data / 'other').mkdir()
    start('--work-dir', 'other/work')


def test_missing_weight_decay() -> None:
    cfg = Config.fromfile(find_config(QUICK))
    assert value_warnings(cfg, True) == []
    cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.1)
    assert ['SGD trains with no weight decay' in x
            for x in value_warnings(cfg, True)] == [True]  # yapf: disable
    cfg.optim_wrapper.optimizer.type = 'AdamW'
    assert ['AdamW trains with a weight decay of 0.01' in x
            for x in value_warnings(cfg, True)] == [True]  # yapf: disable
    assert value_warnings(cfg, False) == []


@pytest.mark.parametrize('key, value, found', [
    ('train_dataloder', dict(batch_size=4), True),
    ('train_dataloader_of_mine', dict(batch_size=4), False),
    ('train_dataloder', dict(batch_size=4, mine=1), False),
    ('train_dataloder', 4, False),
    ('dataset_type', dict(type='X'), False),
])
def test_mistyped_keys_of_a_config(key: str, value: Any, found: bool) -> None:
    """A mistyped key reaches the config as an option of a host's tool."""
    cfg = Config.fromfile(find_config(QUICK))
    cfg[key] = value
    faults = value_faults(cfg, True)
    assert [fault.startswith(f'{key}: the runner reads no such key; did you '
                             'mean train_dataloader?')
            for fault in faults] == [True] * found  # yapf: disable


@pytest.mark.parametrize('evaluator, model, best, good', [
    (dict(type='Accuracy',
          topk=(1, 5)), 'ImageClassifier', 'accuracy/top1', True),
    (dict(type='Accuracy', topk=(1, 5)), 'ImageClassifier', 'acc/top1', False),
    (dict(type='Accuracy', prefix='my'), 'ImageClassifier', 'my/top1', True),
    (dict(type='Accuracy', thrs=(0., 1.)), 'ImageClassifier', 'any', True),
    (dict(type='Unknown'), 'ImageClassifier', 'any', True),
    (dict(type='Accuracy'), 'Other', 'any', True),
])
def test_figures_of_images(evaluator: dict, model: str, best: str,
                           good: bool) -> None:
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(type=model),
            val_cfg=dict(),
            val_evaluator=evaluator,
            default_hooks=dict(checkpoint=dict(save_best=[best, 'auto']))))
    assert (value_faults(cfg, True) == []) == good


@pytest.mark.parametrize('topk, best, good', [
    (None, 'mean_recall', True),
    (128, 't2v/R@5', True),
    (128, 'v2t_emb/mR', True),
    (128, 'R@5', False),
    (0, 'mean_recall', False),
    (0, 't2v/mR', False),
    (0, 'mean_recall_emb', True),
])
def test_figures_of_retrieval(topk: Optional[int], best: str,
                              good: bool) -> None:
    """Without the judge there are no figures by the judge."""
    loop = {} if topk is None else dict(topk=topk)
    cfg = Config(
        dict(
            default_scope='mmaction',
            model=dict(type='mmvideomamba.VideoTextModel'),
            val_cfg=dict(type='mmvideomamba.RetrievalValLoop', **loop),
            val_evaluator=dict(type='mmvideomamba.VideoTextRecall'),
            default_hooks=dict(checkpoint=dict(save_best=best))))
    found = value_faults(cfg, True)
    assert [best in fault for fault in found] == ([] if good else [True])


def test_empty_epoch() -> None:
    assert empty_epoch_fault(1, 8, 8, 1) == []
    assert 'no batch' in empty_epoch_fault(0, 7, 8, 1)[0]


def test_no_traceback_whatever_the_tool() -> None:
    """Python prints the code of a SystemExit, and nothing else."""
    error = ConfigError(['a fault'])
    assert isinstance(error, SystemExit) and isinstance(error, ValueError)
    assert (str(error), error.code) == ('a fault', 'error: a fault')
    assert ConfigError(['a', 'b']).code == \
        'error: the config has 2 faults:\n  a\n  b'
