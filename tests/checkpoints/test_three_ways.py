"""Converter, ``init_cfg`` and ``load_from`` agree on files of any trainer.

Real files are written for each wrapper and prefix, and loaded in the three
ways. Each way must fill the backbone with exactly the saved weights.
"""
import functools
import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from common import official_weights, small_backbone
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import Tensor, nn

from mmvideomamba.models import VideoMamba
from mmvideomamba.registry import MODELS

SCRIPT = Path(__file__).parents[2] / (
    'tools/model_converters/videomamba_to_mm.py')
spec = importlib.util.spec_from_file_location('videomamba_to_mm', SCRIPT)
assert spec is not None and spec.loader is not None
converter = importlib.util.module_from_spec(spec)
spec.loader.exec_module(converter)

SMALL = dict(
    type='mmvideomamba.VideoMamba',
    arch=dict(embed_dims=16, num_layers=2),
    img_size=16,
    patch_size=8,
    num_frames=4,
    drop_path_rate=0.)

Weights = Dict[str, Tensor]
PLAIN = ('state_dict', 'model', 'module', 'model_state_dict', 'net', 'network',
         'params', 'weights', 'model_state', 'student')
AVERAGED = ('model_ema', 'state_dict_ema', 'ema_state_dict', 'params_ema',
            'ema', 'ema_model', 'teacher', 'model_ema_state_dict', 'modelEma')
PREFIXES = ('', 'module.', '_orig_mod.', 'model.', 'backbone.', 'encoder.',
            'student.', 'net.', 'module._orig_mod.', '_orig_mod.module.',
            'model.backbone.', 'module.model.backbone.', 'backbone.module.',
            'module.backbone._orig_mod.', 'model._orig_mod.encoder.')


def wrap(keys: str, weights: Weights) -> dict:
    """Put weights below the keys 'a/b', with other entries of trainers."""
    file: Dict[str, Any] = weights
    for key in filter(None, reversed(keys.split('/'))):
        file = {key: file, 'epoch': 3, 'optimizer': dict(state={0: {}})}
    return file


def prefixed(prefix: str, weights: Weights) -> Weights:
    return {prefix + k: v for k, v in weights.items()}


def recognizer(**backbone: Any) -> nn.Module:
    init_default_scope('mmaction')
    return MODELS.build(
        dict(
            type='mmaction.Recognizer3D',
            backbone=dict(SMALL, **backbone),
            cls_head=dict(
                type='mmvideomamba.VideoMambaHead',
                num_classes=5,
                in_channels=16)))


def by_init_cfg(path: Path, **options: Any) -> nn.Module:
    cfg = dict(type='Pretrained', checkpoint=str(path), **options)
    model = recognizer(init_cfg=cfg)
    model.init_weights()
    return model


@functools.lru_cache(maxsize=None)
def shared_runner() -> Runner:
    """Make one runner shared by all tests, with a new model for each."""
    return Runner(
        model=recognizer(),
        work_dir=tempfile.mkdtemp(),
        default_scope='mmaction',
        experiment_name='three_ways')


def by_load_from(path: Path) -> nn.Module:
    """Load as the runner of a training, or of a test, does."""
    runner = shared_runner()
    runner.model, runner._load_from = recognizer(), str(path)
    runner._has_loaded = False
    runner.load_or_resume()
    return runner.model


def by_converter(path: Path, *options: str) -> nn.Module:
    target = path.parent / 'ours.pth'
    before, sys.argv = sys.argv, [
        str(SCRIPT), str(path), str(target), *options
    ]
    try:
        converter.main()
    finally:
        sys.argv = before
    return by_load_from(target)


WAYS: Dict[str, Callable[..., nn.Module]] = dict(
    converter=by_converter, init_cfg=by_init_cfg, load_from=by_load_from)
way = pytest.mark.parametrize('way', WAYS)


def check(model: nn.Module, source: VideoMamba) -> None:
    """Check every tensor of the backbone against the source, bit by bit."""
    for name, value in source.state_dict().items():
        assert torch.equal(model.backbone.state_dict()[name], value), name


def save(tmp_path: Path, file: Any, name: str = 'in.pth') -> Path:
    path = tmp_path / name
    torch.save(file, path)
    return path


WRAPPERS = ('', *PLAIN, *AVERAGED, 'model/state_dict', 'ema/module')


@pytest.mark.parametrize(
    'wrapper, prefix',
    [(w, p) for w in WRAPPERS for p in PREFIXES
     if w in ('', 'model', 'model_ema') or p in ('', 'module.', 'model.')])
def test_every_wrapper_and_prefix(wrapper: str, prefix: str,
                                  tmp_path: Path) -> None:
    """One file, three ways, the same weights."""
    source = small_backbone()
    weights = prefixed(prefix, official_weights(source))
    path = save(tmp_path, wrap(wrapper, weights))
    head = weights[f'{prefix}head.weight']
    for name, load in WAYS.items():
        model = load(path)
        check(model, source)
        if name != 'init_cfg':
            assert torch.equal(model.cls_head.fc_cls.weight, head), name


@way
@pytest.mark.parametrize('prefix', PREFIXES)
def test_safetensors(prefix: str, way: str, tmp_path: Path) -> None:
    safetensors = pytest.importorskip('safetensors.torch')
    source, path = small_backbone(), tmp_path / 'in.safetensors'
    safetensors.save_file(
        prefixed(prefix, official_weights(source)), str(path))
    check(WAYS[way](path), source)


@way
@pytest.mark.parametrize('prefix', ['', 'module.', 'model.', '_orig_mod.'])
def test_whole_models_of_ours(prefix: str, way: str, tmp_path: Path) -> None:
    """A recognizer's own names, wrapped by another trainer."""
    source = recognizer()
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.normal_()
    path = save(tmp_path,
                dict(state_dict=prefixed(prefix, source.state_dict())))
    model = WAYS[way](path)
    check(model, source.backbone)
    if way != 'init_cfg':
        assert torch.equal(model.cls_head.fc_cls.bias,
                           source.cls_head.fc_cls.bias)


@way
def test_modules_compiled_or_wrapped_one_by_one(way: str,
                                                tmp_path: Path) -> None:
    """Wrappers stand in the middle of names, too."""
    source = small_backbone()
    weights = {
        k.replace('layers.0.', 'layers.0._orig_mod.').replace(
            'layers.1.mixer.', 'layers.1._checkpoint_wrapped_module.mixer.'):
        v
        for k, v in official_weights(source).items()
    }
    check(WAYS[way](save(tmp_path, dict(model=weights))), source)


@way
def test_lightning(way: str, tmp_path: Path, mm_log: List[str]) -> None:
    """Losses and metrics besides the model are left out, and named."""
    source = small_backbone()
    weights = prefixed('model.', official_weights(source))
    weights['criterion.weight'] = torch.ones(5)
    file = {
        'pytorch-lightning_version': '2.5',
        'state_dict': weights,
        'hyper_parameters': dict(lr=1e-3),
        'callbacks': {},
        'loops': dict(fit_loop=dict(state_dict={}))
    }
    check(WAYS[way](save(tmp_path, file, 'in.ckpt')), source)
    assert [x for x in mm_log if 'such as criterion.weight, are left' in x]


@way
@pytest.mark.parametrize('plain, averaged', [
    ('model', 'model_ema'), ('state_dict', 'state_dict_ema'),
    ('params', 'params_ema'), ('student', 'teacher'),
    ('net', 'ema_state_dict'), ('model', 'ema/module')
])  # yapf: disable
def test_both_kinds_of_weights(plain: str, averaged: str, way: str,
                               tmp_path: Path, mm_log: List[str]) -> None:
    """The trained ones are taken, and the log names the EMA ones."""
    source, mean = small_backbone(), small_backbone()
    file = {
        **wrap(averaged, prefixed('module.', official_weights(mean))),
        **wrap(plain, official_weights(source))
    }
    path = save(tmp_path, file)
    check(WAYS[way](path), source)
    line, = [x for x in mm_log if 'holds EMA weights too' in x][:1]
    assert averaged.replace('/', '.') in line and '--ema' in line


@pytest.mark.parametrize('averaged', AVERAGED)
def test_option_for_ema_weights(averaged: str, tmp_path: Path,
                                mm_log: List[str]) -> None:
    source, mean = small_backbone(), small_backbone()
    path = save(
        tmp_path,
        dict(
            wrap('net', official_weights(source)),
            **{averaged: prefixed('module.', official_weights(mean))}))
    check(by_converter(path, '--ema'), mean)
    check(by_init_cfg(path, ema=True), mean)
    assert [x for x in mm_log if 'are EMA weights' in x]


@way
def test_ema_beside_the_model_in_one_state_dict(way: str,
                                                tmp_path: Path) -> None:
    """A Lightning module with two attributes."""
    source, mean = small_backbone(), small_backbone()
    path = save(
        tmp_path,
        dict(
            state_dict={
                **prefixed('ema_model.module.', official_weights(mean)),
                **prefixed('model.', official_weights(source))
            }))
    check(WAYS[way](path), source)
    check(by_init_cfg(path, ema=True), mean)


@way
def test_ema_hook_of_mmengine(way: str, tmp_path: Path) -> None:
    """mmengine's EMA hook saves the averaged weights as ``state_dict``."""
    mean, last = recognizer(), recognizer()
    for model in (mean, last):
        for parameter in model.parameters():
            nn.init.normal_(parameter)
    file = dict(
        meta=dict(mmengine_version='0.10.7', epoch=1, iter=2),
        state_dict=mean.state_dict(),
        ema_state_dict={
            'steps': torch.tensor(7),
            **prefixed('module.', last.state_dict())
        })
    path = save(tmp_path, file)
    check(WAYS[way](path), mean.backbone)
    check(by_init_cfg(path, ema=True), mean.backbone)


def refused(way: str, path: Path, capsys: Any) -> str:
    """Return the error of a way; nothing may have been loaded."""
    if way != 'converter':
        with pytest.raises((ValueError, FileNotFoundError)) as error:
            WAYS[way](path)
        return str(error.value)
    with pytest.raises(SystemExit) as stop:
        by_converter(path)
    assert not (path.parent / 'ours.pth').exists()
    return f'{stop.value} {capsys.readouterr().err}'


def test_no_ema_weights_to_take(tmp_path: Path) -> None:
    path = save(tmp_path, dict(model=official_weights(small_backbone())))
    with pytest.raises(ValueError, match=r'in\.pth: .*no EMA weights'):
        by_init_cfg(path, ema=True)
    with pytest.raises(SystemExit, match='in.pth: .*holds no EMA weights'):
        by_converter(path, '--ema')


@way
@pytest.mark.parametrize('file, message', [
    (lambda w: dict(gradients=w), 'weights at gradients., not under'),
    (lambda w: dict(model=w, net=w), 'several models, at model. and net.'),
    (lambda w: dict(module={k: v[:0] if v.dim() else v for k, v in w.items()}),
     'one shard of a model trained by FSDP or DeepSpeed ZeRO-3'),
    (lambda w: dict(generator=w, discriminator=w), 'at generator., disc'),
    (lambda w: dict(model={**prefixed('backbone.', w),
                           **prefixed('encoder.', w)}),
     'several models, at model.backbone. and model.encoder.'),
])  # yapf: disable
def test_files_that_leave_a_choice(way: str, file: Callable[[Weights], dict],
                                   message: str, tmp_path: Path,
                                   capsys: Any) -> None:
    path = save(tmp_path, file(official_weights(small_backbone())))
    text = refused(way, path, capsys)
    assert message in text and 'in.pth' in text


@way
@pytest.mark.parametrize('prefix', PREFIXES)
@pytest.mark.parametrize('lost',
                         ['layers.1.mixer.out_proj.weight', 'norm_f.weight'])
def test_nothing_stays_at_its_start(lost: str, prefix: str, way: str,
                                    tmp_path: Path, capsys: Any) -> None:
    """A tensor missing in the file is an error, whatever the prefix."""
    weights = official_weights(small_backbone())
    del weights[lost]
    path = save(tmp_path, dict(model=prefixed(prefix, weights)))
    if way == 'converter':  # fitted by the model at loading
        with pytest.raises(ValueError, match=lost):
            by_converter(path)
    else:
        assert lost in refused(way, path, capsys)


def bad_files(path: Path) -> Dict[str, str]:
    """Write the faults of downloads; return the expected message of each."""
    torch.save(official_weights(small_backbone()), path / 'good.pth')
    whole = (path / 'good.pth').read_bytes()
    contents = {
        'empty.pth': b'',
        'lfs.pth': b'version https://git-lfs.github.com/spec/v1\n'
        b'oid sha256:4d7a\nsize 28400000\n',
        'page.pth': b'\n<!DOCTYPE html><html><head><title>404</title>',
        'cut.pth': whole[:-2000],
        'damaged.pth': whole[:9000] + b'\xff' * 64 + whole[9064:],
        'text.pth': b'hello',
        'packed.pth': b'\x1f\x8b\x08rest',
    }
    for name, content in contents.items():
        (path / name).write_bytes(content)
    (path / 'folder.pth').mkdir()
    (path / 'folder.pth' / 'model.pt').write_bytes(whole)
    torch.save(dict(model={}, extra=Path('x')), path / 'more.pth')
    return {
        'empty.pth': 'is empty',
        'lfs.pth': 'is a Git LFS pointer, not the file of 28.4 MB itself: '
        'run "git lfs pull"',
        'page.pth': 'is a web page ("404"), not a checkpoint',
        'cut.pth': 'is cut off after',
        'damaged.pth': 'is damaged',
        'text.pth': 'is not a checkpoint of torch or safetensors',
        'packed.pth': 'is packed by gzip: unpack it first',
        'folder.pth': 'is a folder, not a checkpoint: name a file in it, '
        'such as',
        'more.pth': 'holds more than weights: pathlib.PosixPath, which '
        'could run code, and is refused',
        'missing.pth': 'does not exist',
    }


@way
@pytest.mark.parametrize('name', [
    'empty.pth', 'lfs.pth', 'page.pth', 'cut.pth', 'damaged.pth', 'text.pth',
    'packed.pth', 'folder.pth', 'more.pth', 'missing.pth'
])
def test_bad_files(name: str, way: str, tmp_path: Path, capsys: Any) -> None:
    """Each fault has one message, with the file's name and the remedy."""
    message = bad_files(tmp_path)[name]
    text = refused(way, tmp_path / name, capsys)
    assert str(tmp_path / name) in text
    assert message in text


@way
def test_command_line_of_a_training(way: str, tmp_path: Path,
                                    capsys: Any) -> None:
    """Allowed in the converter; the other ways name the converter."""
    import argparse
    source = small_backbone()
    path = save(
        tmp_path,
        dict(model=official_weights(source), args=argparse.Namespace(lr=1.)))
    if way == 'converter':
        check(by_converter(path), source)
        return
    text = refused(way, path, capsys)
    assert 'in.pth holds more than weights: argparse.Namespace' in text
    assert f'python {SCRIPT.relative_to(SCRIPT.parents[2])}' in text


@way
def test_class_token_in_the_middle(way: str, tmp_path: Path,
                                   capsys: Any) -> None:
    """Vision Mamba's image models have the names and shapes of ours."""
    weights = official_weights(small_backbone(num_frames=1))
    weights['cls_token'] = torch.randn(1, 1, 16)
    table = 0.1 * torch.randn(1, 5, 16)
    table[:, 2] += weights['cls_token'][0]
    weights['pos_embed'] = table
    path = save(tmp_path, dict(model=weights))
    text = refused(way, path, capsys)
    assert 'token 2 of 5, in the middle' in text and 'Vision Mamba' in text


@way
def test_settings_that_name_vision_mamba(way: str, tmp_path: Path,
                                         capsys: Any) -> None:
    weights = official_weights(small_backbone(num_frames=1))
    arch = 'vim_tiny_patch16_224_bimambav2_with_midclstoken_div2'
    path = save(tmp_path, dict(model=weights, arch=arch))
    assert arch in refused(way, path, capsys)


def test_other_models_pass_as_they_are(tmp_path: Path) -> None:
    """mmengine's loader is ours, but changes VideoMamba files only."""
    from mmengine.runner import CheckpointLoader
    file = dict(model={'conv.weight': torch.ones(2)}, arch='resnet', n=[1])
    path = save(tmp_path, file)
    found = CheckpointLoader.load_checkpoint(str(path))
    assert found.keys() == file.keys() and found['n'] == [1]
