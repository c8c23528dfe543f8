import pytest
import torch
from common import assert_close

from mmvideomamba.models.layers import TubeletEmbed


@pytest.mark.parametrize('k', [1, 2, 3])
@pytest.mark.parametrize('stride', [None, 4, 3, 6])
def test_is_a_convolution(k, stride):
    embed = TubeletEmbed(3, 10, k, 4, stride).double()
    x = torch.randn(2, 3, 6, 13, 18, dtype=torch.float64, requires_grad=True)
    found = embed(x)
    wanted = embed.proj(x)
    assert embed.grid(6, 13, 18) == tuple(wanted.shape[2:])
    wanted = wanted.flatten(2).transpose(1, 2)
    assert_close(found, wanted)
    cotangent = torch.randn_like(found)
    inputs = [x, embed.proj.weight, embed.proj.bias]
    for a, b in zip(
            torch.autograd.grad(found, inputs, cotangent),
            torch.autograd.grad(wanted, inputs, cotangent)):
        assert_close(a, b, 'gradient')


def test_tokens_go_by_frame_row_column():
    embed = TubeletEmbed(1, 1, 1, 2)
    torch.nn.init.constant_(embed.proj.weight, 0.25)
    torch.nn.init.zeros_(embed.proj.bias)
    places = torch.arange(2 * 3 * 4.).view(1, 1, 2, 3, 4)
    x = places.repeat_interleave(2, 3).repeat_interleave(2, 4)
    assert embed(x).flatten().tolist() == list(range(24))


def test_start_is_torch_default():
    embed = TubeletEmbed(3, 64, 2, 8)
    limit = (3 * 2 * 8 * 8)**-0.5
    for parameter in embed.parameters():
        assert 0.9 * limit < parameter.abs().max() <= limit


def test_strided_input():
    embed = TubeletEmbed(3, 8, 1, 4)
    x = torch.randn(2, 4, 8, 8, 3).permute(0, 4, 1, 2, 3)
    assert torch.equal(embed(x), embed(x.contiguous()))


@pytest.mark.parametrize('stride', [None, 3])
def test_a_changed_convolution_is_called(stride):
    embed = TubeletEmbed(3, 10, 2, 4, stride).double()
    x = torch.randn(2, 3, 4, 8, 8, dtype=torch.float64)
    plain = embed(x)
    calls = []
    handle = embed.proj.register_forward_hook(lambda *_: calls.append(1))
    assert_close(embed(x), plain)
    assert calls == [1]
    handle.remove()
    # An adapter need not have the attributes of a convolution.
    embed.proj = torch.nn.Sequential(embed.proj)
    assert_close(embed(x), plain)
    assert embed.grid(4, 8, 8) == (2, 2, 2)


@pytest.mark.parametrize('kernel, change', [
    ((2, 4, 4), dict(padding=(0, 1, 1))),
    ((2, 2, 2), dict(dilation=(1, 3, 3))),
    ((2, 3, 3), dict()),
])
def test_a_convolution_of_another_geometry_is_called(kernel, change):
    embed = TubeletEmbed(3, 10, 2, 4)
    embed.proj = torch.nn.Conv3d(3, 10, kernel, stride=(2, 4, 4), **change)
    x = torch.randn(2, 3, 4, 8, 8)
    assert_close(embed(x), embed.proj(x).flatten(2).transpose(1, 2))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_autocast_is_that_of_the_product(dtype):
    embed = TubeletEmbed(3, 10, 2, 4).to(dtype)
    x = torch.randn(2, 3, 4, 8, 8, dtype=dtype)
    with torch.autocast('cpu', torch.bfloat16):
        found = embed(x)
        wanted = embed.proj(x).flatten(2).transpose(1, 2)
    assert found.dtype == wanted.dtype
    assert_close(found, wanted, dtype=found.dtype)
