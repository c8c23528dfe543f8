"""Augmentation of clips, drawn by a worker and computed on a device."""
import copy
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmaction.datasets.transforms import (Flip, FormatShape, MultiScaleCrop,
                                          PackActionInputs, RandomResizedCrop,
                                          Resize)
from mmcv.transforms import BaseTransform
from torch import Tensor

from mmvideomamba.ops.clip_augment import MAX_OPERATIONS, ClipDraws, encode
from .clip_crop_erase import ClipRandomErasing, ClipRandomResizedCrop
from .clip_rand_augment import ClipRandAugment
from .decode import DecodeFrames
from .token_mask import TokenMask

DRAWS = 'clip_draws'
# Steps without an effect on pixels may stand anywhere.
BLIND = (TokenMask, )
CROPS = (ClipRandomResizedCrop, RandomResizedCrop, MultiScaleCrop)
# The steps with a form for devices, in the only possible order.
ORDER: Tuple[Tuple[type, ...], ...] = ((ClipRandAugment, ), CROPS, (Resize, ),
                                       (Flip, ), (ClipRandomErasing, ),
                                       (FormatShape, ), (PackActionInputs, ))
INTERPOLATIONS = ('bilinear', 'bicubic')


def split_pipeline(steps: Sequence[Any]) -> Tuple[List[Any], List[Any], str]:
    """Part a pipeline into steps of a worker and steps of a device.

    Args:
        steps (Sequence[BaseTransform]): Of a training pipeline.

    Returns:
        tuple[list, list, str]: The steps up to the decoding, the steps
        after the decoding, and '' if a device can carry out the latter, else
        the reason.
    """
    steps = list(steps)
    decoded = [i for i, x in enumerate(steps) if isinstance(x, DecodeFrames)]
    if len(decoded) != 1:
        return steps, [], 'the pipeline has no step mmvideomamba.DecodeFrames'
    first, rest = steps[:decoded[0] + 1], steps[decoded[0] + 1:]
    for step in first:
        if getattr(step, 'num_clips', 1) != 1:
            return steps, [], f'{_name(step)} takes several clips of a video'
    return first, rest, _unfit(rest)


def _name(step: Any) -> str:
    return type(step).__name__


def _unfit(steps: Sequence[Any]) -> str:
    """Tell why a device cannot carry out steps."""
    place, seen = 0, []
    for step in steps:
        # By type, not isinstance: a child of a known step may compute
        # something else.
        if type(step) in BLIND:
            continue
        while place < len(ORDER) and type(step) not in ORDER[place]:
            place += 1
        if place == len(ORDER):
            known = any(type(step) in kinds for kinds in ORDER)
            return f'{_name(step)} ' + ('stands at another place than in our '
                                        'recipes' if known else
                                        'has no counterpart on a device')
        seen.append(step)
        place += 1
        reason = _unfit_setting(step)
        if reason:
            return f'{_name(step)} {reason}'
    kinds = tuple(type(step) for step in seen)
    floats = ClipRandomResizedCrop in kinds
    # ClipRandomResizedCrop resizes by itself, a crop of the host does not.
    if not any(kind in CROPS for kind in kinds) or floats == (Resize in kinds):
        return ('the pipeline has neither ClipRandomResizedCrop, nor a crop '
                'of the host with Resize')
    if ClipRandomErasing in kinds and not floats:
        return 'ClipRandomErasing follows a crop of whole grey levels'
    if FormatShape not in kinds or PackActionInputs not in kinds:
        return 'the pipeline does not end with FormatShape, PackActionInputs'
    return ''


def _unfit_setting(step: Any) -> str:
    """Name a setting of a step without a counterpart on a device."""
    if getattr(step, 'lazy', False):
        return 'is lazy'
    if isinstance(step, ClipRandAugment) and step.num_layers > MAX_OPERATIONS:
        return f'has more than {MAX_OPERATIONS} operations'
    if isinstance(step, Resize):
        if step.keep_ratio:
            return 'keeps the ratio, so clips have several sizes'
        if step.interpolation not in INTERPOLATIONS:
            return f'has interpolation={step.interpolation!r}'
    if isinstance(step, Flip) and step.direction != 'horizontal':
        return 'is not horizontal'
    if isinstance(step, FormatShape) and (step.input_format != 'NCTHW'
                                          or step.collapse):
        return 'has another form than NCTHW'
    if isinstance(step, PackActionInputs) and step.collect_keys is not None:
        return 'has collect_keys'
    return ''


class DrawClip(BaseTransform):
    """Draw the augmentation of a clip, and leave the pixels to a device.

    Stands in the place of the steps after the decoding. The replaced steps
    make all draws, in the same order, from the same generators, so a clip gets
    the same operations, box and flip as in a worker. An erased box has the
    same size at another place: a worker draws the place after the noise, and
    the noise has another generator here, seeded by a draw.

    The clip of the sample is ``inputs``, uint8, shape (t, h, w, 3), as
    decoded. ``clip_draws`` holds the draws, see ``ops.clip_augment.encode``.

    Args:
        steps (Sequence[BaseTransform]): See ``split_pipeline``.
    """

    def __init__(self, steps: Sequence[Any]) -> None:
        self.steps = list(steps)

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Draw, and pack a sample.

        Args:
            results (dict): The sample, decoded.

        Returns:
            dict: ``inputs``, ``data_samples`` and ``clip_draws``.
        """
        return self.transform_copies(results, 1)[0]

    def transform_copies(self, results: Dict[str, Any],
                         copies: int) -> List[Dict[str, Any]]:
        """Draw and pack several copies of a sample.

        Args:
            results (dict): The sample, decoded.
            copies (int): How many.

        Returns:
            list[dict]: As ``transform``. Only the first has frames: shape
            (0, h, w, 3) stands for the frames of the sample before.
        """
        frames = _joined(results.pop('imgs'))
        clips = [
            _Clip(copy.deepcopy(results), frames) for _ in range(copies - 1)
        ]
        clips.append(_Clip(results, frames))
        # Step by step, as a worker draws for the copies of a video.
        for step in self.steps[:-1]:
            for clip in clips:
                clip.apply(step)
        tensor = torch.from_numpy(frames)
        # Frames travel to the main process once for all copies.
        none = tensor.new_empty(0, *tensor.shape[1:])
        return [
            clip.packed(self.steps[-1], none if i else tensor)
            for i, clip in enumerate(clips)
        ]

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.steps})'


class _Clip:
    """The draws of a clip.

    Args:
        results (dict): The sample, without frames.
        frames (np.ndarray): Shape (t, h, w, 3), uint8.
    """

    def __init__(self, results: Dict[str, Any], frames: np.ndarray) -> None:
        self.results, self.frames = results, frames
        self.draws: Dict[str, Any] = {}  # fields of ClipDraws

    def apply(self, step: Any) -> None:
        """Make the draws of a step.

        Args:
            step (BaseTransform): Of the kinds of ``ORDER``.
        """
        draws, results = self.draws, self.results
        if isinstance(step, ClipRandAugment):
            draws.update(operations=tuple(step.draw()), fill=step.fill)
        elif isinstance(step, ClipRandomResizedCrop):
            box, size = step.draw(*results['img_shape']), (step.scale, ) * 2
            draws.update(box=box, size=size, rounded=False)
            results.update(img_shape=size, crop_bbox=np.array(box))
        elif isinstance(step, ClipRandomErasing):
            self._erase(step)
        elif isinstance(step, FormatShape):
            t, (height, width) = len(self.frames), results['img_shape']
            results['input_shape'] = (1, 3, t, height, width)
        else:
            # Without frames, the steps of the host only draw.
            self.results = step(results)
            self._note(step)

    def _note(self, step: Any) -> None:
        """Read the draws of a step of the host."""
        draws, results = self.draws, self.results
        if isinstance(step, CROPS):
            draws['box'] = tuple(int(x) for x in results['crop_bbox'])
        elif isinstance(step, Resize):
            draws.update(
                size=results['img_shape'], interpolation=step.interpolation)
        elif isinstance(step, Flip):
            draws['flip'] = bool(results['flip'])

    def _erase(self, step: ClipRandomErasing) -> None:
        box: Optional[Tuple] = step.draw(*self.results['img_shape'])
        if box is not None:
            self.draws.update(
                erase=box,
                noise_mean=tuple(step.mean.tolist()),
                noise_std=tuple(step.std.tolist()),
                seed=int(torch.randint(2**31, ()).item()))

    def packed(self, step: PackActionInputs, frames: Tensor) -> Dict[str, Any]:
        """Return the sample of a batch.

        Args:
            step (PackActionInputs): Of the pipeline.
            frames (Tensor): Shape (t, h, w, 3), uint8.

        Returns:
            dict: As from the step, with the draws as an array.
        """
        found = step(dict(self.results, imgs=frames))
        # An array travels within the message; a tensor would need a separate
        # piece of shared memory, slower for so few numbers.
        found[DRAWS] = encode(ClipDraws(**self.draws)).numpy()
        return found


def _joined(frames: List[np.ndarray]) -> np.ndarray:
    """Return frames as an array, without a copy if adjacent in memory."""
    whole = frames[0].base
    if isinstance(whole, np.ndarray) and whole.flags.c_contiguous and (
            whole.shape == (len(frames), *frames[0].shape)):
        places = [x.__array_interface__['data'][0] for x in frames]
        start = whole.__array_interface__['data'][0]
        if places == [start + i * whole[0].nbytes for i in range(len(whole))]:
            return whole
    return np.stack(frames)
