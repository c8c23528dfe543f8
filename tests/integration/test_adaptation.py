"""The recipes for few videos train, save, resume and test."""
from pathlib import Path
from typing import Any

import pytest
import torch
from host_tools import ROOT
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner

FOLDER = ROOT / 'configs/recognition/custom'
LINEAR, ATTENTIVE, LORA, BALANCED, SEVERAL = (
    f'videomamba-tiny_{name}-rgb'
    for name in ('linear-probe_1xb8-u8-25e_custom',
                 'attentive-probe_1xb8-u8-25e_custom',
                 'lora_1xb8-u8-25e_custom', '1xb8-u8-25e_custom-balanced',
                 '1xb8-u8-25e_custom-multi-label'))
NAMES = [f'{i % 2}_{i}.mp4' for i in range(8)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write the file of a trained recognizer of other classes."""
    cfg = small(LINEAR)
    cfg.model.backbone.pop('init_cfg', None)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg.model)
    path = tmp_path / 'source.pth'
    state = {
        k: v + 0.1 * torch.rand_like(v)
        for k, v in model.state_dict().items() if k.startswith('backbone.')
    }
    torch.save(dict(state_dict=state), path)
    return path


def small(name: str) -> Config:
    """Read a recipe, made small."""
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    backbone = cfg.model.backbone.get('module', cfg.model.backbone)
    backbone.update(
        arch=dict(embed_dims=16, num_layers=2), img_size=32, num_frames=2)
    if 'frozen_stages' in backbone:
        assert backbone.frozen_stages == 24  # of Tiny
        backbone.frozen_stages = 2
    cfg.model.cls_head.update(in_channels=16, num_classes=2)
    for part in ('train', 'val', 'test'):
        dataset = cfg[f'{part}_dataloader'].dataset
        for step in dataset.get('dataset', dataset).pipeline:
            sizes = dict(
                UniformSample=dict(clip_len=2),
                CenterCrop=dict(crop_size=32),
                ThreeCrop=dict(crop_size=32),
                Resize=dict(scale=(32, 32) if part == 'train' else (-1, 32)))
            step.update(sizes.get(step.type, {}))
    return cfg


@pytest.fixture
def make(clips: Path, tmp_path: Path, source: Path,
         monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function to build a runner of a recipe."""
    # yapf formats the config for each log and checkpoint, and is slow.
    monkeypatch.setattr(Config, 'pretty_text',
                        property(lambda cfg: str(cfg.to_dict())))
    data = tmp_path / 'data'
    data.symlink_to(clips / 'data')

    def build(name: str, epochs: int = 1, **changes: Any) -> Runner:
        lists = {
            'train': [f'{n} {n[0]}' for n in NAMES[:4]],
            'val': [f'{n} {n[0]}' for n in NAMES[4:6]]
        }
        if name == BALANCED:  # a class has one video; add a damaged one
            bad = tmp_path / 'bad.mp4'
            bad.write_bytes(b'no video')
            lists['train'] = [f'{n} 0' for n in NAMES[:6]]
            lists['train'] += [f'{NAMES[6]} 1', f'{bad} 1']
        if name == SEVERAL:
            lists['train'] = [f'{n} 0 1' for n in NAMES[:4]]
        for part, lines in lists.items():
            (tmp_path / f'{part}.txt').write_text('\n'.join(lines) + '\n')
        cfg = small(name)
        inner = cfg.model.backbone.get('module', cfg.model.backbone)
        inner.init_cfg = dict(type='Pretrained', checkpoint=str(source))
        for part in ('train', 'val', 'test'):
            loader = cfg[f'{part}_dataloader']
            loader.update(num_workers=0, persistent_workers=False)
            loader.batch_size = min(loader.batch_size, 2)
            loader.dataset.get('dataset', loader.dataset).update(
                data_root='',
                ann_file=str(tmp_path / f'{part}.txt').replace(
                    'test.txt', 'val.txt'),
                data_prefix=dict(video=str(data)),
                num_classes=2,
                serialize_data=False,  # slow: collects garbage
                metainfo=dict(classes=['a', 'b']))
        if name == BALANCED:
            inside = cfg.train_dataloader.dataset
            assert inside.type == 'ClassBalancedDataset'
            inside.oversample_thr = 0.5
            inside.dataset.max_bad_share = 0.2
        cfg.merge_from_dict({
            'work_dir': str(tmp_path / 'work'),
            'train_cfg.max_epochs': epochs,
            'log_level': 'WARNING',
            'experiment_name': f'adaptation-{name}-{len(changes)}-{epochs}',
            'randomness': dict(seed=0),
            **changes
        })
        return Runner.from_cfg(cfg)

    return build


def train(runner: Runner, source: Path, name: str) -> None:
    """Train; check that exactly the recipe's trainable weights changed."""
    iterations = []
    runner.model.register_forward_hook(lambda *_: iterations.append(1))
    runner.train()
    assert len(iterations) >= 2
    before = torch.load(source)['state_dict']
    learns = name in (BALANCED, SEVERAL)
    for key, now in runner.model.named_parameters():
        stored = key.replace('.module.', '.').replace('.original_layer', '')
        if stored in before:
            assert torch.equal(now, before[stored]) != learns, key
            assert now.requires_grad == learns
    head = runner.model.cls_head.fc_cls.weight
    assert runner.optim_wrapper.optimizer.state[head]['exp_avg'].any()


@pytest.mark.parametrize('name, best',
                         [(LINEAR, 'acc_top1'), (ATTENTIVE, 'acc_top1'),
                          (BALANCED, 'acc_mean1'),
                          (SEVERAL, 'acc_mean_average_precision')])
def test_recipe_trains(make: Any, source: Path, name: str, best: str) -> None:
    runner = make(name)
    train(runner, source, name)
    assert list(Path(runner.work_dir).glob(f'best_{best}_epoch_1.pth'))
    if name == BALANCED:
        record = (Path(runner.work_dir) / 'bad_media.json').read_text()
        assert 'bad.mp4' in record


def test_balanced_recipe_repeats_the_rare(make: Any) -> None:
    runner = make(BALANCED, **{'train_dataloader.dataset.oversample_thr': 0.5})
    dataset = runner.build_dataloader(runner.cfg.train_dataloader).dataset
    assert dataset.repeat_indices == [*range(6), 6, 6, 7, 7]


def test_lora_goes_on_and_is_tested(make: Any, source: Path) -> None:
    once = {'default_hooks.checkpoint.save_best': None}
    runner = make(LORA, **once)
    train(runner, source, LORA)
    work = runner.work_dir
    saved = torch.load(f'{work}/epoch_1.pth', weights_only=False)['state_dict']
    assert saved and all('.lora_' in k or k.startswith('cls_head.')
                         for k in saved)
    resumed = make(LORA, 2, resume=True, **once)
    resumed.train()
    assert resumed.epoch == 2
    state = resumed.model.state_dict()
    assert any(not torch.equal(state[k], v) for k, v in saved.items())
    tested = make(LORA, 3, load_from=f'{work}/epoch_2.pth')
    tested.test()
    for (key, a), b in zip(tested.model.named_parameters(),
                           resumed.model.parameters()):
        assert torch.equal(a, b), key
