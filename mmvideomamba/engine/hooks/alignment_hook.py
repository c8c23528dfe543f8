"""Hook that draws what masked distillation sees and learns."""
import random
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Tuple

import cv2
import mmcv
import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from mmvideomamba.registry import HOOKS

FRAME_SIDE = 96  # least height of a drawn frame, in pixels
MARGIN = 150  # width of the column of names, in pixels
GAP = 4  # between frames, in pixels
DIMMED = 0.2  # brightness of what the student does not see
GREY = 0.15  # share of the frame below colours: little, or white looks yellow
COSINES = 'blue <= 0, yellow 1'  # what the colours of a cosine mean


class AlignmentPicture(NamedTuple):
    """What is drawn of one clip, as numpy arrays.

    Args:
        frames (np.ndarray): RGB, shape (t, height, width, 3), uint8.
        mask (np.ndarray): True = dropped, bool, shape (t, h, w).
        attention (np.ndarray): Of the teacher, shape (t, h, w).
        seen (np.ndarray): Cosine of student and teacher at each visible
            patch, NaN elsewhere, shape (t, h, w).
        whole (np.ndarray): The same of a student that sees every patch.
    """
    frames: np.ndarray
    mask: np.ndarray
    attention: np.ndarray
    seen: np.ndarray
    whole: np.ndarray


def _tint(frame: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Lay values in [0, 1] over a frame, NaN leaves it dark."""
    size = frame.shape[1::-1]
    known = cv2.resize(
        (~np.isnan(values)).astype(np.uint8),
        size,
        interpolation=cv2.INTER_NEAREST)[..., None]
    levels = (np.nan_to_num(values).clip(0, 1) * 255).astype(np.uint8)
    levels = cv2.resize(levels, size, interpolation=cv2.INTER_NEAREST)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1]
    grey = frame.mean(-1, keepdims=True)
    mixed = np.where(known, (1 - GREY) * colours + GREY * grey, DIMMED * grey)
    return mixed.astype(np.uint8)


def _dim(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Darken the patches that are dropped."""
    dropped = cv2.resize(
        mask.astype(np.uint8),
        frame.shape[1::-1],
        interpolation=cv2.INTER_NEAREST)[..., None]
    return np.where(dropped, DIMMED * frame, frame).astype(np.uint8)


def _row(frames: List[np.ndarray], lines: Tuple[str, ...]) -> np.ndarray:
    """Put frames side by side, behind a column of text."""
    height = frames[0].shape[0]
    column = np.full((height, MARGIN, 3), 255, np.uint8)
    for i, line in enumerate(lines):
        cv2.putText(column, line, (6, 20 + 18 * i), cv2.FONT_HERSHEY_SIMPLEX,
                    0.42, (0, 0, 0), 1, cv2.LINE_AA)
    gap = np.full((height, GAP, 3), 255, np.uint8)
    parts = [column]
    for frame in frames:
        parts += [frame, gap]
    return np.concatenate(parts, axis=1)


def draw_alignment(clip: AlignmentPicture) -> np.ndarray:
    """Draw the frames of a clip, and four rows below them.

    What the student sees; the teacher's attention, the brightest patch of
    the clip being 1; the cosine of student and teacher at the patches that
    the student sees, and at all patches when it sees all. Colours run from 0,
    or less, (dark blue) to 1 (yellow); the column of names says so.

    Args:
        clip (AlignmentPicture): What to draw.

    Returns:
        np.ndarray: RGB, shape (h, w, 3), uint8.
    """
    scale = max(1., FRAME_SIDE / clip.frames.shape[1])
    t = len(clip.mask)
    # Of a tubelet its first frame is drawn.
    frames = [
        cv2.resize(f, None, fx=scale, fy=scale)
        for f in clip.frames[::len(clip.frames) // t]
    ]
    attention = clip.attention / max(clip.attention.max(), 1e-12)
    seen = np.nanmean(clip.seen)
    rows = [
        _row(frames, ('frames', )),
        _row([_dim(f, m) for f, m in zip(frames, clip.mask)],
             ('student sees', f'{1 - clip.mask.mean():.0%} of patches')),
        _row([_tint(f, a) for f, a in zip(frames, attention)],
             ('teacher', 'attention', 'blue 0, yellow max')),
        _row([_tint(f, c) for f, c in zip(frames, clip.seen)],
             ('cosine, visible', f'mean {seen:.3f}', COSINES)),
        _row([_tint(f, c) for f, c in zip(frames, clip.whole)],
             ('cosine, no mask', f'mean {clip.whole.mean():.3f}', COSINES)),
    ]
    gap = np.full((GAP, rows[0].shape[1], 3), 255, np.uint8)
    return np.concatenate([part for row in rows for part in (row, gap)])


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Evaluate a model and leave no trace in it or in the generators.

    Args:
        model (nn.Module): In training or in evaluation mode.
    """
    modes = [(m, m.training) for m in model.modules()]
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            model.eval()
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        random.setstate(states[0])
        np.random.set_state(states[1])


def picture_of(model: nn.Module, inputs: Tensor,
               data_sample: object) -> np.ndarray:
    """Draw one sample of a data batch.

    Args:
        model (nn.Module): A ``UMT``.
        inputs (Tensor): Clip of a sample, RGB, shape (1, 3, t, h, w), uint8.
        data_sample (BaseDataElement): With ``mask`` if the model takes its
            masks from the data.

    Returns:
        np.ndarray: See ``draw_alignment``.
    """
    data = dict(inputs=[inputs], data_samples=[data_sample])
    with undisturbed(model):
        data = model.data_preprocessor(data, False)
        seen = model.explain(**data)
        whole = model.explain(**data, masked=False)
    frames = inputs[0].permute(1, 2, 3, 0).cpu().numpy().astype(np.uint8)
    parts = (seen.mask, seen.attention, seen.similarity, whole.similarity)
    return draw_alignment(
        AlignmentPicture(frames, *(p[0].cpu().numpy() for p in parts)))


@HOOKS.register_module()
class AlignmentHook(Hook):
    """Draw some training clips of a ``UMT``, with mask and alignment.

    The picture (see ``draw_alignment``) goes to all backends of the
    visualizer, TensorBoard among them, or into ``out_dir``. Drawing changes
    neither the model nor what the training draws at random.

    Args:
        interval (int): Draw each ``interval``-th iteration. Defaults to 500.
        num_clips (int): Clips of a batch that are drawn. Defaults to 1.
        out_dir (str, optional): Folder for .png files instead of the
            backends of the visualizer. Defaults to None.

    Raises:
        ValueError: If a number is below 1.
    """

    priority = 'LOW'

    def __init__(self,
                 interval: int = 500,
                 num_clips: int = 1,
                 out_dir: Optional[str] = None) -> None:
        for name, value in dict(
                interval=interval, num_clips=num_clips).items():
            if value < 1:
                raise ValueError(f'{name} of AlignmentHook must be at least '
                                 f'1, but is {value}')
        self.interval, self.num_clips = interval, num_clips
        self.out_dir = out_dir

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Optional[dict] = None,
                         outputs: Optional[dict] = None) -> None:
        """Draw the first clips of the batch, if it is due.

        Args:
            runner (Runner): The runner of the training.
            batch_idx (int): Number of the batch in its epoch.
            data_batch (dict, optional): With ``inputs``, clips of shape
                (1, 3, t, h, w), and ``data_samples``.
            outputs (dict, optional): Unused.
        """
        due = self.every_n_train_iters(runner, self.interval)
        if not due or not is_main_process():
            return
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        pairs = zip(data_batch['inputs'], data_batch['data_samples'])
        for i, (inputs, sample) in enumerate(list(pairs)[:self.num_clips]):
            picture = picture_of(model, inputs, sample)
            name, step = f'alignment_{i}', runner.iter + 1
            if self.out_dir is None:
                runner.visualizer.add_image(name, picture, step)
            else:
                path = Path(self.out_dir, f'{name}_{step}.png')
                mmcv.imwrite(picture[..., ::-1], str(path))
