"""Files of every publisher fill the same teacher."""
import argparse
import re

import pytest
import torch
from common import GOLDEN_FLOOR, SPOILED, golden

from mmvideomamba.models.masking import CLIPTeacher

TINY = dict(width=16, num_layers=2, num_heads=2, patch_size=8, out_channels=12)


def teacher(**kwargs) -> CLIPTeacher:
    model = CLIPTeacher(**{**dict(arch=TINY, img_size=16), **kwargs})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


def published(model: CLIPTeacher) -> dict:
    """Return the tower with the 2-D patch kernel of an image model."""
    tower = {k: v.clone() for k, v in model.state_dict().items()}
    tower['conv1.weight'] = tower['conv1.weight'].sum(2)
    return tower


def openai(model: CLIPTeacher) -> dict:
    file = {f'visual.{k}': v for k, v in published(model).items()}
    file.update({
        'transformer.resblocks.0.ln_1.weight': torch.zeros(8),
        'positional_embedding': torch.zeros(77, 8),
        'token_embedding.weight': torch.zeros(9, 8),
        'ln_final.bias': torch.zeros(8),
        'text_projection': torch.zeros(8, 12),
        'logit_scale': torch.tensor(4.6)
    })
    return file


def hugging_face(model: CLIPTeacher, spelling: str = 'pre_layrnorm') -> dict:
    """Return the weights of the tower under the names of CLIPModel."""
    tower = published(model)
    at = 'vision_model.embeddings.'
    file = {
        f'{at}class_embedding': tower['class_embedding'],
        f'{at}patch_embedding.weight': tower['conv1.weight'],
        f'{at}position_embedding.weight': tower['positional_embedding'],
        f'{at}position_ids': torch.arange(5)[None],
        'visual_projection.weight': tower['proj'].T,
        'text_projection.weight': torch.zeros(12, 8),
        'text_model.final_layer_norm.bias': torch.zeros(8),
        'logit_scale': torch.tensor(4.6)
    }
    for end in ('weight', 'bias'):
        file[f'vision_model.{spelling}.{end}'] = tower[f'ln_pre.{end}']
        file[f'vision_model.post_layernorm.{end}'] = tower[f'ln_post.{end}']
        for i in range(model.num_layers):
            old = f'transformer.resblocks.{i}.'
            new = f'vision_model.encoder.layers.{i}.'
            packed = tower[f'{old}attn.in_proj_{end}'].chunk(3)
            for name, part in zip('qkv', packed):
                file[f'{new}self_attn.{name}_proj.{end}'] = part
            for a, b in (('self_attn.out_proj', 'attn.out_proj'),
                         ('layer_norm1', 'ln_1'), ('layer_norm2', 'ln_2'),
                         ('mlp.fc1', 'mlp.c_fc'), ('mlp.fc2', 'mlp.c_proj')):
                file[f'{new}{a}.{end}'] = tower[f'{old}{b}.{end}']
    return file


LAYOUTS = dict(
    openai=openai,
    openai_half=lambda m: {
        k: v.half()
        for k, v in openai(m).items()
    },
    visual_alone=published,
    open_clip_training=lambda m: dict(
        epoch=3, state_dict={
            f'module.{k}': v
            for k, v in openai(m).items()
        }),
    hugging_face=hugging_face,
    hugging_face_mended=lambda m: hugging_face(m, 'pre_layernorm'),
    multimodal=lambda m: dict(
        model={
            'temp': torch.tensor(0.07),
            'vision_encoder.layers.0.mixer.conv1d.weight': torch.zeros(8, 1),
            **{
                f'clip_teacher.{k}': v
                for k, v in m.state_dict().items()
            }
        }))


@pytest.mark.parametrize('layout', LAYOUTS)
def test_layouts(layout: str, tmp_path) -> None:
    """Weights in each layout load from a file named by ``init_cfg``."""
    source = teacher()
    path = tmp_path / 'clip.pth'
    torch.save(LAYOUTS[layout](source), path)
    model = teacher(init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    model.init_weights()
    for key, value in source.state_dict().items():
        wanted = value.half().float() if 'half' in layout else value
        assert torch.equal(model.state_dict()[key], wanted), key
    assert not any(p.requires_grad for p in model.parameters())


def test_unusable_file_is_named(tmp_path) -> None:
    """An archive of OpenAI, and a tower of another size."""
    path = tmp_path / 'clip.pt'
    model = teacher(init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    with pytest.raises(
            ValueError, match='clip.pt is a TorchScript.*clip_to_teacher.py'):
        model.init_weights()
    torch.save(openai(teacher(arch=dict(TINY, width=32))), path)
    with pytest.raises(ValueError, match="clip.pt: .*'width': 32"):
        model.init_weights()


@pytest.mark.parametrize('file, message', [
    ('cut', 'is cut off'), ('empty', 'is empty'), ('page', 'is a web page'),
    ('training', 'more than weights: argparse.*clip_to_teacher.py')
])  # yapf: disable
def test_file_that_cannot_be_read(file: str, message: str, tmp_path) -> None:
    path = tmp_path / 'clip.pth'
    checkpoint = dict(model=published(teacher()))
    if file == 'training':
        checkpoint['args'] = argparse.Namespace(lr=1)
    torch.save(checkpoint, path)
    if file in SPOILED:
        path.write_bytes(SPOILED[file](path.read_bytes()))
    model = teacher(init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    with pytest.raises(ValueError, match=f'CLIP file: .*clip.pth .*{message}'):
        model.init_weights()


def test_missing_file(tmp_path) -> None:
    path = tmp_path / 'clip.pth'
    model = teacher(init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    with pytest.raises(ValueError) as error:
        model.init_weights()
    text = str(error.value)
    assert f'CLIP file: the checkpoint {path} does not exist' in text
    assert 'tools/model_converters/clip_to_teacher.py' in text
    assert 'model.target_generator.init_cfg.checkpoint' in text


def test_teacher_without_a_file_is_warned_of(mm_log: list, tmp_path) -> None:
    path = tmp_path / 'clip.pth'
    torch.save(published(teacher()), path)
    given = teacher(init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    given.init_weights()
    assert not [line for line in mm_log if 'random' in line]
    teacher().init_weights()
    line, = [line for line in mm_log if 'random' in line]
    assert 'CLIPTeacher has no init_cfg' in line and 'clip_to_teacher' in line


def test_what_was_changed_is_logged(mm_log: list) -> None:
    teacher(img_size=24).load_state_dict(openai(teacher()))
    text = '\n'.join(mm_log)
    assert 'resized   positional_embedding' in text
    assert '(5, 16) -> (10, 16)' in text
    assert 'inflated  conv1.weight' in text


@pytest.mark.parametrize('case', [
    c for c in golden('checkpoint_adaptation').config['cases']
    if c.startswith('clip_res')
])
def test_golden_adaptation(case: str) -> None:
    data = golden('checkpoint_adaptation')
    cfg = data.config['cases'][case]
    arch = dict(
        width=12, num_layers=1, num_heads=2, patch_size=8, out_channels=6)
    file = published(CLIPTeacher(arch, img_size=32))
    file.update(data.under('clip_source/in/'))
    model = CLIPTeacher(
        arch,
        img_size=cfg['input_resolution'],
        tubelet_size=cfg['kernel_size'],
        inflation='center' if cfg['center'] else 'average')
    model.load_state_dict(file)
    for key, wanted in data.under(f'{case}/out/').items():
        found = model.state_dict()[key]
        limit = 0 if key == 'conv1.weight' else GOLDEN_FLOOR
        assert (found - wanted).abs().max() <= limit, key


@pytest.mark.parametrize('change,text', [
    (dict(width=32), "'width': 16.*'width': 32.*set `arch`"),
    (dict(num_layers=3), "'num_layers': 2.*'num_layers': 3"),
    (dict(patch_size=16), "'patch_size': 8.*'patch_size': 16"),
    (dict(out_channels=6), "'out_channels': 12.*'out_channels': 6"),
])
@pytest.mark.parametrize('layout', ['openai', 'hugging_face'])
def test_file_of_another_architecture(layout: str, change: dict,
                                      text: str) -> None:
    file = LAYOUTS[layout](teacher())
    with pytest.raises(ValueError, match=text):
        teacher(arch=dict(TINY, **change)).load_state_dict(file)


def test_file_of_another_model() -> None:
    with pytest.raises(ValueError, match="no image tower .*'fc.weight'"):
        teacher().load_state_dict({'fc.weight': torch.zeros(2, 2)})
    resnet = {
        'visual.conv1.weight': torch.zeros(4, 3, 3, 3),
        'visual.attnpool.positional_embedding': torch.zeros(50, 8)
    }
    with pytest.raises(ValueError, match='vision transformer'):
        teacher().load_state_dict(resnet)


def test_file_that_lacks_tensors() -> None:
    file = published(teacher())
    del file['ln_post.bias']
    with pytest.raises(ValueError, match='lacks 1 .*ln_post.bias'):
        teacher().load_state_dict(file)
    file = published(teacher())
    del file['class_embedding']
    with pytest.raises(ValueError, match='no class token, as with average'):
        teacher().load_state_dict(file)
    file = published(teacher())
    file['ln_post.bias'] = torch.zeros(3)
    with pytest.raises(ValueError, match=r'ln_post.bias .*\(3,\).*\(16,\)'):
        teacher().load_state_dict(file)


@pytest.mark.parametrize('name, message', [
    ('visual.transformer.resblocks.0.ls_1.gamma', 'LayerScale'),
    ('visual.attn_pool.query', 'attentional pooling'),
    ('visual.patchnorm_pre_ln.weight', 'norm or bias of the patches'),
    ('visual.conv1.bias', 'norm or bias of the patches'),
    ('visual.transformer.resblocks.1.attn.ln_q.weight', 'norm or scale'),
    ('visual.transformer.resblocks.1.mlp.c_fc.lora_A', 'an adapter'),
    ('visual.surprise', '1 tensors .*surprise.*another model'),
])  # yapf: disable
def test_part_unknown_to_the_tower(name: str, message: str) -> None:
    file = dict(openai(teacher()), **{name: torch.ones(16)})
    with pytest.raises(ValueError, match=message):
        teacher().load_state_dict(file)


@pytest.mark.parametrize('names, model', [
    (('visual.trunk.blocks.0.attn.qkv.weight', 'logit_scale'), 'SigLIP'),
    (('visual.conv1.weight', 'visual.attnpool.c_proj.weight'), 'a ResNet'),
    (('cls_token', 'blocks.0.attn.qkv.weight'), 'DINO or EVA'),
    (('embeddings.patch_embeddings.projection.weight', ), 'DINOv2'),
    (('token_embedding.weight', 'positional_embedding'), 'text tower of CLIP'),
    (('text_model.encoder.layers.0.mlp.fc1.bias', ), 'text tower of CLIP'),
    (('bert.embeddings.word_embeddings.weight', ), 'a BERT'),
    (('layers.0.mixer.A_log', ), 'a VideoMamba'),
])  # yapf: disable
def test_file_of_another_model_is_recognised(names: tuple, model: str) -> None:
    file = {name: torch.ones(2, 2) for name in names}
    with pytest.raises(ValueError, match=f'no image tower.* like .*{model}'):
        teacher().load_state_dict(file)


def test_siglip_of_hugging_face() -> None:
    file = hugging_face(teacher())
    del file['vision_model.embeddings.class_embedding']
    file['vision_model.embeddings.patch_embedding.bias'] = torch.ones(16)
    file['vision_model.head.probe'] = torch.ones(1, 1, 16)
    with pytest.raises(ValueError, match='attentional pooling.*as in SigLIP'):
        teacher().load_state_dict(file)


def test_quantised_file() -> None:
    file = openai(teacher())
    key = 'visual.transformer.resblocks.0.mlp.c_fc.weight'
    file[key] = file[key].to(torch.int8)
    with pytest.raises(ValueError, match='c_fc.weight .*torch.int8'):
        teacher().load_state_dict(file)


def test_keys_without_values() -> None:
    file = hugging_face(teacher())
    del file['vision_model.encoder.layers.1.self_attn.k_proj.bias']
    with pytest.raises(ValueError, match='layers.1.self_attn.k_proj.bias'):
        teacher().load_state_dict(file)


def test_several_towers() -> None:
    tower = published(teacher())
    file = {f'first.{k}': v for k, v in tower.items()}
    file.update({f'second.{k}': v for k, v in tower.items()})
    with pytest.raises(ValueError, match="several .*'first.', 'second.'"):
        teacher().load_state_dict(file)


@pytest.mark.parametrize('prefix', ['', 'vision_model.', 'clip.vision_model.'])
def test_prefixes_of_hugging_face(prefix: str, mm_log: list) -> None:
    source, model = teacher(), teacher()
    whole = re.sub(r'vision_model\.$', '', prefix)
    file = {
        re.sub(r'^(vision_model\.)?', prefix if 'vision_' in k else whole, k):
        v
        for k, v in hugging_face(source).items()
        if prefix or not k.startswith('text_')
    }
    model.load_state_dict(file)
    for key, value in source.state_dict().items():
        assert torch.equal(model.state_dict()[key], value), key
    assert ('besides the image tower' in '\n'.join(mm_log)) == bool(prefix)


def test_hugging_face_file_without_the_projection() -> None:
    """A file saved by CLIPVisionModel is refused with the remedy."""
    file = hugging_face(teacher())
    del file['visual_projection.weight']
    with pytest.raises(ValueError) as error:
        teacher().load_state_dict(file)
    text = str(error.value)
    assert 'lacks its projection' in text
    assert 'save a CLIPModel or a CLIPVisionModelWithProjection' in text
    assert 'arch' not in text
