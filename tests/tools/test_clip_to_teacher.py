"""The converter of CLIP files, on files of the publishers' layouts."""
import json
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from script import load_script
from torch import nn

from mmvideomamba.models.masking import CLIPTeacher

main = load_script('tools/model_converters/clip_to_teacher.py').main

TINY = dict(width=16, num_layers=2, num_heads=2, patch_size=8, out_channels=12)


class Whole(nn.Module):
    """A model with an image tower in half precision, as OpenAI's."""

    def __init__(self, tower: dict) -> None:
        super().__init__()
        self.logit_scale = nn.Parameter(torch.ones([]))
        self.visual = nn.Module()
        for name, value in tower.items():
            *path, last = name.split('.')
            module = self.visual
            for part in path:
                if not hasattr(module, part):
                    module.add_module(part, nn.Module())
                module = getattr(module, part)
            module.register_parameter(last, nn.Parameter(value.half()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.logit_scale


@pytest.fixture
def teacher() -> CLIPTeacher:
    return CLIPTeacher(TINY, img_size=16)


def tower_of(teacher: CLIPTeacher) -> dict:
    tower = {k: v.clone() for k, v in teacher.state_dict().items()}
    tower['conv1.weight'] = tower['conv1.weight'][:, :, 0]
    return tower


def check(path: Path, teacher: CLIPTeacher) -> None:
    other = CLIPTeacher(
        TINY,
        img_size=16,
        init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    other.init_weights()
    for key, value in teacher.state_dict().items():
        torch.testing.assert_close(
            other.state_dict()[key], value, rtol=1e-3, atol=1e-3)


def test_openai_archive(tmp_path: Path, teacher: CLIPTeacher, capsys) -> None:
    source, target = tmp_path / 'ViT.pt', tmp_path / 'new/clip.pth'
    script = torch.jit.script(Whole(tower_of(teacher)))
    script.save(str(source))
    main([str(source), str(target)])
    assert "'width': 16, 'num_layers': 2" in capsys.readouterr().out
    file = torch.load(target)
    assert file['clip_tower'] == {}  # 16 channels are none of OpenAI's
    tower = file['state_dict']
    assert all(v.dtype == torch.float32 for v in tower.values())
    check(target, teacher)


def test_safetensors(tmp_path: Path, teacher: CLIPTeacher) -> None:
    safetensors = pytest.importorskip('safetensors.torch')
    source, target = tmp_path / 'clip.safetensors', tmp_path / 'clip.pth'
    file = {f'visual.{k}': v for k, v in tower_of(teacher).items()}
    safetensors.save_file(file, str(source))
    main([str(source), str(target)])
    check(target, teacher)


def test_torch_file(tmp_path: Path, teacher: CLIPTeacher) -> None:
    source, target = tmp_path / 'clip.bin', tmp_path / 'clip.pth'
    torch.save({
        f'visual.{k}': v
        for k, v in tower_of(teacher).items()
    }, source)
    main([str(source), str(target)])
    check(target, teacher)


def test_file_that_keeps_its_command_line(tmp_path: Path,
                                          teacher: CLIPTeacher) -> None:
    """A file with a command line inside; a config could not load the file."""
    source, target = tmp_path / 'multi.pth', tmp_path / 'clip.pth'
    file = {f'clip_teacher.{k}': v for k, v in teacher.state_dict().items()}
    torch.save(dict(model=file, args=Namespace(lr=1)), source)
    main([str(source), str(target)])
    check(target, teacher)


def test_config_beside_the_file_is_kept(tmp_path: Path, teacher: CLIPTeacher,
                                        capsys) -> None:
    """Weights do not show the number of heads, nor the activation."""
    vision = dict(width=16, layers=2, head_width=4, patch_size=8)
    config = dict(model_cfg=dict(embed_dim=12, vision_cfg=vision))
    source, target = tmp_path / 'source', tmp_path / 'clip.pth'
    source.mkdir()
    (source / 'open_clip_config.json').write_text(json.dumps(config))
    torch.save({
        f'visual.{k}': v
        for k, v in tower_of(teacher).items()
    }, source / 'open_clip_pytorch_model.bin')
    main([str(source), str(target)])
    assert 'no config' not in capsys.readouterr().out
    with pytest.raises(ValueError, match="heads is 4, but 2.*act is 'gelu'"):
        check(target, teacher)
    config['model_cfg']['embed_dim'] = 6
    (source / 'open_clip_config.json').write_text(json.dumps(config))
    with pytest.raises(SystemExit, match='out_channels is 6, but 12'):
        main([str(source), str(target)])


def test_damaged_safetensors(tmp_path: Path) -> None:
    pytest.importorskip('safetensors')
    source = tmp_path / 'clip.safetensors'
    source.write_text('<html>not found</html>')
    with pytest.raises(SystemExit, match='clip.safetensors is a web page'):
        main([str(source), str(tmp_path / 'out.pth')])


def test_bad_files(tmp_path: Path) -> None:
    target = str(tmp_path / 'out.pth')
    with pytest.raises(SystemExit, match='error: .*missing.pt does not exist'):
        main([str(tmp_path / 'missing.pt'), target])
    text = tmp_path / 'text.pt'
    text.write_text('no tensors')
    with pytest.raises(SystemExit, match='text.pt is not a checkpoint of'):
        main([str(text), target])
    other = tmp_path / 'other.pt'
    torch.save({'fc.weight': torch.zeros(2)}, other)
    with pytest.raises(SystemExit, match='other.pt: .*no image tower'):
        main([str(other), target])
    listing = tmp_path / 'list.pt'
    torch.save([1, 2], listing)
    with pytest.raises(SystemExit, match='list.pt holds a list'):
        main([str(listing), target])
    assert not Path(target).exists()
