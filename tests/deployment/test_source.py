"""Models of a command line come with a description."""
from pathlib import Path

import pytest
import torch
from micro_models import backbone, build, head, recognizer
from mmengine.config import Config

import mmvideomamba
from mmvideomamba.deployment.source import (load_backbone, load_model,
                                            random_backbone)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Save a recognizer."""
    model = dict(type='Recognizer3D', backbone=backbone(), cls_head=head())
    cfg = Config(dict(model=model, default_scope='mmaction'))
    mmvideomamba.save_pretrained(
        recognizer(), tmp_path / 'saved', cfg, licence='mit')
    return tmp_path / 'saved'


def test_a_saved_folder(folder: Path) -> None:
    """The whole model, or the backbone alone, with other frames too."""
    model, described = load_model(str(folder))
    assert described['task'] == 'video-classification'
    assert described['licence'] == 'mit'
    alone, described = load_backbone(str(folder))
    assert described['task'] == 'feature-extraction'
    x = torch.randn(1, 3, 2, 16, 16)
    assert torch.equal(alone(x)[0], model.backbone(x)[0])
    longer, described = load_backbone(str(folder), 4)
    assert longer.num_frames == described['input']['frames'] == 4


def test_a_config_and_a_checkpoint(tmp_path: Path) -> None:
    """A checkpoint without a config inside is loaded with a config file."""
    cfg = dict(type='Recognizer3D', backbone=backbone(), cls_head=head())
    path = tmp_path / 'config.py'
    Config(dict(model=cfg, default_scope='mmaction')).dump(path)
    expected = build(cfg, 'mmaction')
    torch.save(
        dict(state_dict=expected.state_dict()), tmp_path / 'weights.pth')
    found, _ = load_model(str(tmp_path / 'weights.pth'), str(path))
    weights = found.state_dict()
    assert all(
        torch.equal(v, weights[k]) for k, v in expected.state_dict().items())


def test_random_weights() -> None:
    """A backbone by name has the sizes asked for."""
    model, described = random_backbone('tiny', 4, 32)
    assert not model.training and model.embed_dims == 192
    assert described['input']['frames'] == 4
    assert described['input']['width'] == 32
    with pytest.raises(ValueError, match="unknown arch 'huge'"):
        random_backbone('huge')
