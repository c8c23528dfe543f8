"""Published names of video-text models, and what a model leaves out."""
import torch

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
