"""Hook that draws clips and images with label and prediction."""
import importlib
import logging
import math
from typing import Any, List, Optional, Sequence

import mmcv
import numpy as np
from mmaction.datasets.transforms import PackActionInputs
from mmaction.engine.hooks import VisualizationHook
from mmaction.structures import ActionDataSample
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmvideomamba.registry import HOOKS
from mmvideomamba.visualization import Clip, draw_frame_strip, log_picture

NUMBERS = 'frame_inds'
# Arguments of the host's drawing without a counterpart in a strip.
_WITHOUT_EFFECT = ('fps', 'out_type', 'show_frames', 'target_resolution',
                   'text_cfg')


@HOOKS.register_module()
class FrameStripHook(VisualizationHook):
    """Draw some samples of validation and test, with label and prediction.

    Each picture is the strip of the model's frames (of the first view, if
    there are several), or an image of an image classifier, and goes to all
    backends of the visualizer, TensorBoard among them, or into ``out_dir``.
    Outputs without a predicted class, such as features or numbers, are not
    drawn. A sample without a label is drawn without a line for the label.
    With ``relevance``, a second row has the frames under the relevance of
    places for the predicted class.

    The hook stands in for the host's, with the same arguments. The host's
    hook expects clips without the axis of the views, cannot run with a 3-D
    recognizer, and draws no predictions.

    Args:
        enable (bool): Whether to draw. Defaults to False.
        interval (int): Draw each ``interval``-th sample. Defaults to 5000.
        show (bool): Whether to open a window. Defaults to False.
        out_dir (str, optional): Folder for .png files instead of the
            backends of the visualizer. Defaults to None.
        wait_time (float): Seconds that a window stays. Defaults to 2.
        draw_gt (bool): Whether to write the label. Defaults to True.
        draw_pred (bool): Whether to write the prediction. Defaults to True.
        draw_score (bool): Whether to write the score of the prediction.
            Defaults to True.
        rescale_factor (float, optional): Factor of the size of the frames.
            Defaults to None, frames as the model sees them.
        relevance (str, optional): 'gradient', 'attention' or 'attribution',
            see ``inference.relevance``; a forward and a backward pass of a
            view for each picture. The training stays the same to the bit.
            Defaults to None, no relevance.
        **kwargs: ``fps``, ``out_type``, ``show_frames``,
            ``target_resolution`` and ``text_cfg`` of the host's drawing of
            videos change nothing in a strip, and a warning says so.

    Raises:
        ValueError: If a number is out of range, or an argument is unknown; at
            the start of a run, if the model has no relevance by the method.
    """

    def __init__(self,
                 enable: bool = False,
                 interval: int = 5000,
                 show: bool = False,
                 out_dir: Optional[str] = None,
                 wait_time: float = 2.,
                 draw_gt: bool = True,
                 draw_pred: bool = True,
                 draw_score: bool = True,
                 rescale_factor: Optional[float] = None,
                 relevance: Optional[str] = None,
                 **kwargs: Any) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1, but is {interval}')
        if rescale_factor is not None and not rescale_factor > 0:
            raise ValueError('rescale_factor must be positive, but is '
                             f'{rescale_factor}')
        self._check_rest(kwargs)
        super().__init__(enable, interval, show, out_dir)
        self.wait_time, self.rescale_factor = wait_time, rescale_factor
        self.draw_gt, self.draw_pred = draw_gt, draw_pred
        self.draw_score = draw_score
        self.relevance = relevance
        self._explain: Any = None
        self._batch_size = 0
        self._warned = False

    @staticmethod
    def _check_rest(kwargs: dict) -> None:
        """Refuse unknown arguments; warn of those without an effect."""
        unknown = sorted(set(kwargs) - set(_WITHOUT_EFFECT))
        if unknown:
            raise ValueError(f'FrameStripHook has no argument {unknown[0]!r}; '
                             'remove it from default_hooks.visualization')
        if kwargs:
            print_log(
                f'FrameStripHook: {", ".join(sorted(kwargs))} of the drawing '
                'of videos change nothing in a strip', 'current',
                logging.WARNING)

    def before_run(self, runner: Runner) -> None:
        """Let pipelines pack the numbers of frames, and check the model.

        Args:
            runner (Runner): With the loops of validation and test.

        Raises:
            UserError: If the model has no relevance by the method.
        """
        if not self.enable:
            return
        if self.relevance is not None:
            # Loads all models of mmpretrain, seconds that others do without.
            module = importlib.import_module(
                'mmvideomamba.engine.sample_relevance')
            self._explain = module.SampleRelevance(runner.model,
                                                   self.relevance)
        # The public attributes would build a loop that this run leaves out.
        for loop in (runner._val_loop, runner._test_loop):
            data_set: Any = getattr(
                getattr(loop, 'dataloader', None), 'dataset', None)
            while hasattr(data_set, 'dataset'):  # a wrapper, such as a repeat
                data_set = data_set.dataset
            pipeline: Any = getattr(data_set, 'pipeline', None)
            for step in getattr(pipeline, 'transforms', ()):
                keys = getattr(step, 'meta_keys', ())
                if isinstance(step, PackActionInputs) and NUMBERS not in keys:
                    step.meta_keys = (*keys, NUMBERS)

    def _draw_samples(self,
                      batch_idx: int,
                      data_batch: dict,
                      data_samples: Sequence[BaseDataElement],
                      step: int = 0) -> None:
        """Draw the samples of a batch that are due.

        Args:
            batch_idx (int): Number of the batch.
            data_batch (dict): With ``inputs``, clips of shape
                (views, 3, t, h, w), RGB, or images, (3, h, w), BGR.
            data_samples (Sequence[ActionDataSample | DataSample]): With
                predictions.
            step (int): Epoch or iteration. Defaults to 0.
        """
        if not self.enable or not is_main_process():
            return
        # The last batch may be smaller, and its numbers go on all the same.
        if batch_idx == 0 or not self._batch_size:
            self._batch_size = len(data_samples)
        start = self._batch_size * batch_idx
        first = math.ceil(start / self.interval) * self.interval
        for number in range(first, start + len(data_samples), self.interval):
            index = number - start
            sample: Any = data_samples[index]
            if not hasattr(sample, 'pred_label'):
                continue
            clips = data_batch['inputs'][index]
            relevance = None
            if self._explain is not None:
                relevance = self._explain(clips, self._predicted(sample))
            strip = self._draw(clips, sample, relevance)
            self._output(f'sample_{number}', strip, step)

    def _draw(self,
              clips: Tensor,
              sample: Any,
              relevance: Optional[np.ndarray] = None) -> np.ndarray:
        """Draw the first view of a sample, with the relevance if given."""
        # mmpretrain reads the channels in the order blue, green, red.
        view = clips.flip(0).unsqueeze(1) if clips.dim() == 3 else clips[0]
        # (3, t, h, w) to (t, h, w, 3).
        frames = view.permute(1, 2, 3, 0).cpu().numpy().astype(np.uint8)
        if self.rescale_factor is not None:
            frames = np.stack(
                [mmcv.imrescale(f, self.rescale_factor) for f in frames])
        found = self._predicted(sample)
        numbers = self._labels(sample)
        label = None
        if numbers is not None and self.draw_gt:
            names = ', '.join(map(self._name, numbers))
            label = names or 'none of the classes'
        seen = sample.get(NUMBERS)
        if seen is not None:  # of all clips, the first in front
            seen = np.asarray(seen).reshape(-1)[:len(frames)].tolist()
        return draw_frame_strip(
            Clip(frames, seen, relevance=relevance),
            label,
            self._name(found) if self.draw_pred else '',
            float(sample.pred_score[found]) if self.draw_score else None,
            correct=None if numbers is None else found in numbers)

    @staticmethod
    def _predicted(sample: Any) -> int:
        """Return the best class of a sample."""
        if sample.pred_label.numel() == 1:
            return int(sample.pred_label)
        # mmpretrain's heads for several classes name those above a threshold.
        return int(sample.pred_score.argmax())

    @staticmethod
    def _labels(sample: Any) -> Optional[List[int]]:
        """Return the true classes of a sample, None if not known."""
        labels = sample.get('gt_label')
        if labels is None:
            return None
        several = isinstance(sample, ActionDataSample) and labels.numel() > 1
        if several:  # a 1 for each of several classes of a video
            return labels.nonzero().flatten().int().tolist()
        numbers = labels.flatten().int().tolist()
        # The data sets mark a video without a label by -1.
        return numbers if min(numbers, default=-1) >= 0 else None

    def _name(self, label: int) -> str:
        """Name a class, by number if the dataset has no name of the class."""
        classes = (self._visualizer.dataset_meta or {}).get('classes')
        if isinstance(classes, str) or classes and label >= len(classes):
            self._warn(classes)
            classes = None
        return str(classes[label]) if classes else str(label)

    def _warn(self, classes: Any) -> None:
        """Say once why classes have numbers in the pictures."""
        if self._warned:
            return
        self._warned = True
        fault = (f'is {classes!r}, which is not a file' if isinstance(
            classes, str) else f'has {len(classes)} names, fewer than classes')
        print_log(
            f'metainfo.classes of the data set {fault}: classes are written '
            'as numbers. Give a text file with a name a line, or a list',
            'current', logging.WARNING)

    def _output(self, name: str, strip: np.ndarray, step: int) -> None:
        """Show a picture, and save or record the picture."""
        if self.draw_args['show']:
            self._visualizer.show(strip, name, self.wait_time)
        log_picture(self._visualizer, name, strip, step, self.out_dir)
