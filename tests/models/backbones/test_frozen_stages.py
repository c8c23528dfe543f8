import pytest
import torch
from common import assert_close, small_backbone
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from torch import distributed, nn
from torch.autograd.graph import saved_tensors_hooks

TABLES = ('cls_token', 'pos_embed', 'temporal_pos_embedding', 'patch_embed.')
BLOCKS = 3


def backbone(**kwargs):
    """Return a backbone of three blocks, in training mode."""
    arch = dict(embed_dims=16, num_layers=BLOCKS)
    torch.manual_seed(0)
    return small_backbone(**{**dict(arch=arch), **kwargs}).train()


def clips(model, batch=2):
    torch.manual_seed(1)
    return torch.randn(batch, 3, model.num_frames, *model.img_size)


def is_frozen(name, stages):
    if name.startswith(TABLES):
        return stages >= 0
    if name.startswith('layers.'):
        return int(name.split('.')[1]) < stages
    return stages == BLOCKS


@pytest.mark.parametrize('stages', range(-1, BLOCKS + 1))
def test_parameters_and_modes(stages):
    model = backbone(frozen_stages=stages)
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad != is_frozen(name, stages), name
    for _ in range(2):
        for i, block in enumerate(model.layers):
            assert block.mixer.training == (i >= stages)
            # The drop path belongs to the branch of the previous block.
            assert block.drop_path.training == (i > stages or stages < 1)
        assert model.patch_embed.proj.training == (stages < 0)
        assert model.drop_after_pos.training == (stages < 0)
        assert model.drop_path.training == (stages < BLOCKS)
        assert model.norm_f.training == (stages < BLOCKS)
        assert model.training
        assert not any(m.training for m in model.eval().modules())
        model.train()


def saved_before(model, index, x):
    """Count the tensors kept by autograd before a block, and look there."""
    saved, seen = [], []

    def look(_, args):
        seen.append(len(saved))
        seen.extend(a.requires_grad for a in args if a is not None)

    model.layers[index].register_forward_pre_hook(look)
    with saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        out, = model(x)
    return seen, len(saved), out


def test_no_graph_is_kept_before_the_boundary():
    x = clips(backbone())
    seen, total, _ = saved_before(backbone(), 2, x)
    assert seen[0] > 0 and all(seen[1:]) and total > seen[0]
    seen, some, out = saved_before(backbone(frozen_stages=2), 2, x)
    assert seen == [0, False, False]
    assert 0 < some < total and out.requires_grad
    _, none, out = saved_before(backbone(frozen_stages=BLOCKS), 2, x)
    assert none == 0 and out.grad_fn is None


OPTIONS = [
    dict(),
    dict(checkpoint_layers=BLOCKS),
    dict(out_type='raw', out_indices=(0, 2)),
    dict(out_indices=(), stream_indices=(0, 2), out_type='raw'),
    dict(scan_order='alternating', norm_cfg=dict(type='LN'))
]


@pytest.mark.parametrize('masked', [False, True])
@pytest.mark.parametrize('options', OPTIONS, ids=str)
def test_learning_stages_are_as_without(options, masked):
    free, frozen = backbone(**options), backbone(frozen_stages=1, **options)
    assert all(
        torch.equal(p, q)
        for p, q in zip(free.parameters(), frozen.parameters()))
    x, mask = clips(free), None
    if masked:
        mask = torch.zeros(2, 16, dtype=torch.bool)
        mask[:, ::3] = True
    wanted, found = free(x, mask), frozen(x, mask)
    for a, b in zip(found, wanted):
        assert_close(a, b)
    sum(out.square().sum() for out in wanted).backward()
    sum(out.square().sum() for out in found).backward()
    for (name, a), b in zip(frozen.named_parameters(), free.parameters()):
        if is_frozen(name, 1):
            assert a.grad is None, name
        elif b.grad is None:  # the final norm of a stream
            assert a.grad is None, name
        else:
            assert_close(a.grad, b.grad, 'gradient', name=name)


def test_frozen_stages_drop_nothing():
    x = clips(backbone())
    options = dict(drop_rate=0.5, drop_path_rate=0.9)
    model = backbone(frozen_stages=BLOCKS, **options)
    assert torch.equal(model(x)[0], model.eval()(x)[0])
    # The branch after the only learning block is dropped.
    model = backbone(frozen_stages=BLOCKS - 1, **options)
    dropped = {tuple(model(x)[0].flatten().tolist()) for _ in range(20)}
    assert 1 < len(dropped) <= 4  # two samples, kept or dropped


def test_what_asks_for_a_gradient_inside_gets_one():
    model = backbone(frozen_stages=BLOCKS)
    weight = model.layers[0].mixer.in_proj.weight.requires_grad_()
    x = clips(model).requires_grad_()
    by_weight, by_input = torch.autograd.grad(model(x)[0].sum(), [weight, x])
    free = backbone()
    weight = free.layers[0].mixer.in_proj.weight
    wanted = torch.autograd.grad(free(x)[0].sum(), [weight, x])
    assert_close(by_weight, wanted[0], 'gradient')
    assert_close(by_input, wanted[1], 'gradient')


def test_layer_decay_skips_the_frozen():
    model = nn.Module()
    model.backbone = backbone(frozen_stages=2)
    wrapper = build_optim_wrapper(
        model,
        dict(
            optimizer=dict(type='AdamW', lr=1., weight_decay=0.1),
            constructor='mmvideomamba.LayerDecayOptimWrapperConstructor',
            paramwise_cfg=dict(layer_decay_rate=0.5)))
    groups = wrapper.optimizer.param_groups
    found = {id(p) for group in groups for p in group['params']}
    assert found == {
        id(p)
        for n, p in model.named_parameters()
        if not is_frozen(n[len('backbone.'):], 2)
    }
    assert {group['lr'] for group in groups} == {0.5, 1.}


def test_pretrained_weights_fill_the_frozen(tmp_path):
    source = backbone()
    file = str(tmp_path / 'source.pth')
    torch.save(source.state_dict(), file)
    model = small_backbone(
        arch=dict(embed_dims=16, num_layers=BLOCKS),
        frozen_stages=2,
        init_cfg=dict(type='Pretrained', checkpoint=file))
    model.init_weights()
    for (name, a), b in zip(model.named_parameters(), source.parameters()):
        assert torch.equal(a, b), name
        assert a.requires_grad != is_frozen(name, 2), name


@pytest.mark.parametrize('stages', [BLOCKS + 1, -2, 'all', None, True, 1.])
def test_bad_stages(stages):
    with pytest.raises(ValueError, match=f'frozen_stages must .* {stages!r}'):
        backbone(frozen_stages=stages)


@pytest.fixture
def one_rank():
    distributed.init_process_group(
        'gloo', store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.parametrize('stages', [0, 2])
def test_all_that_learns_is_used(one_rank, stages):
    """DDP requires a gradient of every trainable parameter in each step."""
    inner = backbone(frozen_stages=stages)
    model = MMDistributedDataParallel(inner, find_unused_parameters=False)
    for _ in range(2):
        model(clips(inner))[0].sum().backward()
    learning = {n for n, p in inner.named_parameters() if p.grad is not None}
    assert learning == {
        n
        for n, _ in inner.named_parameters() if not is_frozen(n, stages)
    }
