"""timm lists our models, each with the published file."""
import sys

import pytest
import timm
from mmengine.config import Config
from narrow_timm import NAME, RECIPE

import mmvideomamba.timm
from mmvideomamba.checkpoints import PUBLISHED, find_published


def test_timm_lists_the_models() -> None:
    names = timm.list_models('videomamba*')
    assert {n.split('_')[1]
            for n in names} == {'tiny', 'small', 'middle', 'base'}
    weights = timm.list_models('videomamba*', pretrained=True)
    rows = [r for r in PUBLISHED.values() if r.task == 'image-classification']
    assert len(weights) == len(rows) > 5
    assert f'{NAME}.in1k' in weights
    for name in weights:
        cfg = timm.get_pretrained_cfg(name)
        assert cfg is not None
        row = find_published(cfg.hf_hub_filename or '')
        assert row is not None and row.arch == name.split('_')[1]
        assert cfg.input_size == (3, row.size, row.size)


def test_a_listed_model() -> None:
    """Parameters and test as published."""
    model = timm.create_model(NAME, device=None)
    assert sum(p.numel() for p in model.parameters()) == 7148008
    data = timm.data.resolve_data_config({}, model=model)
    assert data['input_size'] == (3, 224, 224)
    assert data['interpolation'] == 'bicubic'
    steps = timm.data.create_transform(**data).transforms
    assert steps[0].size == 256 and steps[1].size == (224, 224)
    recipe = Config.fromfile(RECIPE)
    for ours, key in ((data['mean'], 'mean'), (data['std'], 'std')):
        assert [255 * v
                for v in ours] == pytest.approx(recipe.data_preprocessor[key])


def test_without_timm(monkeypatch) -> None:
    for name in [n for n in sys.modules if n.startswith('mmvideomamba.timm')]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(mmvideomamba, 'timm')
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(ImportError, match='pip install "timm>='):
        __import__('mmvideomamba.timm')
