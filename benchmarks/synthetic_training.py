"""Parts of a timed training: clips that cost nothing, and a clock as a hook.

A config imports this module by ``custom_imports``; the folder must be on the
module search path.
"""
import json
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from device_work import DeviceWork
from mmaction.structures import ActionDataSample
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS
from mmengine.runner import Runner
from torch.utils.data import Dataset

# Iterations of a timed window: the recipes log once in so many.
WINDOW = 20
# Clips in memory, handed out again and again.
KEPT = 8


@DATASETS.register_module()
class SyntheticClips(Dataset):
    """Random clips with labels, drawn once.

    Args:
        length (int): Number of samples.
        frames (int): Of a clip.
        side (int): Side of a frame in pixels.
        classes (int): Number of labels.
    """
    metainfo: dict = dict()

    def __init__(self, length: int, frames: int, side: int,
                 classes: int) -> None:
        self.length, self.side, self.classes = length, side, classes
        random = torch.Generator().manual_seed(0)
        self.clips = torch.randint(
            256, (KEPT, 1, 3, frames, side, side),
            dtype=torch.uint8,
            generator=random)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Dict[str, Any]:
        sample = ActionDataSample(
            metainfo=dict(img_shape=(self.side, self.side)))
        sample.set_gt_label(index % self.classes)
        return dict(inputs=self.clips[index % KEPT], data_samples=sample)


def mark(device: torch.device) -> Any:
    """Note the present moment of a device.

    Args:
        device (torch.device): The device.

    Returns:
        torch.cuda.Event or float: A recorded event, or seconds.
    """
    if device.type != 'cuda':
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def gaps(marks: List[Any]) -> List[float]:
    """Return the milliseconds from each mark to the next.

    Args:
        marks (list): What ``mark`` returned, in order; the last event has
            happened.
    """
    pairs = zip(marks, marks[1:])
    if isinstance(marks[0], float):
        return [1e3 * (b - a) for a, b in pairs]
    return [a.elapsed_time(b) for a, b in pairs]


def peaks() -> Dict[str, float]:
    """Return the GiB of tensors and of the whole allocator, at their peaks."""
    if not torch.cuda.is_available():
        return {}
    return dict(
        gib=torch.cuda.max_memory_allocated() / 2**30,
        reserved=torch.cuda.max_memory_reserved() / 2**30)


class HighestPeaks:
    """Peaks of memory over a training.

    The host's log resets the peaks of torch with each line; ``note`` must run
    before the log of a step.
    """

    def __init__(self) -> None:
        self.found: Dict[str, float] = {}

    def note(self) -> None:
        """Keep the present peaks, where higher."""
        for name, value in peaks().items():
            self.found[name] = max(value, self.found.get(name, 0.))


@HOOKS.register_module()
class StepTimer(Hook):
    """Time windows of a training, profile a few steps, and write a file.

    The first process writes JSON: ``ms``, the mean milliseconds of an
    iteration in each window, from before its batch is handled to the same
    place of a later iteration; ``work`` of ``DeviceWork``; memory. The
    device is waited for after the last window only.

    Args:
        file (str): The JSON file.
        warm_up (int): Iterations before the first window.
        windows (int): Number of windows.
        profiled (int): Iterations after the windows. Defaults to 0.
    """

    # Before the other hooks handle the batch.
    priority = 'VERY_HIGH'

    def __init__(self,
                 file: str,
                 warm_up: int,
                 windows: int,
                 profiled: int = 0) -> None:
        self.file, self.profiled = Path(file), profiled
        self.warm_up, self.end = warm_up, warm_up + windows * WINDOW
        self.marks: List[Any] = []
        self.peaks = HighestPeaks()
        self.work: Optional[DeviceWork] = None

    @staticmethod
    def iterations(warm_up: int, windows: int, profiled: int) -> int:
        """Return the length of a training with this hook."""
        return warm_up + windows * WINDOW + max(profiled, 1)

    def before_train(self, runner: Runner) -> None:
        """Pin the clips, if the loader would pin each batch by itself.

        A loader with workers pins batches during the training; a loader
        without would hold the training up.

        Args:
            runner (Runner): The runner.
        """
        loader = runner.train_loop.dataloader
        if loader.pin_memory and not loader.num_workers:
            if torch.cuda.is_available():
                loader.dataset.clips = loader.dataset.clips.pin_memory()

    def before_train_iter(self,
                          runner: Runner,
                          batch_idx: int,
                          data_batch: Any = None) -> None:
        """Note the time at the borders of windows; begin the profile."""
        device = next(runner.model.parameters()).device
        done = batch_idx - self.warm_up
        if 0 <= done and batch_idx <= self.end and done % WINDOW == 0:
            if not done:
                # Before the first line of the log, and before timed steps.
                self.peaks.note()
            self.marks.append(mark(device))
        if batch_idx == self.end:
            if device.type == 'cuda':
                torch.cuda.synchronize()
            self._write(runner)
            if self.profiled and device.type == 'cuda':
                self.work = DeviceWork(self.profiled)
                self.work.begin()

    def after_train_epoch(self, runner: Runner) -> None:
        """End the profile and the training."""
        if self.work is not None:
            self.work.end()
            self._write(runner)
        runner.train_loop.stop_training = True

    def _write(self, runner: Runner) -> None:
        if not is_main_process():
            return
        self.peaks.note()
        found: Dict[str, Any] = dict(
            ms=[x / WINDOW for x in gaps(self.marks)], **self.peaks.found)
        if self.work is not None:
            found['work'] = self.work.found
        self.file.write_text(json.dumps(found))
