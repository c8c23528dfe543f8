"""Hook that draws clips with their label and prediction."""
import math
from pathlib import Path
from typing import Optional, Sequence

import cv2
import mmcv
import numpy as np
from mmaction.engine.hooks import VisualizationHook
from mmaction.structures import ActionDataSample
from torch import Tensor

from mmvideomamba.registry import HOOKS

HEADER = 20  # pixels above the frames, per line
RIGHT, WRONG = (0, 200, 0), (230, 60, 60)  # colours, RGB


@HOOKS.register_module()
class FrameStripHook(VisualizationHook):
    """Draw some clips of validation and test, with label and prediction.

    Each picture is the strip of the frames that the model got (of the first
    view, if there are several) and goes to all backends of the visualizer,
    TensorBoard among them, or into ``out_dir``.

    It stands in for the host's hook, of which it takes the arguments: that
    one expects clips without the axis of the views, so it cannot run with a
    3-D recognizer, and it does not draw predictions.

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
        """Draw the samples of a batch whose number is due.

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
            strip = self._draw(data_batch['inputs'][index],
                               data_samples[index])
            self._output(f'sample_{number}', strip, step)

    def _draw(self, clips: Tensor, sample: ActionDataSample) -> np.ndarray:
        """Draw the frames of the first view under two lines of text."""
        frames = clips[0].permute(1, 2, 3, 0).cpu().numpy()  # (t, h, w, 3)
        strip = np.concatenate(list(frames.astype(np.uint8)), axis=1)
        header = np.zeros((2 * HEADER, strip.shape[1], 3), np.uint8)
        label = int(sample.gt_label)
        found = int(sample.pred_label)
        score = float(sample.pred_score[found])
        lines = ((f'label {self._name(label)}', (255, 255, 255)),
                 (f'prediction {self._name(found)} {score:.2f}',
                  RIGHT if found == label else WRONG))
        for row, (text, colour) in enumerate(lines):
            cv2.putText(header, text, (4, HEADER * (row + 1) - 6),
                        cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
        return np.concatenate([header, strip])

    def _name(self, label: int) -> str:
        """Name a class, by its number if the dataset has no names."""
        classes = (self._visualizer.dataset_meta or {}).get('classes')
        return classes[label] if classes else str(label)

    def _output(self, name: str, strip: np.ndarray, step: int) -> None:
        """Show a picture, and save it or hand it to the backends."""
        if self.draw_args['show']:
            self._visualizer.show(strip, name, self.wait_time)
        if self.out_dir is None:
            self._visualizer.add_image(name, strip, step)
        else:
            path = Path(self.out_dir, f'{name}_{step}.png')
            mmcv.imwrite(strip[..., ::-1], str(path))
