"""Class tokens between the patches are found by the traces of training."""
from argparse import Namespace

import pytest
import torch
from common import small_backbone
from torch import nn

from mmvideomamba.checkpoints.class_token import (check_class_token,
                                                  check_settings,
                                                  class_token_place)
from mmvideomamba.models import VideoMamba


def table(place: int, tokens: int = 197, channels: int = 192) -> tuple:
    """Return a position table with a class token grown at ``place``."""
    token = torch.randn(1, 1, channels)
    embed = 0.5 * torch.randn(1, tokens, channels)
    embed[:, place] = token[0] + 0.02 * torch.randn(channels)
    return embed, token


@pytest.mark.parametrize('place', [0, 1, 98, 196])
def test_place(place: int) -> None:
    assert class_token_place(*table(place)) == place


def test_refusal() -> None:
    embed, token = table(98)
    with pytest.raises(ValueError, match='token 98 of 197.*Vision Mamba'):
        check_class_token(dict(pos_embed=embed, cls_token=token))
    embed, token = table(0)
    check_class_token(dict(pos_embed=embed, cls_token=token))
    check_class_token({})
    with pytest.raises(ValueError, match='at both ends'):
        check_class_token(dict(cls_token_head=token, cls_token_tail=token))


@pytest.mark.parametrize('channels', [4, 8, 9, 12, 16, 24, 192])
def test_no_false_alarm(channels: int) -> None:
    """Random tables, as at the start of a training, show no class token."""
    for seed in range(400 if channels < 32 else 20):
        torch.manual_seed(seed)
        embed = torch.randn(1, 197, channels)
        for token in (torch.randn(1, 1, channels), torch.zeros(1, 1,
                                                               channels)):
            assert not class_token_place(embed, token)


def test_other_shapes() -> None:
    assert class_token_place(torch.ones(5, 4), torch.ones(1, 1, 4)) is None
    assert class_token_place(torch.ones(1, 5, 9), torch.ones(1, 1, 8)) is None
    embed, token = table(98)
    assert class_token_place(embed.to('meta'), token.to('meta')) is None


def train(model: VideoMamba, middle: bool) -> None:
    """Train a classifier for a few steps, as the recipes do."""
    head = nn.Linear(model.embed_dims, 3)
    optimizer = torch.optim.AdamW([*model.parameters(), *head.parameters()],
                                  1e-2, weight_decay=0)  # yapf: disable
    x, y = torch.randn(6, 3, 32, 32), torch.arange(6) % 3
    for _ in range(60):
        tokens = model.patch_embed(x.unsqueeze(2))  # (b, n, c)
        half = tokens.shape[1] // 2 if middle else 0
        cls_token = model.cls_token.expand(len(x), -1, -1)
        tokens = torch.cat([tokens[:, :half], cls_token, tokens[:, half:]], 1)
        features = model._trunk(tokens + model.pos_embed, None)[0][:, half]
        loss = nn.functional.cross_entropy(head(features), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize('middle', [False, True])
def test_trained_models(middle: bool) -> None:
    """The principle holds in trainings, with the token at either place."""
    torch.manual_seed(0)
    model = VideoMamba(
        arch=dict(embed_dims=48, num_layers=2),
        img_size=32,
        patch_size=8,
        num_frames=1,
        drop_path_rate=0.)
    train(model, middle)
    found = class_token_place(model.pos_embed.data, model.cls_token.data)
    assert found == (8 if middle else 0)
    other = VideoMamba(
        arch=dict(embed_dims=48, num_layers=2),
        img_size=32,
        patch_size=8,
        num_frames=1)
    if middle:
        with pytest.raises(ValueError, match='token 8 of 17'):
            other.load_state_dict(model.state_dict())
    else:
        other.load_state_dict(model.state_dict())


def test_part_of_a_whole_model() -> None:
    """load_from a converted file of Vision Mamba is refused, too."""
    model = nn.ModuleDict(dict(backbone=small_backbone()))
    state = {k: v.clone() for k, v in model.state_dict().items()}
    state['backbone.cls_token'] = torch.randn(1, 1, 16)
    state['backbone.pos_embed'][:, 2] = state['backbone.cls_token'][0]
    with pytest.raises(ValueError, match='Vision Mamba'):
        model.load_state_dict(state)


@pytest.mark.parametrize('name', [
    'vim_tiny_patch16_224_bimambav2_final_pool_mean_abs_pos_embed_with_'
    'midclstoken_div2', 'mid_vim_base', 'small_midclstok'
])
def test_settings(name: str) -> None:
    for file in (dict(args=Namespace(model=name)), dict(arch=name),
                 dict(hyper_parameters=dict(arch=name)),
                 dict(args=dict(model=name))):
        with pytest.raises(ValueError, match=f'{name}.*Vision Mamba'):
            check_settings(file)


def test_settings_of_other_models() -> None:
    check_settings(dict(args=Namespace(model='videomamba_tiny', lr=1)))
    check_settings(dict(arch='videomamba_middle_cls'))
    check_settings(dict(args=Namespace(output_dir='runs/vim_1'), arch=None))
    check_settings(dict(model={'a.weight': torch.ones(1)}))
