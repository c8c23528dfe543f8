"""Launch of the kernels of a clip's augmentation."""
from typing import List, Sequence, Tuple

import torch
from torch import Tensor

from ...runtime.host import ceil_div
from ..draws import ClipDraws
from ..plan import (STEP_REAL, STEP_WHOLE, Layer, Plan, Source, make_plan,
                    sizes_of_buffers)
from .apply import apply_kernel
from .crop import crop_kernel
from .tables import PARTS, statistics_kernel, table_kernel

# Pixels counted at a time, bytes and pixels of a program.
_COUNTED, _BYTES, _PIXELS = 2048, 512, 256
# Fused products and sums would round otherwise than PIL's.
_EXACT = dict(num_warps=4, enable_fp_fusion=False)


def _upload(plan: Plan, device: torch.device) -> Tuple[Tensor, Tensor]:
    """Copy the numbers of a plan to the device at once, without a wait."""
    whole = torch.from_numpy(plan.whole)
    real = torch.from_numpy(plan.real)
    numbers = torch.cat([whole, real.view(torch.int64)])
    if device.type == 'cuda':
        numbers = numbers.pin_memory().to(device, non_blocking=True)
    return numbers[:len(whole)], numbers[len(whole):].view(torch.float64)


def _apply(layer: Layer, whole: Tensor, real: Tensor, counts: Tensor,
           tables: Tensor, frames: int) -> None:
    """Launch the kernels for an operation of each clip."""
    if layer.statistics:
        statistics_kernel[(PARTS, frames, layer.statistics)](
            whole,
            counts,
            layer.first,
            frames,
            PARTS=PARTS,
            BLOCK=_COUNTED,
            **_EXACT)
    if layer.tables:
        table_kernel[(3, frames, layer.tables)](
            whole,
            real,
            counts,
            tables,
            layer.first,
            frames,
            layer.statistics,
            PARTS=PARTS,
            **_EXACT)
    apply_kernel[(ceil_div(layer.pixels * 3, _BYTES), frames, layer.clips)](
        whole,
        real,
        tables,
        layer.first,
        frames,
        layer.tables,
        BLOCK=_BYTES,
        **_EXACT)


def _room(layers: List[Layer], frames: int,
          like: Tensor) -> Tuple[Tensor, Tensor]:
    """Return memory for the counts and the tables of any layer."""
    statistics = max((layer.statistics for layer in layers), default=0)
    tables = max((layer.tables for layer in layers), default=0)
    counts = like.new_empty(
        max(1, statistics * frames * 3 * PARTS * 256), dtype=torch.int32)
    return counts, like.new_empty(
        max(1, tables * frames * 768), dtype=torch.uint8)


def clip_augment(videos: Sequence[Tensor],
                 draws: Sequence[ClipDraws]) -> Tensor:
    """Augment clips.

    Args:
        videos (Sequence[Tensor]): Source frames of each clip, checked: uint8,
            (t, h, w, 3), contiguous, with t in common.
        draws (Sequence[ClipDraws]): Draws of each clip, with the size in
            common.

    Returns:
        Tensor: Shape (b, 3, t, height, width), float32.
    """
    first = videos[0]
    frames, (height, width) = first.shape[0], draws[0].size
    sources = [Source(v.data_ptr(), v.shape[1], v.shape[2]) for v in videos]
    buffers = [
        first.new_empty(max(1, size))
        for size in sizes_of_buffers(sources, draws, frames)
    ]
    plan = make_plan(sources, draws, frames,
                     [buffer.data_ptr() for buffer in buffers])
    whole, real = _upload(plan, first.device)
    counts, tables = _room(plan.layers, frames, first)
    for layer in plan.layers:
        _apply(layer, whole, real, counts, tables, frames)
    out = first.new_empty((len(videos), 3, frames, height, width),
                          dtype=torch.float32)
    crop_kernel[(ceil_div(height * width, _PIXELS), frames, len(videos))](
        whole[plan.steps * STEP_WHOLE:],
        real[plan.steps * STEP_REAL:],
        out,
        frames,
        height,
        width,
        BLOCK=_PIXELS,
        **_EXACT)
    return out
