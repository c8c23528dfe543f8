"""Hook that draws clips with label and prediction."""
import math
from typing import Optional, Sequence

import numpy as np
from mmaction.engine.hooks import VisualizationHook
from mmaction.structures import ActionDataSample
from torch import Tensor

from mmvideomamba.registry import HOOKS
from mmvideomamba.visualization import draw_frame_strip, log_picture


@HOOKS.register_module()
class FrameStripHook(VisualizationHook):
    """Draw some clips of validation and test, with label and prediction.

    Each picture is the strip of the model's frames (of the first view, if
    there are several) and goes to all backends of the visualizer,
    TensorBoard among them, or into ``out_dir``. Outputs without a predicted
    class, such as features or numbers, are not drawn.

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
    """

    def __init__(self,
                 enable: bool = False,
                 interval: int = 5000,
                 show: bool = False,
                 out_dir: Optional[str] = None,
                 wait_time: float = 2.) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1, but is {interval}')
        super().__init__(enable, interval, show, out_dir)
        self.wait_time = wait_time

    def _draw_samples(self,
                      batch_idx: int,
                      data_batch: dict,
                      data_samples: Sequence[ActionDataSample],
                      step: int = 0) -> None:
        """Draw the samples of a batch that are due.

        Args:
            batch_idx (int): Number of the batch.
            data_batch (dict): With ``inputs``, clips of shape
                (views, 3, t, h, w), RGB, and ``data_samples``.
            data_samples (Sequence[ActionDataSample]): With predictions.
            step (int): Epoch or iteration. Defaults to 0.
        """
        if not self.enable:
            return
        start = len(data_samples) * batch_idx
        first = math.ceil(start / self.interval) * self.interval
        for number in range(first, start + len(data_samples), self.interval):
            index = number - start
            if not hasattr(data_samples[index], 'pred_label'):
                continue
            strip = self._draw(data_batch['inputs'][index],
                               data_samples[index])
            self._output(f'sample_{number}', strip, step)

    def _draw(self, clips: Tensor, sample: ActionDataSample) -> np.ndarray:
        """Draw the first view of a sample."""
        frames = clips[0].permute(1, 2, 3, 0).cpu().numpy()  # (t, h, w, 3)
        labels, found = sample.gt_label, int(sample.pred_label)
        if labels.numel() > 1:  # a 1 for each of several classes of a video
            labels = labels.nonzero()
        numbers = labels.flatten().int().tolist()
        return draw_frame_strip(
            frames.astype(np.uint8),
            ', '.join(map(self._name, numbers)),
            self._name(found),
            float(sample.pred_score[found]),
            correct=found in numbers)

    def _name(self, label: int) -> str:
        """Name a class, by number if the dataset has no names."""
        classes = (self._visualizer.dataset_meta or {}).get('classes')
        return classes[label] if classes else str(label)

    def _output(self, name: str, strip: np.ndarray, step: int) -> None:
        """Show a picture, and save or record the picture."""
        if self.draw_args['show']:
            self._visualizer.show(strip, name, self.wait_time)
        log_picture(self._visualizer, name, strip, step, self.out_dir)
