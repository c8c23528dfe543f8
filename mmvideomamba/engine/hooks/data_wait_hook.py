"""Hook for a line about the waits of a GPU for data."""
import logging
from typing import Any, Dict, List, Optional

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import IterBasedTrainLoop, Runner

from mmvideomamba.engine.data_advice import advice, workers_of
from mmvideomamba.engine.usable_cores import usable_cores
from mmvideomamba.engine.wait_meter import (DataWaits, WaitMeter, event_marker,
                                            gather)
from mmvideomamba.registry import HOOKS
from mmvideomamba.user_error import UserError
from .bad_media_loaders import loaders_of

# Smaller shares and shorter waits need no advice, shorter starts of workers
# no words.
LEAST_SHARE, LEAST_WAIT, LEAST_FIRST = 0.05, 1., 1.


@HOOKS.register_module()
class DataWaitHook(Hook):
    """Tell once an epoch how long the GPU waited for data, and a remedy.

    ``WaitMeter`` measures the GPU's own time without work, and never waits
    for the GPU. In a training on a CPU the host's time in the loader counts.
    The share also goes to the visualizer, as ``data/wait_share``. Validations
    do not count, nor does the first batch of an epoch with workers, a time
    the line names apart if above a second.

    In a training of several processes the first one tells mean and maximum.

    Args:
        enable (bool): Whether to measure. Defaults to True.
        interval (int): Iterations from line to line in a training by
            iterations. Defaults to 1000.

    Raises:
        UserError: If ``interval`` is below 1.
    """

    # After the launches of all other hooks.
    priority = 'LOWEST'

    def __init__(self, enable: bool = True, interval: int = 1000) -> None:
        if not isinstance(interval, int) or interval < 1:
            raise UserError('interval of DataWaitHook must be an int of at '
                            f'least 1, but is {interval!r}')
        self.enable, self.interval = enable, interval
        self.meter: Optional[WaitMeter] = None
        self._loop: Any = None

    def before_train(self, runner: Runner) -> None:
        """Watch the beginning and the end of the loop's iterations.

        Args:
            runner (Runner): The runner.
        """
        self._give_back()
        if not self.enable:
            return
        loop: Any = runner.train_loop
        if not hasattr(loop, 'run_iter'):
            print_log(
                f'{type(loop).__name__} has no run_iter, and waits for data '
                'are not measured', 'current', logging.INFO)
            return
        self.device = next(runner.model.parameters()).device
        self.meter = meter = WaitMeter(event_marker(self.device))
        run_iter = loop.run_iter

        # Not hooks before and after an iteration: the time of the other hooks
        # would count as waiting.
        def watched(*args: Any, **kwargs: Any) -> None:
            meter.arrive()
            run_iter(*args, **kwargs)
            meter.ask()
            if isinstance(
                    loop,
                    IterBasedTrainLoop) and runner.iter % self.interval == 0:
                self._report(runner)

        self._loop, loop.run_iter = loop, watched

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin to measure.

        Args:
            runner (Runner): The runner.
        """
        if self.meter is not None:
            loaders = loaders_of(runner.train_dataloader)
            self.meter.begin(any(map(workers_of, loaders)))

    def before_val(self, runner: Runner) -> None:
        """Leave out a validation between two iterations.

        Args:
            runner (Runner): Unused.
        """
        if self.meter is not None:
            self.meter.pause()

    def after_val(self, runner: Runner) -> None:
        """Go on after a validation.

        Args:
            runner (Runner): Unused.
        """
        if self.meter is not None:
            self.meter.ask()

    def after_train_epoch(self, runner: Runner) -> None:
        """Log the line.

        Args:
            runner (Runner): The runner.
        """
        if self.meter is not None:
            self._report(runner)

    def after_train(self, runner: Runner) -> None:
        """Give the loop its own method back.

        Args:
            runner (Runner): Unused.
        """
        self._give_back()

    def _give_back(self) -> None:
        if self._loop is not None:
            vars(self._loop).pop('run_iter', None)
        self._loop = self.meter = None

    def _report(self, runner: Runner) -> None:
        """Log a line about the iterations since the last."""
        assert self.meter is not None
        own = self.meter.take()
        if not own.batches:
            return  # a report has just been made, by all processes
        everyone = gather(own)
        share = sum(one.share for one in everyone) / len(everyone)
        first = max(one.first for one in everyone)
        values = {'data/wait_share': share}
        if first:
            values['data/first_batch_time'] = first
        # The host writes on the first process alone.
        runner.visualizer.add_scalars(
            values, step=runner.iter, file_path=f'{runner.timestamp}.json')
        line = _line(everyone, self._words(runner))
        if first > LEAST_FIRST:
            line += f'; first batch after {first:.1f} s'
        remedies = self._remedies(runner, everyone)
        if remedies:
            line += '; to change: ' + '; '.join(remedies)
        runner.logger.info(line)

    def _remedies(self, runner: Runner,
                  everyone: List[DataWaits]) -> List[str]:
        """Return remedies for long waits."""
        loaders: List[Any] = loaders_of(runner.train_dataloader)
        found: List[str] = []
        most = max(everyone, key=lambda one: one.share)
        if most.share >= LEAST_SHARE and most.waited >= LEAST_WAIT:
            found += advice(loaders, usable_cores(), self.device.type != 'cpu')
        first = max(one.first for one in everyone)
        total = max(one.total for one in everyone)
        ends = any(workers_of(x) and not x.persistent_workers for x in loaders)
        if ends and first > max(LEAST_FIRST, LEAST_SHARE * total):
            found.append('train_dataloader.persistent_workers=True')
        return found

    def _words(self, runner: Runner) -> Dict[str, str]:
        """Return the words for device and time of a training."""
        by_iter = isinstance(runner.train_loop, IterBasedTrainLoop)
        return dict(
            device='training' if self.device.type == 'cpu' else 'GPU',
            part='time' if by_iter else 'epoch')


def _line(everyone: List[DataWaits], words: Dict[str, str]) -> str:
    """Return the measured part of the line."""
    device, part = words['device'], words['part']
    most = max(everyone, key=lambda one: one.share)
    times = f'{most.waited:.1f} of {most.total:.1f} s'
    if len(everyone) == 1:
        return (f'data: the {device} waited {100 * most.share:.1f} % of the '
                f'{part} for data ({times})')
    mean = sum(one.share for one in everyone) / len(everyone)
    return (f'data: {len(everyone)} processes waited {100 * mean:.1f} % of '
            f'the {part} for data on average, process {everyone.index(most)} '
            f'{100 * most.share:.1f} % ({times})')
