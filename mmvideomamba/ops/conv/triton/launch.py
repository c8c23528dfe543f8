"""Launch of the convolution kernels: tiles, grids and offsets."""
import torch
from torch import Tensor

from ...runtime.host import GRID_LIMIT, ceil_div, on_nvidia
from .kernels import conv_bwd_kernel, conv_fwd_kernel

# Channels of a forward program, a single warp, and the tokens of its block.
BLOCK_D = 64
BLOCK_L = 8
# Channels and tokens backward, where neighbours cost more, and the blocks of a
# program, whose weight gradients the program sums.
BACKWARD_BLOCK_D = 32
BACKWARD_BLOCK_L = 12
BACKWARD_BLOCKS_L = 6
# Numbers of a sequence from which on offsets take 64 bits.
WIDE_OFFSETS = 2**31


def _block_length(l: int, block: int) -> int:
    """Double a block's tokens until a grid holds all blocks of l tokens."""
    while ceil_div(l, block) > GRID_LIMIT:
        block *= 2
    return block


def token_stride(x: Tensor) -> int:
    """Return the distance in memory between the tokens of x.

    Args:
        x (Tensor): Shape (b, l, d).

    Returns:
        int: In numbers of the dtype of ``x``.
    """
    # The stride of an axis of length one means nothing.
    return x.stride(1) if x.shape[1] > 1 else x.stride(0)


def conv_forward(x: Tensor, weight: Tensor, bias: Tensor, reverse_bits: int,
                 silu: bool) -> Tensor:
    """Convolve in k directions in a single launch.

    Args:
        x (Tensor): Shape (b, l, d); tokens may be strided, channels not.
        weight (Tensor): Shape (k, d, taps), contiguous.
        bias (Tensor): Shape (k, d), contiguous.
        reverse_bits (int): Bit i is set if the taps of direction i reach
            into later tokens.
        silu (bool): Apply SiLU.

    Returns:
        Tensor: Shape (k, b, l, d), dtype of ``x``.
    """
    b, l, d = x.shape
    k, _, taps = weight.shape
    y = x.new_empty(k, b, l, d)
    if y.numel():
        stride, block = token_stride(x), _block_length(l, BLOCK_L)
        for first_sample in range(0, b, GRID_LIMIT):
            count = min(GRID_LIMIT, b - first_sample)
            grid = ceil_div(d, BLOCK_D), ceil_div(l, block), count
            conv_fwd_kernel[grid](
                x,
                weight,
                bias,
                y,
                first_sample,
                b,
                l,
                d,
                stride,
                REVERSE_BITS=reverse_bits,
                K=k,
                TAPS=taps,
                SILU=silu,
                BLOCK_L=block,
                TD=BLOCK_D,
                WIDE=l * max(stride, d) > WIDE_OFFSETS,
                USE_PTX=on_nvidia(),
                num_warps=1)
    return y


def conv_backward(x: Tensor, weight: Tensor, bias: Tensor, dy: Tensor,
                  dx: Tensor, reverse_bits: int, silu: bool) -> Tensor:
    """Differentiate ``conv_forward``.

    Args:
        x (Tensor): As given to ``conv_forward``, as are ``weight``,
            ``bias``, ``reverse_bits`` and ``silu``.
        weight (Tensor): See ``x``.
        bias (Tensor): See ``x``.
        dy (Tensor): Output gradient, shape (k, b, l, d), contiguous.
        dx (Tensor): Output argument, the input gradient, shape (b, l, d);
            tokens may be strided, channels not.
        reverse_bits (int): See ``x``.
        silu (bool): See ``x``.

    Returns:
        Tensor: Partial gradients of the weight, and of the bias as a last
        tap, to be added up, shape (programs, k, taps + 1, d), float32.
    """
    b, l, d = x.shape
    k, _, taps = weight.shape
    tokens = _block_length(l, BACKWARD_BLOCK_L * BACKWARD_BLOCKS_L)
    programs = ceil_div(l, tokens)
    stride, dx_stride = token_stride(x), token_stride(dx)
    dw = weight.new_empty(b * programs, k, taps + 1, d, dtype=torch.float32)
    for first_sample in range(0, b if dy.numel() else 0, GRID_LIMIT):
        count = min(GRID_LIMIT, b - first_sample)
        conv_bwd_kernel[ceil_div(d, BACKWARD_BLOCK_D), programs, count](
            x,
            weight,
            bias,
            dy,
            dx,
            dw,
            first_sample,
            b,
            l,
            d,
            stride,
            dx_stride,
            REVERSE_BITS=reverse_bits,
            K=k,
            TAPS=taps,
            SILU=silu,
            BLOCK_L=BACKWARD_BLOCK_L,
            BLOCKS_L=tokens // BACKWARD_BLOCK_L,
            TD=BACKWARD_BLOCK_D,
            WIDE=l * max(stride, dx_stride, d) > WIDE_OFFSETS,
            USE_PTX=on_nvidia(),
            num_warps=1)
    return dw
