import argparse
import sys

import numpy as np
import pytest
import torch
from common import official_files, official_weights, small_backbone
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from script import load_script
from tiny_recipes import recipe, runner_file

from mmvideomamba.registry import MODELS

SCRIPT = 'tools/model_converters/videomamba_to_mm.py'
converter = load_script(SCRIPT)


def run(monkeypatch, *args):
    """Call the script as a user does, in this process."""
    monkeypatch.setattr(sys, 'argv', [SCRIPT, *map(str, args)])
    converter.main()


def backbone_cfg(**kwargs):
    return dict(
        type='mmvideomamba.VideoMamba',
        arch=dict(embed_dims=16, num_layers=2),
        img_size=16,
        patch_size=8,
        num_frames=4,
        drop_path_rate=0.,
        **kwargs)


def recognizer():
    init_default_scope('mmaction')
    return MODELS.build(
        dict(
            type='mmaction.Recognizer3D',
            backbone=backbone_cfg(),
            cls_head=dict(
                type='mmvideomamba.VideoMambaHead',
                num_classes=5,
                in_channels=16)))


def classifier():
    init_default_scope('mmpretrain')
    backbone = backbone_cfg()
    backbone['num_frames'] = 1
    return MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            backbone=backbone,
            head=dict(
                type='mmpretrain.LinearClsHead', num_classes=5,
                in_channels=16)))


def test_distilled_file_goes_on_being_distilled(tmp_path, monkeypatch):
    """The distillation head is kept, and a strict load takes the file."""
    source = small_backbone(num_frames=1)
    weights = official_weights(source)
    weights.update({
        'distill_head.0.weight': torch.randn(16),
        'distill_head.1.weight': torch.randn(24, 16),
        'distill_head.1.bias': torch.randn(24)
    })
    torch.save(dict(model=weights), tmp_path / 'file.pth')
    run(monkeypatch, tmp_path / 'file.pth', tmp_path / 'ours.pth', '--task',
        'distilled')
    plain = classifier()
    teacher = small_backbone(
        num_frames=1, arch=dict(embed_dims=24, num_layers=1))
    model = MODELS.build(
        dict(
            type='mmvideomamba.DistilledClassifier',
            backbone=plain.backbone,
            head=plain.head,
            distill_head=dict(
                type='mmvideomamba.TokenDistillHead',
                in_channels=16,
                teacher=teacher)))
    load_checkpoint(model, str(tmp_path / 'ours.pth'), strict=True)
    found = model.state_dict()
    assert torch.equal(found['backbone.cls_token'], source.cls_token)
    assert torch.equal(found['head.fc.weight'], weights['head.weight'])
    for name, value in weights.items():
        if name.startswith('distill_head.'):
            assert torch.equal(found[name], value)


@pytest.mark.parametrize('kind', ['flat', 'trained', 'deepspeed'])
def test_loads_into_a_recognizer(tmp_path, monkeypatch, kind):
    source = small_backbone()
    file = official_files(source)[kind]
    torch.save(file, tmp_path / 'in.pth')
    run(monkeypatch, tmp_path / 'in.pth', tmp_path / 'new/out.pth')
    model = recognizer().eval()
    load_checkpoint(model, str(tmp_path / 'new/out.pth'), strict=True)
    weights = file.get('model', file.get('module', file))
    x = torch.randn(2, 3, 4, 16, 16)
    wanted = source.eval()(x)[0] @ weights['head.weight'].T
    found = model.cls_head(model.backbone(x))
    assert torch.allclose(found, wanted + weights['head.bias'], atol=1e-6)


def test_loads_into_a_classifier(tmp_path, monkeypatch):
    source = small_backbone(num_frames=1)
    weights = official_weights(source)
    torch.save(dict(model=weights), tmp_path / 'in.pth')
    run(monkeypatch, tmp_path / 'in.pth', tmp_path / 'out.pth', '--task',
        'classifier')
    stored = torch.load(tmp_path / 'out.pth', weights_only=True)
    # Renamed only: the loading model inflates the kernel.
    kernel = stored['state_dict']['backbone.patch_embed.proj.weight']
    assert torch.equal(kernel, weights['patch_embed.proj.weight'])
    assert stored['meta']['source'] == 'in.pth'
    model = classifier().eval()
    load_checkpoint(model, str(tmp_path / 'out.pth'), strict=True)
    x = torch.randn(2, 3, 16, 16)
    wanted = source.eval()(x)[0] @ weights['head.weight'].T
    found = model(x, mode='tensor')
    if found[0].shape != wanted.shape:
        found = model.head(model.backbone(x))
    assert torch.allclose(found, wanted + weights['head.bias'], atol=1e-6)


def test_loads_by_init_cfg(tmp_path, monkeypatch):
    source = small_backbone(num_frames=1)
    torch.save(official_files(source)['distilled'], tmp_path / 'in.pth')
    run(monkeypatch, tmp_path / 'in.pth', tmp_path / 'out.pth', '--task',
        'backbone')
    for prefix in (None, 'backbone.'):
        init_cfg = dict(
            type='Pretrained', checkpoint=str(tmp_path / 'out.pth'))
        if prefix:
            init_cfg['prefix'] = prefix
        model = MODELS.build(backbone_cfg(init_cfg=init_cfg))
        model.init_weights()
        assert torch.equal(model.norm_f.weight, source.norm_f.weight)
        assert not model.temporal_pos_embedding.any()


def test_table_is_printed(tmp_path, monkeypatch, mm_log, capsys):
    torch.save(official_weights(small_backbone()), tmp_path / 'in.pth')
    run(monkeypatch, tmp_path / 'in.pth', tmp_path / 'out.pth')
    table = [line.split(None, 2) for line in mm_log]
    assert ['renamed', 'cls_token', 'to backbone.cls_token'] in table
    assert ['renamed', 'head.bias', 'to cls_head.fc_cls.bias'] in table
    assert '42 tensors written to' in capsys.readouterr().out


def test_unknown_task(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, 'in.pth', tmp_path / 'out.pth', '--task', 'detector')
    assert "invalid choice: 'detector'" in capsys.readouterr().err


def test_nothing_is_overwritten(tmp_path, monkeypatch):
    path = tmp_path / 'in.pth'
    torch.save(official_weights(small_backbone()), path)
    before = path.read_bytes()
    with pytest.raises(SystemExit, match='error: .*in.pth exists; remove it'):
        run(monkeypatch, path, path)
    assert path.read_bytes() == before


def test_training_file_with_a_command_line(tmp_path, monkeypatch, capsys):
    """Allowed here, and nowhere else."""
    weights = official_weights(small_backbone())
    args = argparse.Namespace(lr=1e-3, model='videomamba_tiny', opt=None)
    file = dict(
        model=weights,
        args=args,
        scaler=dict(scale=1.),
        epoch=3,
        max_accuracy=np.float64(76.9))
    torch.save(file, tmp_path / 'in.pth')
    run(monkeypatch, tmp_path / 'in.pth', tmp_path / 'out.pth')
    assert f'{len(weights)} tensors written' in capsys.readouterr().out
    with pytest.raises(Exception, match='argparse.Namespace'):
        torch.load(tmp_path / 'in.pth')


@pytest.mark.parametrize('file, message', [
    (dict(model=dict(conv=torch.ones(1))), 'in.pth: this is not a VideoMamba'),
    ([1], 'in.pth holds a list, not the dict of a checkpoint'),
])
def test_errors_are_one_line(file, message, tmp_path, monkeypatch):
    torch.save(file, tmp_path / 'in.pth')
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, tmp_path / 'in.pth', tmp_path / 'out.pth')
    assert message in stop.value.code
    assert not (tmp_path / 'out.pth').exists()


def test_save_pretrained(tmp_path, monkeypatch, capsys):
    """The tool writes a folder; a fault is a line, not a traceback."""
    script = 'tools/model_converters/save_pretrained.py'
    tool = load_script(script)
    cfg = recipe('quickstart', tmp_path, tmp_path / 'clip.mp4')
    file, out = tmp_path / 'epoch_1.pth', tmp_path / 'saved'
    runner_file(cfg, file, epoch=1)
    arguments = [script, str(file), '--out', str(out), '--licence', 'mit']
    monkeypatch.setattr(sys, 'argv', arguments)
    tool.main()
    assert 'license: mit' in (out / 'README.md').read_text()
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'mine.txt').touch()
    arguments[3] = str(tmp_path / 'full')
    with pytest.raises(SystemExit, match='^error: .*full is not empty'):
        tool.main()
