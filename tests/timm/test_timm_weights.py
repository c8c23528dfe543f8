"""Files of any VideoMamba load into timm's models by the ways of timm."""
from pathlib import Path
from typing import Any, Dict

import huggingface_hub
import pytest
import timm
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import load_checkpoint
from narrow_timm import NAME, SMALL, classifier, images, make
from torch import Tensor

from mmvideomamba.models import VideoMamba


def published(model: Any) -> Dict[str, Tensor]:
    """Name the weights of a model as published image models are."""
    state = {
        k.removeprefix('backbone.'): v.clone()
        for k, v in model.state_dict().items()
    }
    kernel = state['patch_embed.proj.weight']
    state['patch_embed.proj.weight'] = kernel.squeeze(2)
    return state


@pytest.fixture
def source() -> Any:
    """A model with other weights than a new ``make``."""
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)
    return model


@pytest.fixture
def file(source: Any, tmp_path: Path) -> str:
    """A published file: 2-D kernels of the patches below 'model'."""
    path = tmp_path / 'videomamba_t16_in1k_res224.pth'
    torch.save(dict(model=published(source)), path)
    return str(path)


def overlay(file: str) -> Dict[str, Any]:
    return dict(
        pretrained=True, pretrained_cfg_overlay=dict(file=file, num_classes=5))


def test_a_published_file(file: str, source: Any) -> None:
    model = make(**overlay(file))
    assert torch.equal(model(images()), source(images()))


def test_a_checkpoint_path(file: str, source: Any, tmp_path: Path) -> None:
    """Published names, names of a recognizer, and of timm."""
    x = images()
    recognizer = tmp_path / 'recognizer.pth'
    state = {
        k.replace('head.', 'cls_head.fc_cls.'): v
        for k, v in source.state_dict().items()
    }
    torch.save(
        dict(
            state_dict=state,
            meta=dict(epoch=1),
            message_hub=dict(loss=HistoryBuffer([0.5], [1]))), recognizer)
    own = tmp_path / 'timm.pth'
    torch.save(source.state_dict(), own)
    for path in (file, recognizer, own):
        model = make()
        timm.models.load_checkpoint(model, str(path))
        assert torch.equal(model(x), source(x))
    bare = make(num_classes=0)
    timm.models.load_checkpoint(bare, file)
    assert torch.equal(bare(x), source.forward_features(x)[:, 0])
    with pytest.raises(RuntimeError, match='head.weight'):
        timm.models.load_checkpoint(make(num_classes=4), file)


def test_channels_of_a_file_of_timm(source: Any, tmp_path: Path) -> None:
    """3-D kernels of one frame are fitted as 2-D ones are."""
    path = tmp_path / 'timm.pth'
    torch.save(source.state_dict(), path)
    gray = make(in_chans=1, **overlay(str(path)))
    torch.testing.assert_close(
        gray.backbone.patch_embed.proj.weight,
        source.backbone.patch_embed.proj.weight.sum(1, keepdim=True))


def test_other_classes_channels_and_sizes(file: str, source: Any) -> None:
    model = make(num_classes=3, **overlay(file))
    assert model.head.out_features == 3
    assert torch.equal(
        model.forward_features(images()), source.forward_features(images()))
    gray = make(in_chans=1, **overlay(file))
    kernel = source.backbone.patch_embed.proj.weight
    torch.testing.assert_close(gray.backbone.patch_embed.proj.weight,
                               kernel.sum(1, keepdim=True))
    large = make(img_size=64, **overlay(file))
    assert large.backbone.pos_embed.shape[1] == 17


def test_an_image_model_starts_a_model_of_clips(file: str,
                                                source: Any) -> None:
    model = make(num_frames=4, **overlay(file))
    assert torch.equal(model.head.weight, source.head.weight)
    assert not model.backbone.temporal_pos_embedding.any()


def test_features_of_a_published_file(file: str, source: Any) -> None:
    model = make(features_only=True, out_indices=[1], **overlay(file))
    expected = source.forward_intermediates(
        images(), [1], intermediates_only=True)
    assert torch.equal(model(images())[0], expected[0])


def test_other_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / 'other.pth'
    torch.save({'fc.weight': torch.zeros(2, 2)}, path)
    with pytest.raises(ValueError, match='not a VideoMamba file'):
        make(**overlay(str(path)))


def test_a_file_in_the_folder_checkpoints(file: str, source: Any,
                                          monkeypatch) -> None:
    """A local copy stands for the file of the hub."""
    folder = Path(file).parent / 'checkpoints'
    folder.mkdir()
    Path(file).rename(folder / Path(file).name)
    monkeypatch.chdir(folder.parent)
    model = make(pretrained=True, pretrained_cfg_overlay=dict(num_classes=5))
    assert torch.equal(model(images()), source(images()))


def test_without_a_network(tmp_path: Path, monkeypatch) -> None:
    """One line with the address; another for a model without a file."""

    def refuse(*_: Any, **__: Any) -> None:
        raise huggingface_hub.errors.LocalEntryNotFoundError('no network')

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, 'hf_hub_download', refuse)
    with pytest.raises(ValueError) as caught:
        timm.create_model(NAME, pretrained=True)
    text = str(caught.value)
    assert 'OpenGVLab/VideoMamba/resolve/main/videomamba_t16_in1k' in text
    assert 'download it elsewhere' in text and '\n' not in text
    with pytest.raises(RuntimeError, match='No pretrained weights exist'):
        timm.create_model('videomamba_tiny_patch16_448', pretrained=True)


def test_hosts_read_a_file_of_timm(source: Any, tmp_path: Path) -> None:
    path = str(tmp_path / 'timm.pth')
    torch.save(dict(state_dict=source.state_dict(), epoch=3), path)
    backbone = VideoMamba(
        SMALL,
        img_size=32,
        num_frames=1,
        init_cfg=dict(type='Pretrained', checkpoint=path))
    backbone.init_weights()
    expected = source.forward_features(images())[:, 0]
    assert torch.equal(backbone.eval()(images())[0], expected)
    host = classifier()
    load_checkpoint(host, path, logger='silent')
    assert torch.equal(host(images()), source(images()))


def test_a_folder_of_timm(source: Any, tmp_path: Path) -> None:
    """Saved as for the hub and created again, other arguments included."""
    arguments = dict(arch=SMALL, img_size=32, num_classes=5)
    timm.models.save_for_hf(source, str(tmp_path), model_args=arguments)
    model = timm.create_model(f'local-dir:{tmp_path}', pretrained=True).eval()
    assert torch.equal(model(images()), source(images()))
