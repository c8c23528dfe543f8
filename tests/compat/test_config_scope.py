"""Recipes named ``mmvideomamba::...`` are found in a base and by the hub."""
from pathlib import Path

import mmengine.config.utils
import pytest
from mmengine.config import Config
from mmengine.hub import get_config, get_model

from mmvideomamba.compat import config_scope
from .fresh_python import ROOT, run_python

VIDEO = ('recognition/kinetics400/videomamba-tiny_in1k-pre_8xb64-u8-70e_'
         'kinetics400-rgb.py')
IMAGE = 'classification/videomamba-tiny_8xb512-300e_in1k.py'
QUICK = 'quickstart/videomamba-micro_1xb8-u8-25e_quickstart-rgb.py'


def plain(cfg: Config) -> dict:
    return cfg.to_dict()


def test_cause(monkeypatch) -> None:
    listed = mmengine.config.utils.MODULE2PACKAGE
    assert config_scope._cause() == ''
    monkeypatch.delitem(listed, 'mmvideomamba')
    assert 'closed list' in config_scope._cause()


def test_a_base_equals_the_file(tmp_path: Path) -> None:
    """Inherited over two files, and together with a base of the host."""
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = 'mmvideomamba::{VIDEO}'\n"
                     'model = dict(cls_head=dict(num_classes=7))\n')
    (tmp_path / 'grandchild.py').write_text(
        "_base_ = ['./child.py']\nmodel = dict(backbone=dict(arch='small'))\n")
    expected = Config.fromfile(ROOT / 'configs' / VIDEO)
    expected.merge_from_dict({
        'model.cls_head.num_classes': 7,
        'model.backbone.arch': 'small'
    })
    found = Config.fromfile(tmp_path / 'grandchild.py')
    assert plain(found) == plain(expected)
    assert '_scope_' not in found.model.backbone
    mixed = tmp_path / 'mixed.py'
    mixed.write_text("_base_ = ['mmvideomamba::_base_/models/"
                     "videomamba_tiny.py', 'mmaction::_base_/schedules/"
                     "sgd_50e.py']\n")
    mixed_cfg = Config.fromfile(mixed)
    assert mixed_cfg.model.type == 'Recognizer3D'
    assert mixed_cfg.train_cfg.max_epochs == 50


def test_a_misspelt_recipe_names_others(tmp_path: Path) -> None:
    file = tmp_path / 'child.py'
    file.write_text("_base_ = 'mmvideomamba::classification/"
                    "videomamba-tiny_8xb512-301e_in1k.py'\n")
    with pytest.raises(FileNotFoundError, match=f'mmvideomamba::{IMAGE}'):
        Config.fromfile(file)
    with pytest.raises(FileNotFoundError, match='is not a recipe in'):
        get_model('mmvideomamba::x/y.py')


def test_hub(monkeypatch) -> None:
    cfg = get_config(f'mmvideomamba::{IMAGE}')
    assert plain(cfg) == plain(Config.fromfile(ROOT / 'configs' / IMAGE))
    # Models of both hosts, with parts of ours and of the host.
    small = dict(embed_dims=8, num_layers=1)
    for name, model in ((QUICK, 'Recognizer3D'), (IMAGE, 'ImageClassifier')):
        path = ROOT / 'configs' / name
        cfg = Config.fromfile(path)
        cfg.model.backbone.arch = small
        monkeypatch.setattr(Config, 'fromfile', lambda *_, cfg=cfg: cfg)
        built = get_model(f'mmvideomamba::{name}')
        monkeypatch.undo()
        assert type(built).__name__ == model
        assert type(built.backbone).__module__.startswith('mmvideomamba.')
        assert built.backbone.num_layers == 1
    with pytest.raises(ValueError, match='no metafile has published weights'):
        get_config(f'mmvideomamba::{QUICK}', pretrained=True)


def test_hub_takes_weights_of_the_metafile(monkeypatch) -> None:
    rows = {'Weights': ['https://example.org/a.pth', 'b']}
    monkeypatch.setattr(mmengine.config.utils, '_get_cfg_metainfo',
                        lambda folder, name: rows)
    cfg = get_config(f'mmvideomamba::{IMAGE}', pretrained=True)
    assert cfg.model_path == 'https://example.org/a.pth'


@pytest.mark.slow
def test_a_stock_tool_needs_the_import_in_the_base(tmp_path: Path) -> None:
    """As in docs/compatibility.md: the base may import the package."""
    (tmp_path / 'plain.py').write_text(f"_base_ = 'mmvideomamba::{QUICK}'\n")
    (tmp_path / 'imports.py').write_text(
        f"_base_ = __import__('mmvideomamba') and 'mmvideomamba::{QUICK}'\n")
    done = run_python(
        'from mmengine.config import Config\n'
        'try:\n'
        f'    Config.fromfile({str(tmp_path / "plain.py")!r})\n'
        'except AssertionError as error:\n'
        '    print(error)\n'
        f'print(Config.fromfile({str(tmp_path / "imports.py")!r})'
        '.model.type)\n')
    assert done.stdout.splitlines() == [
        'mmengine does not support to load mmvideomamba config.',
        'Recognizer3D'
    ], done.stderr
