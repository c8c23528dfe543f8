"""Tests of configs without training."""
from pathlib import Path

import pytest
from host_tools import ROOT
from mmengine.config import Config

from mmvideomamba.inference.saved.plain_config import model_files, plain_model

MULTIMODAL = 'multimodal/umt-videomamba-middle_k400-pre_16xb128-u8-10e_5m.py'
DISTILLED = 'classification/videomamba-base_distill-small_16xb128-300e_in1k.py'
PRETRAINING = ('pretraining/umt-videomamba-tiny_clip-b16_32xb64-u8-800e_'
               'kinetics400-rgb.py')


def config(name: str) -> Config:
    """Load a recipe."""
    return Config.fromfile(ROOT / 'configs' / name)


def test_a_video_text_pretraining() -> None:
    """Neither teacher nor decoder nor the alignment is left."""
    cfg = config(MULTIMODAL)
    assert cfg.model.teacher and cfg.model.vision_encoder.neck
    before = cfg.to_dict()
    found = plain_model(cfg)
    assert cfg.to_dict() == before
    assert 'teacher' not in found and 'mask_cfg' not in found
    assert 'neck' not in found['vision_encoder']
    assert 'uta' not in found['loss_weights']
    assert 'init_cfg' not in str(found)


def test_a_distilled_classifier() -> None:
    """The student becomes an ordinary classifier, without mixing."""
    found = plain_model(config(DISTILLED))
    assert found['type'] == 'mmpretrain.ImageClassifier'
    assert 'distill_head' not in found and 'train_cfg' not in found
    # The preprocessor of a whole config belongs to the model.
    assert found['data_preprocessor']['mean']


def test_refusals(tmp_path: Path) -> None:
    """Pretraining, configs without a model, and lost files are refused."""
    with pytest.raises(ValueError, match='UMT serves for a pretraining'):
        plain_model(config(PRETRAINING))
    with pytest.raises(ValueError, match='the config has no model'):
        plain_model(Config(dict(a=1)))
    with pytest.raises(ValueError, match='answers.json'):
        model_files(dict(answer_file=str(tmp_path / 'gone.json')))
