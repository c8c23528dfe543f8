"""The model follows the protocol of timm's image models."""
import pytest
import torch
from narrow_timm import classifier, images, make
from timm.optim import param_groups_layer_decay, param_groups_weight_decay


def test_logits_equal_those_of_mmpretrain() -> None:
    host = classifier()
    torch.nn.init.normal_(host.head.fc.weight)
    model = make()
    model.load_state_dict(host.state_dict())
    assert torch.equal(model(images()), host(images()))


def test_features_and_head() -> None:
    model = make()
    x = images()
    tokens = model.forward_features(x)
    assert tokens.shape == (2, 5, 16)
    torch.testing.assert_close(model(x), model.head(tokens[:, 0]))
    assert torch.equal(
        model.forward_head(tokens, pre_logits=True), tokens[:, 0])
    bare = make(num_classes=0)
    assert bare(x).shape == (2, 16)
    assert bare.num_features == bare.head_hidden_size == 16
    assert make(num_classes=0, global_pool='')(x).shape == (2, 5, 16)
    mean = make(num_classes=0, global_pool='avg')
    torch.testing.assert_close(
        mean(x),
        mean.forward_features(x)[:, 1:].mean(1))
    with pytest.raises(ValueError, match="unknown global_pool 'map'"):
        make(global_pool='map')


def test_reset_classifier() -> None:
    model = make().double()
    model.reset_classifier(7, 'max')
    assert model.get_classifier().weight.dtype == torch.float64
    assert model(images().double()).shape == (2, 7)
    model.reset_classifier(0)
    assert isinstance(model.get_classifier(), torch.nn.Identity)
    assert model.global_pool == 'max'


def test_other_inputs() -> None:
    assert make(in_chans=1)(images(1)).shape == (2, 5)
    with pytest.raises(ValueError, match='3'):
        make(in_chans=1)(images())
    assert make(img_size=(32, 48))(torch.rand(1, 3, 32, 48)).shape == (1, 5)
    with pytest.raises(ValueError, match='img_size'):
        make(img_size=40)
    with pytest.raises(ValueError, match='out_type is set by'):
        make(out_type='featmap')


def test_clips() -> None:
    model = make(num_frames=4)
    clip = torch.rand(1, 3, 4, 32, 32)
    assert model(clip).shape == (1, 5)
    with pytest.raises(ValueError, match='clip'):
        model.forward_intermediates(clip)
    tokens, (last, ) = model.forward_intermediates(
        clip, 1, norm=True, output_fmt='NLC')
    assert torch.equal(last, tokens[:, 1:]) and last.shape == (1, 16, 16)
    with pytest.raises(ValueError, match='features_only'):
        make(num_frames=4, features_only=True)


def test_forward_intermediates() -> None:
    model, x = make(), images()
    final = model.forward_features(x)
    tokens, maps = model.forward_intermediates(x)
    assert torch.equal(tokens, final)
    assert [y.shape for y in maps] == [(2, 16, 2, 2)] * 3
    # The residual stream in float32, before the norm.
    normed = model.backbone.norm_f(maps[-1].flatten(2).transpose(1, 2))[0]
    torch.testing.assert_close(normed, final[:, 1:])
    (only, ) = model.forward_intermediates(
        x, [-1], norm=True, intermediates_only=True)
    torch.testing.assert_close(only.flatten(2).transpose(1, 2), final[:, 1:])
    early, pairs = model.forward_intermediates(
        x, [0], True, norm=True, stop_early=True, output_fmt='NLC')
    assert torch.equal(torch.cat(pairs[0][::-1], dim=1), early)
    assert not torch.allclose(early, final)
    # The model itself is as before.
    assert torch.equal(model.forward_features(x), final)
    with pytest.raises(ValueError, match="'NCHW' or 'NLC'"):
        model.forward_intermediates(x, output_fmt='NHWC')


def test_features_only() -> None:
    whole = make()
    model = make(features_only=True, out_indices=(1, 0))
    assert model.feature_info.channels() == [16, 16]
    assert model.feature_info.reduction() == [16, 16]
    expected = whole.forward_intermediates(
        images(), [0, 1], intermediates_only=True)
    for found, wanted in zip(model(images()), expected):
        assert torch.equal(found, wanted)
    # Every remaining parameter takes part.
    model.train()
    sum(y.square().sum() for y in model(images())).backward()
    assert all(p.grad is not None for p in model.parameters())
    with pytest.raises(ValueError, match="feature_cls='getter'"):
        make(features_only=True, feature_cls='hook')


def test_pruned_blocks_drop_as_before() -> None:
    model = make(features_only=True, out_indices=[0], drop_path_rate=0.4)
    body = model.model.backbone
    assert len(body.layers) == 1
    # Rates rise from 0 over the three blocks.
    assert body.drop_path.drop_prob == 0
    two = make(features_only=True, out_indices=[1], drop_path_rate=0.4)
    assert two.model.backbone.drop_path.drop_prob == pytest.approx(0.2)


def test_training_helpers() -> None:
    model = make(drop_rate=0.5, drop_path_rate=0.2)
    groups = param_groups_weight_decay(
        model, 0.1, no_weight_decay_list=model.no_weight_decay())
    names = {id(p): n for n, p in model.named_parameters()}
    free = {
        names[id(p)]
        for g in groups if not g['weight_decay'] for p in g['params']
    }
    # The published rule: A_log and the convolutions decay.
    assert {'backbone.pos_embed', 'backbone.cls_token', 'head.bias'} <= free
    assert 'backbone.layers.0.mixer.A_log' not in free
    layers = param_groups_layer_decay(model, 0.1, layer_decay=0.5)
    scales = {names[id(p)]: g['lr_scale'] for g in layers for p in g['params']}
    assert scales['backbone.pos_embed'] == 0.5**4
    assert scales['backbone.layers.2.mixer.A_log'] == 0.5
    # timm counts a final norm to the last block.
    assert scales['backbone.norm_f.weight'] == 0.5
    assert scales['head.weight'] == 1
    model.set_grad_checkpointing()
    assert all(layer.with_cp for layer in model.backbone.layers)
    model.train()(images()).sum().backward()
    assert model.backbone.pos_embed.grad.abs().sum() > 0
