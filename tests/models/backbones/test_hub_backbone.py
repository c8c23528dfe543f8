"""Tests of loading and saving a backbone in a line."""
import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from common import official_files, official_weights, small_backbone
from mmpretrain.models.peft import LoRAModel
from safetensors.torch import load_file, save_file

import mmvideomamba
from mmvideomamba import VideoMamba
from mmvideomamba.registry import MODELS

SMALL: Any = dict(arch=dict(embed_dims=8, num_layers=1), img_size=16)


def same(a: VideoMamba, b: VideoMamba) -> bool:
    """Tell whether two backbones have the same weights."""
    one, other = a.state_dict(), b.state_dict()
    return one.keys() == other.keys() and all(
        torch.equal(one[k], other[k]) for k in one)


def test_a_folder(tmp_path: Path) -> None:
    """All arguments come back, and the same features to the bit."""
    model = small_backbone(
        out_type='avg_featmap',
        img_size=(16, 32),
        scan_order='temporal_first',
        mixer_cfg=dict(d_state=8)).eval()
    model.save_pretrained(tmp_path / 'saved', licence='mit')
    found = VideoMamba.from_pretrained(tmp_path / 'saved')
    assert not found.training
    x = torch.randn(1, 3, 4, 16, 32)
    with torch.no_grad():
        assert torch.equal(found(x)[0], model(x)[0])
    card = (tmp_path / 'saved' / 'README.md').read_text()
    assert 'license: mit' in card and 'VideoMamba.from_pretrained' in card
    # Copies keep the arguments.
    for copied in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        copied.save_pretrained(tmp_path / 'saved')
        assert same(VideoMamba.from_pretrained(tmp_path / 'saved'), model)


def test_other_sizes(tmp_path: Path) -> None:
    """Overrides win; the position tables are resized, and nothing else."""
    small_backbone().save_pretrained(tmp_path)
    found = VideoMamba.from_pretrained(tmp_path, num_frames=8, img_size=32)
    assert found.temporal_pos_embedding.shape[1] == 8
    assert found.pos_embed.shape[1] == 17
    stored = VideoMamba.from_pretrained(tmp_path)
    assert torch.equal(found.cls_token, stored.cls_token)
    with pytest.raises(ValueError, match='has no argument frames'):
        VideoMamba.from_pretrained(tmp_path, frames=8)


def test_files_without_configuration(tmp_path: Path) -> None:
    """Shapes give the sizes, for all published kinds of files."""
    model = small_backbone(tubelet_size=2, mixer_cfg=dict(d_conv=3, expand=1))
    for name, content in official_files(model).items():
        path = tmp_path / f'{name}.pth'
        torch.save(content, path)
        assert same(VideoMamba.from_pretrained(path), model), name
    save_file(model.state_dict(), tmp_path / 'bare.safetensors')
    found = VideoMamba.from_pretrained(tmp_path / 'bare.safetensors')
    assert same(found, model) and found.num_frames == 4
    image = small_backbone(num_frames=1)
    torch.save(official_weights(image), tmp_path / 'image.pth')
    assert VideoMamba.from_pretrained(tmp_path / 'image.pth').num_frames == 1
    clip = VideoMamba.from_pretrained(
        tmp_path / 'image.pth', num_frames=4, tubelet_size=2)
    assert clip.patch_embed.proj.weight.shape[2] == 2
    assert torch.equal(clip.norm_f.weight, image.norm_f.weight)


def test_frames_that_are_no_squares(tmp_path: Path) -> None:
    """The shapes of oblong frames are asked for."""
    model = small_backbone(img_size=(16, 24))
    torch.save(model.state_dict(), tmp_path / 'oblong.pth')
    with pytest.raises(ValueError, match='oblong.pth.*give img_size'):
        VideoMamba.from_pretrained(tmp_path / 'oblong.pth')
    found = VideoMamba.from_pretrained(
        tmp_path / 'oblong.pth', img_size=(16, 24))
    assert same(found, model)


def test_a_trained_backbone_is_not_that_of_the_file(tmp_path: Path) -> None:
    """Results belong to the weights as loaded."""
    path = tmp_path / 'videomamba_t16_k400_f8_res224.pth'
    torch.save(small_backbone().state_dict(), path)
    model = VideoMamba.from_pretrained(path)
    model.save_pretrained(tmp_path / 'saved')

    def results() -> dict:
        text = (tmp_path / 'saved' / 'config.json').read_text()
        return json.loads(text)['results']

    assert results()['source'] == 'published'
    again = VideoMamba.from_pretrained(tmp_path / 'saved')
    with torch.no_grad():
        again.cls_token.add_(1)
    again.save_pretrained(tmp_path / 'saved')
    assert results() == dict(source='unknown')


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    """Adapters and foreign folders are refused, and nothing is written."""
    backbone = dict(
        type='mmvideomamba.VideoMamba',
        arch=dict(embed_dims=16, num_layers=1),
        img_size=16)
    adapted = LoRAModel(
        backbone, rank=2, alpha=2, targets=[dict(type='in_proj')])
    with pytest.raises(ValueError, match='no argument license'):
        small_backbone().save_pretrained(tmp_path / 'saved', license='mit')
    with pytest.raises(ValueError, match='has adapters; merge them'):
        adapted.module.save_pretrained(tmp_path / 'saved')
    assert not (tmp_path / 'saved').exists()
    (tmp_path / 'notes.txt').write_text('mine')
    with pytest.raises(ValueError, match='is not empty.*notes.txt'):
        small_backbone().save_pretrained(tmp_path)


def test_bad_sources(tmp_path: Path) -> None:
    """Each bad source has an own line."""
    with pytest.raises(FileNotFoundError, match='absent is neither a file'):
        VideoMamba.from_pretrained(tmp_path / 'absent')
    with pytest.raises(ValueError, match='holds no config.json'):
        VideoMamba.from_pretrained(tmp_path)
    small_backbone().save_pretrained(tmp_path / 'saved')
    weights = tmp_path / 'saved' / 'model.safetensors'
    stored = load_file(weights)
    stored['cls_token'] = torch.zeros(1, 1, 3)
    del stored['norm_f.weight']
    save_file(stored, weights)
    with pytest.raises(
            ValueError,
            match=r'1 tensors missing, such as norm_f.weight; 1 of another '
            r'shape, such as cls_token: \(1, 1, 3\) in the file'):
        VideoMamba.from_pretrained(tmp_path / 'saved')
    with pytest.raises(ValueError, match='huggingface.co/some/model'):
        VideoMamba.from_pretrained('some/model')


class Doubled(VideoMamba):
    """A backbone of a user, with an argument more."""

    def __init__(self, times: float = 1., **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.times = times

    def forward(self, x: torch.Tensor) -> Any:
        """Multiply the features."""
        return tuple(self.times * y for y in super().forward(x))


def test_a_subclass_is_no_videomamba(tmp_path: Path) -> None:
    """A folder of a subclass loads as the subclass, or not at all."""
    Doubled(2., **SMALL).save_pretrained(tmp_path / 'own')
    assert Doubled.from_pretrained(tmp_path / 'own').times == 2
    with pytest.raises(ValueError, match='has no VideoMamba'):
        VideoMamba.from_pretrained(tmp_path / 'own')
    with pytest.raises(ValueError, match='Doubled.*import the module'):
        mmvideomamba.load(tmp_path / 'own')
    VideoMamba(**SMALL).save_pretrained(tmp_path / 'base')
    assert Doubled.from_pretrained(tmp_path / 'base', times=3.).times == 3
    MODELS._register_module(Doubled)
    try:
        loaded = mmvideomamba.load(tmp_path / 'own')
        assert type(loaded) is Doubled and loaded.times == 2
    finally:
        del MODELS.module_dict['Doubled']


def test_an_older_model_survives_a_full_disk(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder changes only when the new weights are written."""
    model = VideoMamba(**SMALL)
    model.save_pretrained(tmp_path)

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError('No space left on device')

    monkeypatch.setattr('mmvideomamba.checkpoints.saved_folder.save_file',
                        full)
    with pytest.raises(OSError, match='No space'):
        VideoMamba(**SMALL).save_pretrained(tmp_path)
    assert same(VideoMamba.from_pretrained(tmp_path), model)
