"""Configs of CLIP weights are checked against the tower to be filled."""
import json
from pathlib import Path
from typing import Any, Dict

import pytest
import torch

from mmvideomamba.models.masking import CLIPTower

ARCH = dict(width=16, num_layers=2, num_heads=2, patch_size=8, out_channels=12)
HUGGING_FACE = dict(
    model_type='clip',
    projection_dim=12,
    vision_config=dict(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        patch_size=8,
        image_size=16))
OPEN_CLIP = dict(
    model_cfg=dict(
        embed_dim=12,
        quick_gelu=True,
        vision_cfg=dict(
            width=16, layers=2, head_width=8, patch_size=8, image_size=16)))
LOGGED = 'neither the file nor a config'


def tower(path: Path, **kwargs: Any) -> CLIPTower:
    return CLIPTower(
        **{
            **dict(
                arch=ARCH,
                img_size=16,
                init_cfg=dict(type='Pretrained', checkpoint=str(path))),
            **kwargs
        })


def write(folder: Path, config: Dict[str, Any], name: str) -> Path:
    """Write weights under the publisher's name, and a config next to them."""
    by_open_clip = 'model_cfg' in config
    kind = 'open_clip_config.json' if by_open_clip else 'config.json'
    (folder / kind).write_text(json.dumps(config))
    model = CLIPTower(ARCH, img_size=16)
    torch.save({
        f'visual.{k}': v
        for k, v in model.state_dict().items()
    }, folder / name)
    return folder / name


def change(config: Dict[str, Any], **values: Any) -> Dict[str, Any]:
    """Replace values of the visual tower, or else of the whole model."""
    config = json.loads(json.dumps(config))
    model = config.get('model_cfg', config)
    inner = model['vision_cfg' if 'vision_cfg' in model else 'vision_config']
    for key, value in values.items():
        place = model if key in ('quick_gelu', 'embed_dim',
                                 'projection_dim') else inner
        place[key] = value
    return config


@pytest.mark.parametrize('config, name', [
    (HUGGING_FACE, 'pytorch_model.bin'),
    (OPEN_CLIP, 'open_clip_pytorch_model.bin'),
    (dict(HUGGING_FACE['vision_config'], model_type='clip_vision_model',
          projection_dim=12), 'pytorch_model.bin'),
    (OPEN_CLIP, 'mine.pth'),
])  # yapf: disable
def test_fitting_config(config: dict, name: str, tmp_path: Path,
                        mm_log: list) -> None:
    path = write(tmp_path, config, name)
    tower(path).init_weights()
    if name != 'mine.pth':
        tower(tmp_path).init_weights()  # the folder
    assert not [line for line in mm_log if LOGGED in line]


@pytest.mark.parametrize('config, message', [
    (change(HUGGING_FACE, num_attention_heads=4), 'num_heads is 4, but 2'),
    (change(HUGGING_FACE, hidden_act='gelu'),
     "act is 'gelu', but 'quick_gelu' .*act='gelu'"),
    (change(HUGGING_FACE, hidden_act='gelu_new'), "act='gelu_new'"),
    (change(HUGGING_FACE, layer_norm_eps=1e-6), 'layer_norm_eps=1e-06'),
    (change(HUGGING_FACE, hidden_size=32), 'width is 32, but 16'),
    (change(HUGGING_FACE, num_hidden_layers=3), 'num_layers is 3, but 2'),
    (change(HUGGING_FACE, patch_size=16), 'patch_size is 16, but 8'),
    (change(HUGGING_FACE, projection_dim=6), 'out_channels is 6, but 12'),
    (change(HUGGING_FACE, image_size=[16, 32]), 'not square'),
    (dict(model_type='siglip'), "config.json .*model_type 'siglip'"),
    (change(OPEN_CLIP, head_width=4), 'num_heads is 4, but 2'),
    (change(OPEN_CLIP, quick_gelu=False), "act is 'gelu'"),
    (change(OPEN_CLIP, embed_dim=6), 'out_channels is 6'),
    (change(OPEN_CLIP, pool_type='avg'), "pool_type='avg' .another pooling"),
    (change(OPEN_CLIP, global_average_pool=True), 'average pooling'),
    (change(OPEN_CLIP, ls_init_value=1e-5), 'LayerScale'),
    (change(OPEN_CLIP, act_kwargs=dict(approximate='tanh')), 'act_kwargs'),
    (change(OPEN_CLIP, norm_kwargs=dict(eps=1e-6)), 'norm_kwargs'),
    (dict(model_type='clip',
          vision_config=3), 'config.json is not a config of'),
    (change(OPEN_CLIP,
            head_width=0), 'is not a config of a CLIP.*get it anew'),
    (change(OPEN_CLIP, width='16'), 'is not a config of a CLIP.*get it anew'),
])  # yapf: disable
def test_config_of_another_tower(config: dict, message: str,
                                 tmp_path: Path) -> None:
    name = 'open_clip_' if 'model_cfg' in config else ''
    path = write(tmp_path, config, f'{name}pytorch_model.bin')
    with pytest.raises(ValueError, match=f'CLIP file: .*{message}'):
        tower(path).init_weights()


def test_value_left_out_is_that_of_transformers(tmp_path: Path) -> None:
    path = write(tmp_path, dict(model_type='clip', vision_config={}),
                 'pytorch_model.bin')
    with pytest.raises(ValueError, match='width is 768.*patch_size is 32'):
        tower(path).init_weights()


def test_config_of_another_model_beside_a_file_of_its_own(
        tmp_path: Path, mm_log: list) -> None:
    """A folder of checkpoints may hold the config of a BERT."""
    path = write(tmp_path, dict(model_type='bert'), 'clip_b16.pth')
    tower(path).init_weights()
    line, = [line for line in mm_log if LOGGED in line]
    assert 'the tower has 2 and quick_gelu' in line


def test_clip_of_transformers(tmp_path: Path) -> None:
    """A sharded file of transformers gives equal features."""
    transformers = pytest.importorskip('transformers')
    torch.manual_seed(0)
    sizes = dict(
        hidden_size=16,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2)
    config = transformers.CLIPConfig(
        text_config=dict(vocab_size=20, **sizes),
        vision_config=dict(
            image_size=16, patch_size=8, hidden_act='gelu', **sizes),
        projection_dim=12)
    model = transformers.CLIPModel(config).eval()
    model.save_pretrained(tmp_path, max_shard_size='20KB')
    assert len(list(tmp_path.glob('*.safetensors'))) > 1
    with pytest.raises(ValueError, match="act is 'gelu'"):
        tower(tmp_path).init_weights()
    ours = tower(tmp_path, act='gelu')
    ours.init_weights()
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        pooled = model.vision_model(images).pooler_output
        torch.testing.assert_close(
            ours(images)[0],
            model.visual_projection(pooled),
            rtol=1e-5,
            atol=1e-6)
