"""Published names of video-text models, and weights left out by a model."""
from typing import Callable, Dict

import pytest
import torch
from torch import Tensor

from mmvideomamba.checkpoints import fit_multimodal, own_key


def test_names() -> None:
    names = {
        'vision_encoder.norm.weight': 'vision_encoder.backbone.norm_f.weight',
        'vision_encoder.pool_norm.bias': 'vision_encoder.pool_norm.bias',
        'text_encoder.encoder.x': 'text_encoder.bert.encoder.x',
        'temp': 'temp'
    }
    assert {k: own_key(k) for k in names} == names


def test_wrapped_file() -> None:
    one = torch.ones(1)
    file = {
        'module.vision_encoder.layers.0.mixer.D': one,
        'module.clip_teacher.proj': one,
        'module.temp': one
    }
    own = {'vision_encoder.backbone.layers.0.mixer.D': one, 'temp': one}
    fitted, changes = fit_multimodal(dict(model=file), own, dict)
    assert fitted.keys() == own.keys()
    assert [(c.action, c.key) for c in changes] == [
        ('renamed', 'vision_encoder.layers.0.mixer.D'),
        ('dropped', 'clip_teacher.proj')
    ]  # yapf: disable


def whole_model() -> Dict[str, Tensor]:
    """Return the weights of a text tower of two layers, and a projection."""
    layer = 'text_encoder.bert.encoder.layer.'
    names = [f'{layer}{i}.output.dense.weight' for i in (0, 1)]
    names += [f'{layer}1.crossattention.self.key.weight', 'vision_proj.weight']
    names.append('text_encoder.bert.embeddings.word_embeddings.weight')
    return {name: torch.ones(4, 4) for name in names}


def test_text_tower_that_fits() -> None:
    """Position ids and pooler are dropped; the backbone is fitted later."""
    own = whole_model()
    trunk = 'vision_encoder.backbone.pos_embed'
    spare = {
        f'text_encoder.bert.{k}': torch.ones(2)
        for k in ('embeddings.position_ids', 'pooler.dense.weight')
    }
    file = {**own, **spare, trunk: torch.ones(3)}
    fitted, _ = fit_multimodal(file, {**own, trunk: torch.ones(2)}, dict)
    assert fitted.keys() == own.keys() | {trunk}
    # A file of a backbone alone says nothing of texts.
    fit_multimodal({trunk: torch.ones(3)}, {**own, trunk: torch.ones(2)}, dict)


@pytest.mark.parametrize('change, message', [
    (lambda k, v: {k: v[:3] if 'word_embeddings' in k else v},
     'shapes differ, such as .*word_embeddings.weight .3, 4. against .4, 4.'),
    (lambda k, v: {k: v[:3] if 'vision_proj' in k else v}, 'vision_proj'),
    (lambda k, v: {} if 'layer.0' in k else {k: v},
     '1 tensors are missing, such as .*layer.0'),
    (lambda k, v: {} if 'crossatt' in k else {k: v},
     'are missing, .*crossattention.*fusion_layer'),
    (lambda k, v: {k: v, k.replace('layer.1', 'layer.2'): v},
     'have no place, such as .*layer.2'),
])  # yapf: disable
def test_text_tower_that_does_not_fit(change: Callable, message: str) -> None:
    own = whole_model()
    file: Dict[str, Tensor] = {}
    for key, value in own.items():
        file.update(change(key, value))
    with pytest.raises(ValueError, match=f'does not fit the .*{message}'):
        fit_multimodal(file, own, dict)
