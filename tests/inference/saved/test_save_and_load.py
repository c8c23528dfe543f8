"""Tests of saved folders: models without config and data."""
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import cv2
import micro_models
import numpy as np
import pytest
import torch
from common import official_weights
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.registry import DefaultScope
from tiny_recipes import recipe, runner_file

import mmvideomamba


@pytest.fixture
def recognizer(tmp_path: Path, make_video: Callable) -> Any:
    """Return a tiny recognizer with checkpoint and clip."""
    clip = make_video()
    cfg = recipe('quickstart', tmp_path, clip)
    names = [f'class {i}' for i in range(cfg.model.cls_head.num_classes)]
    model = runner_file(
        cfg,
        tmp_path / 'epoch_2.pth',
        epoch=2,
        iter=8,
        dataset_meta=dict(classes=names))
    return model, tmp_path / 'epoch_2.pth', clip


def logits_of(model: Any, batch: dict) -> torch.Tensor:
    """Return the scores of a recognizer before averaging."""
    batch = model.data_preprocessor(batch)
    with torch.no_grad():
        feats, extra = model.extract_feat(batch['inputs'], test_mode=True)
        return model.cls_head(feats, **extra)


@pytest.mark.slow
def test_a_recognizer_in_a_new_process(recognizer: Any,
                                       tmp_path: Path) -> None:
    """The folder alone gives the very logits, of a video file."""
    model, file, clip = recognizer
    folder = mmvideomamba.save_pretrained(file, tmp_path / 'saved')
    assert {p.name
            for p in folder.iterdir()
            } == {'config.json', 'model.safetensors', 'README.md'}
    file.unlink()
    (tmp_path / 'quickstart.txt').unlink()
    script = (
        'import sys, torch, mmvideomamba\n'
        'assert "mmvideomamba.models" not in sys.modules\n'
        'model = mmvideomamba.load(sys.argv[1])\n'
        'batch = model.pipeline(sys.argv[2])\n'
        'batch = model.data_preprocessor(batch)\n'
        'with torch.no_grad():\n'
        '    f, e = model.extract_feat(batch["inputs"], test_mode=True)\n'
        '    torch.save(model.cls_head(f, **e), sys.argv[3])\n')
    found = subprocess.run(
        [sys.executable, '-c', script, folder, clip, tmp_path / 'logits'],
        capture_output=True,
        text=True,
        cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    loaded = mmvideomamba.load(folder)
    expected = logits_of(model, loaded.pipeline(clip))
    assert torch.equal(torch.load(tmp_path / 'logits'), expected)
    description = loaded.description
    assert description['results'] == dict(source='run', epoch=2, iter=8)
    assert description['sampling']['kind'] == 'uniform'
    assert loaded.dataset_meta['classes'][1] == 'class 1'
    result = loaded.test_step(loaded.pipeline(clip))[0]
    assert float(result.pred_score.sum()) == pytest.approx(1)
    card = (folder / 'README.md').read_text()
    assert card.startswith('---\nlicense: unknown\n')
    assert 'pipeline_tag: video-classification' in card
    assert 'run of our training: epoch 2, iter 8' in card
    assert '1. class 1' in card


def test_a_module_and_its_checkpoint_save_alike(recognizer: Any,
                                                tmp_path: Path) -> None:
    """Both ways write the same weights; the results are of the file."""
    model, file, _ = recognizer
    saved = [
        mmvideomamba.save_pretrained(source, tmp_path / f'saved_{i}')
        for i, source in enumerate((file, model))
    ]
    assert (saved[0] / 'model.safetensors').read_bytes() == (
        saved[1] / 'model.safetensors').read_bytes()
    for source in (file, saved[0]):
        backbone = mmvideomamba.VideoMamba.from_pretrained(source)
        for name, weight in model.backbone.state_dict().items():
            assert torch.equal(backbone.state_dict()[name], weight), name
    loaded = mmvideomamba.load(saved[0])
    with torch.no_grad():
        next(loaded.parameters()).add_(1)
    again = mmvideomamba.save_pretrained(
        loaded, tmp_path / 'again', licence='apache-2.0')
    config = json.loads((again / 'config.json').read_text())
    # Weights changed after loading no longer belong to the run.
    assert config['results'] == dict(source='unknown')
    assert config['licence'] == 'apache-2.0'


def test_distilled_and_trained_parts_stay_behind(recognizer: Any,
                                                 tmp_path: Path) -> None:
    """A distilled model needs neither teacher nor start file."""
    model, _, clip = recognizer
    cfg = model.cfg.copy()
    cfg.model.type = 'mmvideomamba.DistilledRecognizer3D'
    cfg.model.distill_head = dict(
        type='mmvideomamba.TokenDistillHead',
        in_channels=16,
        teacher=cfg.model.backbone,
        checkpoint='absent.pth')
    cfg.model.backbone.init_cfg = dict(
        type='Pretrained', checkpoint='absent.pth')
    trained = runner_file(cfg, tmp_path / 'distilled.pth')
    loaded = mmvideomamba.load(
        mmvideomamba.save_pretrained(tmp_path / 'distilled.pth',
                                     tmp_path / 'saved'))
    assert type(loaded).__name__ == 'Recognizer3D'
    batch = loaded.pipeline(clip)
    assert torch.equal(logits_of(loaded, batch), logits_of(trained, batch))


def test_a_number(tmp_path: Path, make_video: Callable) -> None:
    """A model of numbers on windows keeps the lengths of the windows."""
    clip = make_video(frames=30)
    model = runner_file(
        recipe('number', tmp_path, clip), tmp_path / 'number.pth')
    loaded = mmvideomamba.load(
        mmvideomamba.save_pretrained(tmp_path / 'number.pth',
                                     tmp_path / 'saved'))
    assert loaded.description['task'] == 'video-regression'
    assert loaded.cfg.test_dataloader.dataset.window == 0.8
    batch = loaded.pipeline(clip)
    assert torch.equal(logits_of(loaded, batch), logits_of(model, batch))


def test_images(tmp_path: Path) -> None:
    """An image classifier reads image files."""
    root = Path(mmvideomamba.__file__).parents[1]
    cfg = Config.fromfile(root / 'configs/_base_/models/'
                          'videomamba_image_tiny.py')
    cfg.model.backbone.update(
        arch=dict(embed_dims=16, num_layers=1), img_size=32)
    cfg.model.head.update(num_classes=10, in_channels=16)
    data = Config.fromfile(root / 'configs/_base_/datasets/digits.py')
    for key in ('data_preprocessor', 'test_dataloader'):
        cfg[key] = data[key]
    cfg.default_scope = 'mmpretrain'
    model = runner_file(cfg, tmp_path / 'digits.pth')
    loaded = mmvideomamba.load(
        mmvideomamba.save_pretrained(tmp_path / 'digits.pth',
                                     tmp_path / 'saved'))
    image = tmp_path / 'digit.png'
    cv2.imwrite(
        str(image),
        np.random.RandomState(0).randint(0, 255, (8, 8, 3), np.uint8))
    batch = loaded.pipeline(image)
    inputs = loaded.data_preprocessor(batch)['inputs']
    assert inputs.shape == (1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(inputs), model(inputs))
    assert loaded.test_step(batch)[0].pred_score.shape == (10, )
    assert loaded.description['input']['channels'] == 'RGB'


def test_types_are_looked_up_and_never_imported(recognizer: Any,
                                                tmp_path: Path) -> None:
    """A config.json cannot name a function to be called."""
    folder = mmvideomamba.save_pretrained(recognizer[1], tmp_path / 'saved')
    path = folder / 'config.json'
    stored = path.read_text()
    mark = tmp_path / 'mark'
    evil = dict(type='os.mkdir', path=str(mark))
    for key, value in (('model', evil), ('test_pipeline',
                                         [dict(type='pathlib.Path')]),
                       ('default_scope', 'antigravity')):
        path.write_text(json.dumps(dict(json.loads(stored), **{key: value})))
        with pytest.raises(ValueError, match=f'config.json: {key}'):
            mmvideomamba.load(folder)
    config = json.loads(stored)
    config['model']['cls_head']['loss_cls'] = evil
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match='loss_cls.type is .os.mkdir.*trust'):
        mmvideomamba.load(folder)
    # The config inside a checkpoint is no safer.
    file = torch.load(recognizer[1])
    file['meta']['cfg'] += f"\nmodel = dict(type='os.mkdir', path='{mark}')\n"
    torch.save(file, tmp_path / 'evil.pth')
    with pytest.raises(ValueError, match='its config: model.type'):
        mmvideomamba.load(tmp_path / 'evil.pth')
    assert not mark.exists()


def test_bad_sources(recognizer: Any, tmp_path: Path) -> None:
    """Each fault of a source has an own line."""
    folder = mmvideomamba.save_pretrained(recognizer[1], tmp_path / 'saved')
    with pytest.raises(ValueError, match='leave the config out'):
        mmvideomamba.load(folder, config=recognizer[0].cfg)
    with pytest.raises(ValueError, match='huggingface.co/some/model'):
        mmvideomamba.load('some/model')
    bare = tmp_path / 'bare.pth'
    torch.save(recognizer[0].state_dict(), bare)
    with pytest.raises(ValueError, match='bare.pth holds no config of its'):
        mmvideomamba.load(bare)
    loaded = mmvideomamba.load(bare, config=recognizer[0].cfg)
    assert loaded.description['results'] == dict(source='unknown')
    del recognizer[0].cfg
    with pytest.raises(ValueError, match='does not know its config'):
        mmvideomamba.save_pretrained(recognizer[0], tmp_path / 'other')
    config = json.loads((folder / 'config.json').read_text())
    config['model']['cls_head']['num_classes'] = 3
    (folder / 'config.json').write_text(json.dumps(config))
    with pytest.raises(ValueError, match='2 of another shape, such as cls_h'):
        mmvideomamba.load(folder)
    config['model']['cls_head']['depth'] = 3
    (folder / 'config.json').write_text(json.dumps(config))
    with pytest.raises(ValueError, match="cannot be built.*'depth'"):
        mmvideomamba.load(folder)


def test_bad_values(recognizer: Any, tmp_path: Path) -> None:
    """A config.json by another hand ends in a line, or loads."""
    folder = mmvideomamba.save_pretrained(recognizer[1], tmp_path / 'saved')
    stored = (folder / 'config.json').read_text()
    number = {'__tuple__': 5}
    for keys, value, message in ((('classes', ), 5, 'classes is not as'),
                                 (('classes', ), ['one'],
                                  'names 1 classes, but the model has 8'),
                                 (('test_pipeline', ), 5,
                                  'test_pipeline is not as'),
                                 (('test_pipeline', 1), {},
                                  'test_pipeline is not as'),
                                 (('test_data_set', ), dict(pipeline=[]),
                                  'test_data_set is not as'),
                                 (('model', 'backbone', 'img_size'), number,
                                  'cannot be built'),
                                 (('model', 'data_preprocessor', 'std'), None,
                                  'cannot be built'), (('model', 'backbone',
                                                        'arch', 'num_layers'),
                                                       10**30, 'cannot be b')):
        config = node = json.loads(stored)
        for key in keys[:-1]:
            node = node[key]
        node[keys[-1]] = value
        (folder / 'config.json').write_text(json.dumps(config))
        with pytest.raises(ValueError, match=f'config.json.*{message}'):
            mmvideomamba.load(folder)


def test_classes_in_place_of_names(recognizer: Any, tmp_path: Path) -> None:
    """A config with classes as types is saved and loaded."""
    model, file, _ = recognizer
    model.cfg.model.type = type(model)
    folder = mmvideomamba.save_pretrained(model, tmp_path / 'saved')
    assert type(mmvideomamba.load(folder)) is type(model)
    model.cfg.test_dataloader.dataset.pipeline[0]['type'] = 'NoSuchStep'
    with pytest.raises(ValueError, match='pipeline.0.type is .NoSuchStep'):
        mmvideomamba.save_pretrained(model, tmp_path / 'other')
    assert not (tmp_path / 'other').exists()


def test_loads_in_threads(recognizer: Any, tmp_path: Path) -> None:
    """Models of two hosts load at once, each in its scope."""
    image = micro_models.classifier()
    cfg = dict(type='ImageClassifier', backbone=micro_models.backbone())
    cfg['backbone']['num_frames'] = 1
    cfg['head'] = dict(type='LinearClsHead', num_classes=3, in_channels=8)
    image.cfg = Config(dict(default_scope='mmpretrain', model=cfg))
    folders = [
        mmvideomamba.save_pretrained(model, tmp_path / f'saved_{i}')
        for i, model in enumerate((recognizer[0], image))
    ]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(mmvideomamba.load, folders * 8))
    assert [type(model).__name__
            for model in found] == ['Recognizer3D', 'ImageClassifier'] * 8
    assert DefaultScope.get_current_instance() is None


def test_a_compiled_model(recognizer: Any, tmp_path: Path) -> None:
    """torch.compile changes no names of weights."""
    folder = mmvideomamba.save_pretrained(
        torch.compile(recognizer[0], backend='eager'), tmp_path / 'saved')
    assert mmvideomamba.load(folder).description['task'] == (
        'video-classification')


def test_the_best_checkpoint_tells_its_accuracy(recognizer: Any,
                                                tmp_path: Path) -> None:
    """Other checkpoints are saved before the validation."""
    file = torch.load(recognizer[1])
    file['message_hub'] = dict(
        runtime_info=dict(best_ckpt='/gone/best_acc_top1_epoch_2.pth'),
        log_scalars={
            'val/acc/top1': HistoryBuffer([0.5, 0.75], [1, 1]),
            'val/data_time': HistoryBuffer([1.], [1]),
            'train/loss': HistoryBuffer([1.], [1])
        })
    for name, accuracy in (('best_acc_top1_epoch_2', {
            'acc/top1': 0.75
    }), ('epoch_2', None)):
        torch.save(file, tmp_path / f'{name}.pth')
        found = mmvideomamba.load(tmp_path / f'{name}.pth').description
        assert found['results'].get('accuracy') == accuracy


def test_a_published_file(tmp_path: Path) -> None:
    """The table gives recipe, accuracy and licence of a published file."""
    weights = official_weights(
        mmvideomamba.VideoMamba(arch='tiny', num_frames=16), classes=400)
    path = tmp_path / 'videomamba_t16_k400_f16_res224.pth'
    torch.save(dict(model=weights), path)
    loaded = mmvideomamba.load(path)
    assert torch.equal(loaded.cls_head.fc_cls.weight, weights['head.weight'])
    found = loaded.description
    assert found['results']['source'] == 'published'
    assert found['results']['accuracy']
    assert 'weights: not stated' in found['licence']
    folder = mmvideomamba.save_pretrained(loaded, tmp_path / 'saved')
    card = (folder / 'README.md').read_text()
    assert 'license: other' in card and 'as published' in card
    # Another config may score otherwise.
    loaded = mmvideomamba.load(path, config=loaded.cfg)
    assert 'accuracy' not in loaded.description['results']
    del weights['norm_f.weight']
    torch.save(dict(model=weights), path)
    with pytest.raises(ValueError, match='f16_res224.pth'):
        mmvideomamba.load(path)


def test_averaged_weights_and_adapters(recognizer: Any,
                                       tmp_path: Path) -> None:
    """EMA weights are named; adapters are refused before a load."""
    file = torch.load(recognizer[1])
    file['ema_state_dict'] = dict(file['state_dict'], steps=torch.tensor(1))
    torch.save(file, tmp_path / 'ema.pth')
    found = mmvideomamba.load(tmp_path / 'ema.pth').description['results']
    assert found['weights'] == 'average (EMA)'
    cfg = recognizer[0].cfg.copy()
    cfg.model.backbone = dict(
        type='mmpretrain.LoRAModel',
        module=cfg.model.backbone,
        rank=2,
        alpha=2,
        targets=[dict(type='in_proj')])
    file['meta']['cfg'] = cfg.pretty_text
    torch.save(file, tmp_path / 'lora.pth')
    with pytest.raises(ValueError, match='lora.pth: .* has adapters'):
        mmvideomamba.load(tmp_path / 'lora.pth')
    with pytest.raises(ValueError, match='lora.pth.*has adapters'):
        mmvideomamba.VideoMamba.from_pretrained(tmp_path / 'lora.pth')
