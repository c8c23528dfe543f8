"""The public op: clips from frames and draws.

The transforms of a data pipeline define every pixel, by PIL and OpenCV on the
CPU (``datasets/transforms/clip_rand_augment.py``, ``clip_crop_erase.py``, and
the hosts' crops). The kernels are compared with the transforms. There is no
torch form in between: a third form would have to be kept equal, too.
"""
import importlib
from typing import List, Optional, Sequence, Union

import torch
from torch import Tensor

from ..dispatch import available_backends
from ..runtime.host import interpreting
from .draws import DRAW_SIZE, ClipDraws, decode

_LAUNCH = 'mmvideomamba.ops.clip_augment.triton.launch'
# Offsets within a frame and within a result have 32 bits, and grids' second
# and third dimensions 16.
_MOST_NUMBERS, _MOST_PROGRAMS = 2**31 - 2**16, 2**16 - 1


def clip_augment_support(device: Union[str, torch.device]) -> str:
    """Tell why clips cannot be augmented on a device.

    Args:
        device (str | torch.device): Device of the frames.

    Returns:
        str: The reason, or '' where the kernels run: NVIDIA's GPUs, and the
        CPU under Triton's interpreter.
    """
    device = torch.device(device)
    reason = available_backends()['triton']
    if reason:
        return reason
    if interpreting():
        # A plan holds addresses of the host then.
        return '' if device.type == 'cpu' else (
            f"Triton's interpreter runs on the CPU, not on {device}")
    if device.type != 'cuda':
        return f'needs a CUDA device, not {device}'
    if torch.version.hip is not None:
        return 'not tried on GPUs of AMD'
    return ''


def _sources(frames: Sequence[Tensor],
             shared: Optional[Sequence[int]]) -> List[Tensor]:
    """Return the frames of each clip, own or shared."""
    if shared is None:
        places: List[int] = []
        for i, video in enumerate(frames):
            if not len(video) and not i:
                raise ValueError('frames[0] has no frames, and there is no '
                                 'entry before to share those of')
            places.append(i if len(video) else places[-1])
    else:
        places = [int(i) for i in shared]
        if len(places) != len(frames):
            raise ValueError(f'shared has {len(places)} entries for '
                             f'{len(frames)} clips')
        for clip, i in enumerate(places):
            if not 0 <= i < len(frames) or not len(frames[i]):
                raise ValueError(f'shared[{clip}] is {i}, but no entry of '
                                 'that number has frames')
    return [frames[i] for i in places]


def _check_frames(frames: Sequence[Tensor]) -> None:
    if not len(frames):
        raise ValueError('clip_augment needs at least one clip')
    if len(frames) > _MOST_PROGRAMS:
        raise ValueError(f'{len(frames)} clips are too many for one call; '
                         f'at most {_MOST_PROGRAMS} fit')
    for i, video in enumerate(frames):
        if video.dtype != torch.uint8:
            raise ValueError(f'frames[{i}] must be uint8, but is '
                             f'{video.dtype}')
        if video.dim() != 4 or video.shape[-1] != 3:
            raise ValueError(f'frames[{i}] must have shape (t, h, w, 3), but '
                             f'has {tuple(video.shape)}')
        if video.device != frames[0].device:
            raise ValueError(f'frames[{i}] is on {video.device}, but '
                             f'frames[0] on {frames[0].device}')
        if not video.is_contiguous():
            raise ValueError(f'frames[{i}] is not contiguous; call '
                             '.contiguous()')


def _check_sources(videos: Sequence[Tensor]) -> None:
    """Check the frames of all clips, shared frames included."""
    length = len(videos[0])
    if length > _MOST_PROGRAMS:
        raise ValueError(f'clips of {length} frames are too long; at most '
                         f'{_MOST_PROGRAMS} fit')
    for i, video in enumerate(videos):
        if len(video) != length:
            raise ValueError(f'all clips need the same number of frames, but '
                             f'clip {i} has {len(video)} and clip 0 has '
                             f'{length}')
        if not 0 < video[0].numel() <= _MOST_NUMBERS:
            raise ValueError(f'frames of clip {i} are empty or too large: '
                             f'{tuple(video.shape[1:])}')


def _decode(draws: Tensor, videos: Sequence[Tensor]) -> List[ClipDraws]:
    """Read and check the draws of all clips."""
    if (draws.shape != (len(videos), DRAW_SIZE) or draws.dtype != torch.float64
            or draws.device.type != 'cpu'):
        raise ValueError(
            f'draws must have shape ({len(videos)}, {DRAW_SIZE}), float64, on '
            f'the CPU, but have {tuple(draws.shape)}, {draws.dtype}, on '
            f'{draws.device}')
    decoded = [decode(row) for row in draws]
    size = decoded[0].size
    for i, (drawn, video) in enumerate(zip(decoded, videos)):
        if drawn.size != size:
            raise ValueError(f'all clips need the same size, but clip {i} has '
                             f'{drawn.size} and clip 0 has {size}')
        height, width = video.shape[1:3]
        if drawn.box[2] > width or drawn.box[3] > height:
            raise ValueError(f'the box of clip {i}, {drawn.box}, leaves its '
                             f'frames of {width} x {height} pixels')
    if 3 * len(videos[0]) * size[0] * size[1] > _MOST_NUMBERS:
        raise ValueError(f'results of {len(videos[0])} frames of size {size} '
                         'are too large')
    return decoded


def clip_augment(frames: Sequence[Tensor],
                 draws: Tensor,
                 shared: Optional[Sequence[int]] = None,
                 backend: str = 'auto') -> Tensor:
    """Apply drawn operations, crop, flip and erasing to clips.

    Operations change the frames of a clip in the order drawn. Then the
    box is cut out and resized (pixel centres half-way, the border of the box
    goes on outside, no anti-aliasing), mirrored, and erased by noise of
    ``Normal(noise_mean, noise_std)``. The noise depends on the seed and on the
    place in the clip alone, not on the rest of the batch. Nothing waits for
    the device.

    Launches: at most three for the k-th operations of all clips together,
    and a single launch at the end.

    Args:
        frames (Sequence[Tensor]): Source frames of each clip, (t, h, w, 3),
            RGB, uint8, contiguous, all on the same device. Heights and widths
            may differ. An entry with t = 0 uses the frames of the entry
            before.
        draws (Tensor): Rows of ``encode``, shape (b, DRAW_SIZE), float64, on
            the CPU; with the same ``size``.
        shared (Sequence[int], optional): For each clip the number of the
            entry with the frames of the clip. Defaults to None, as stated at
            ``frames``.
        backend (str): 'auto' or 'triton'. Defaults to 'auto'.

    Returns:
        Tensor: Shape (b, 3, t, height, width), float32, contiguous; 0 to 255
        where nothing is erased and the interpolation is bilinear or
        ``rounded``, in whole numbers if ``rounded``.

    Raises:
        ValueError: If an argument does not fit; the message names the clip.
        RuntimeError: If the kernels cannot run on the frames' device.

    Source: RandAugment, arXiv:1909.13719; Random Erasing, arXiv:1708.04896.
    """
    if backend not in ('auto', 'triton'):
        raise ValueError("clip_augment has the backends 'auto' and 'triton', "
                         f'but not {backend!r}')
    _check_frames(frames)
    videos = _sources(frames, shared)
    _check_sources(videos)
    decoded = _decode(draws, videos)
    reason = clip_augment_support(videos[0].device)
    if reason:
        raise RuntimeError(f'clip_augment cannot run here: {reason}')
    launch = importlib.import_module(_LAUNCH)
    return launch.clip_augment(videos, decoded)
