"""Tests of the types in configs of strangers."""
import sys
import types
from typing import Any

import pytest
from host_tools import ROOT
from mmaction.models import Recognizer3D
from mmengine.config import Config

from mmvideomamba.inference.saved.plain_config import config_values
from mmvideomamba.inference.saved.trusted_types import check_types

GOOD = dict(type='mmvideomamba.VideoMamba')


@pytest.mark.parametrize('name', [
    'quickstart/videomamba-micro_1xb8-u8-25e_quickstart-rgb.py',
    'classification/videomamba-tiny_8xb512-300e_in1k.py',
    'multimodal/umt-videomamba-middle_k400-pre_16xb128-u8-10e_5m.py',
    'recognition/lvu/videomamba-tiny_k400-u32-pre_8xb8-u32-70e_lvu-'
    'director-60s-rgb.py',
    'recognition/custom/videomamba-tiny_attentive-probe_1xb8-u8-25e_'
    'custom-rgb.py'
])
def test_types_of_recipes(name: str) -> None:
    """The registries know all types of our recipes."""
    cfg = Config.fromfile(ROOT / 'configs' / name)
    check_types(config_values(cfg), name)


def test_the_path_of_a_registered_class() -> None:
    """Configs in pure Python name classes by their path."""
    path = f'{Recognizer3D.__module__}.{Recognizer3D.__name__}'
    check_types(dict(model=dict(type=path, backbone=GOOD)), 'file')
    check_types(dict(model=dict(type='mmaction.models.Recognizer3D')), 'file')
    with pytest.raises(ValueError, match='no registry knows'):
        check_types(dict(model=dict(type=f'{path}s')), 'file')


def test_a_module_that_is_not_imported_stays_so(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a type nor a scope imports a module, and none is called."""
    lazy: Any = types.ModuleType('lazy_module')
    lazy.__getattr__ = lambda name: Recognizer3D
    monkeypatch.setitem(sys.modules, 'lazy_module', lazy)
    for kind in ('antigravity.fly', 'lazy_module.Recognizer3D', 'os.LN',
                 'os.system', 5, None, '', '.', 'Recognizer3D.'):
        with pytest.raises(ValueError, match='file: model.type is .*trust it'):
            check_types(dict(model=dict(type=kind)), 'file')
    with pytest.raises(ValueError, match="backbone._scope_ is 'antigravity'"):
        check_types(
            dict(model=dict(backbone=dict(GOOD, _scope_='antigravity'))),
            'file')
    assert 'antigravity' not in sys.modules


@pytest.mark.parametrize('kind', [
    'HuggingFaceClassifier', 'mmpretrain.HuggingFaceClassifier',
    'mmpretrain.TimmClassifier', 'mmpretrain.TIMMBackbone',
    'mmpretrain.ImageToImageRetriever', 'mmaction.CLIPSimilarity',
    'mmpretrain.models.classifiers.hugging_face.HuggingFaceClassifier'
])
def test_parts_that_fetch_models(kind: str) -> None:
    """A saved model fetches no second model, which may come with code."""
    with pytest.raises(ValueError, match='model.type is .* maybe their code'):
        check_types(
            dict(
                model=dict(
                    type=kind, model_name='a/b', trust_remote_code=True)),
            'file')


def test_text_that_a_step_evaluates() -> None:
    """The dtype of torchvision's steps is a plain name."""
    step = dict(type='mmpretrain.torchvision/ConvertImageDtype')
    check_types(dict(test_pipeline=[dict(step, dtype='float32')]), 'file')
    with pytest.raises(ValueError, match='test_pipeline.0.dtype is "os.sys'):
        check_types(
            dict(test_pipeline=[dict(step, dtype="os.system('true')")]),
            'file')
