"""Several numbers in an integer: how kernels pack and unpack channels.

A warp holds a tile (BN, BD) of states and channels, 4 state lanes by 8
channel lanes. Channels are loaded PACK at a time as an integer. The loads are
then smaller than a warp, and Triton keeps the layout of the tile for the
whole kernel.

Kernels name dtypes by the codes below: a Triton kernel cannot compare the
dtype of an integer's content.
"""
import torch
import triton
import triton.language as tl

from .host import interpreting

# Triton's interpreter cuts off where a GPU rounds to bfloat16.
_CUTS_OFF = tl.constexpr(interpreting())

FLOAT32 = tl.constexpr(0)
BFLOAT16 = tl.constexpr(1)
FLOAT16 = tl.constexpr(2)
# The host passes these codes as the compile-time argument DTYPE.
DTYPE_CODES = {
    torch.float32: FLOAT32.value,
    torch.bfloat16: BFLOAT16.value,
    torch.float16: FLOAT16.value
}


@triton.jit
def unpack_pair(x, DTYPE: tl.constexpr):
    """Split an integer into two numbers, returned as float32."""
    if DTYPE == FLOAT32:
        low = x.to(tl.int32).to(tl.float32, bitcast=True)
        high = (x >> 32).to(tl.int32).to(tl.float32, bitcast=True)
    elif DTYPE == BFLOAT16:
        low = (x << 16).to(tl.float32, bitcast=True)
        high = (x & -65536).to(tl.float32, bitcast=True)
    else:
        low = x.to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)
        high = (x >> 16).to(tl.int16).to(tl.float16, bitcast=True)
        high = high.to(tl.float32)
    return low, high


@triton.jit
def unpack_four(x, DTYPE: tl.constexpr):
    """Split a 64-bit integer; entry ``[p, q]`` is number 2 p + q."""
    a, b = unpack_pair(x.to(tl.int32), DTYPE)
    c, d = unpack_pair((x >> 32).to(tl.int32), DTYPE)
    return tl.join(tl.join(a, c), tl.join(b, d))


@triton.jit
def pack_pair(low, high, DTYPE: tl.constexpr, USE_PTX: tl.constexpr):
    """Round two float32 numbers to DTYPE and put both in an integer."""
    if DTYPE == FLOAT32:
        low = low.to(tl.int32, bitcast=True).to(tl.int64) & 0xFFFFFFFF
        pair = low | (high.to(tl.int32, bitcast=True).to(tl.int64) << 32)
    elif USE_PTX:
        # A single instruction; Triton's conversion of a single number runs
        # on a slow unit.
        if DTYPE == BFLOAT16:
            pair = tl.inline_asm_elementwise(
                'cvt.rn.bf16x2.f32 $0, $2, $1;',
                '=r,f,f', [low, high],
                dtype=tl.int32,
                is_pure=True,
                pack=1)
        else:
            pair = tl.inline_asm_elementwise(
                'cvt.rn.f16x2.f32 $0, $2, $1;',
                '=r,f,f', [low, high],
                dtype=tl.int32,
                is_pure=True,
                pack=1)
    else:
        if DTYPE == BFLOAT16:
            low, high = low.to(tl.bfloat16), high.to(tl.bfloat16)
        else:
            low, high = low.to(tl.float16), high.to(tl.float16)
        low = low.to(tl.int16, bitcast=True).to(tl.int32) & 0xFFFF
        pair = low | (high.to(tl.int16, bitcast=True).to(tl.int32) << 16)
    return pair


@triton.jit
def unpack_channels(x, DTYPE: tl.constexpr, BD: tl.constexpr,
                    PACK: tl.constexpr):
    """Turn loaded integers of PACK channels into float32 (1, BD)."""
    if PACK == 4:
        x = unpack_four(x, DTYPE).reshape(1, BD)
    elif PACK == 2:
        a, b = unpack_pair(x, DTYPE)
        x = tl.join(a, b).reshape(1, BD)
    else:
        x = x.to(tl.float32)
    return x


@triton.jit
def store_channels(p, x, mask, DTYPE: tl.constexpr, BD: tl.constexpr,
                   PACK: tl.constexpr, USE_PTX: tl.constexpr):
    """Store the channels (1, BD) of a token, PACK in an integer."""
    if PACK == 4:
        even, odd = tl.split(x.reshape(1, BD // 4, 2, 2))
        low, high = tl.split(pack_pair(even, odd, DTYPE, USE_PTX))
        x = low.to(tl.int64) & 0xFFFFFFFF | (high.to(tl.int64) << 32)
    elif PACK == 2:
        even, odd = tl.split(x.reshape(1, BD // 2, 2))
        x = pack_pair(even, odd, DTYPE, USE_PTX)
    else:
        x = x.to(p.dtype.element_ty)
    tl.store(p, x, mask=mask)


@triton.jit
def store_rounded(p, x, mask):
    """Store float32 numbers, rounded to nearest, in the dtype of p."""
    if _CUTS_OFF and p.dtype.element_ty == tl.bfloat16:
        bits = x.to(tl.int32, bitcast=True)
        bits += 0x7FFF + ((bits >> 16) & 1)
        x = (bits & -65536).to(tl.float32, bitcast=True)
    tl.store(p, x.to(p.dtype.element_ty), mask=mask)
