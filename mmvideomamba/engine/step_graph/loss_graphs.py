"""Forward and backward passes as CUDA graphs, one for each layout."""
import logging
from typing import Any, Callable, Dict, NamedTuple, Optional

import torch
from mmengine.logging import print_log

from .batch_memory import BatchMemory, UnknownValueError, layout
from .host_state import HostDraws, settings_of
from .waits import Waits
from .work import Losses, OtherParametersError, StepWork


class _Graph(NamedTuple):
    """A captured pass, and the batch in its memory."""
    memory: BatchMemory
    recording: Any


class LossGraphs:
    """Run forward and backward pass, by graphs of known layouts.

    The first batches of a layout run eagerly. The last eager batch is a copy
    at a fixed address, of tensors alone, and is watched for waits; the next
    batch is captured.

    Args:
        work (StepWork): The passes.
        warm_up (int): Eager batches of a layout.
        max_graphs (int): Most layouts with a graph.
        record (Callable): Makes a recording of a function.

    Attributes:
        graphs (dict): By layout.
        reason (str): Why there are no graphs; '' if graphs are possible.
    """

    def __init__(self, work: StepWork, warm_up: int, max_graphs: int,
                 record: Callable[..., Any]) -> None:
        self.work, self.record = work, record
        self.warm_up, self.max_graphs = warm_up, max_graphs
        self.reason = ''
        self.pool: Any = None
        self.graphs: Dict[Any, _Graph] = {}
        self._seen: Dict[Any, int] = {}
        self._memories: Dict[Any, BatchMemory] = {}
        self._full = False

    def run(self, batch: Any) -> Losses:
        """Run forward and backward pass.

        Args:
            batch (Any): Of the data preprocessor.

        Returns:
            Losses: Overwritten by the next batch of the layout.
        """
        if self.reason:
            return self.work.attempt(batch)
        # The factor of a loss is a number of the host.
        factor = float(self.work.wrapper.scale_loss(torch.ones(())))
        try:
            key = layout(batch), factor, settings_of(self.work.wrapper)
        except UnknownValueError as error:
            self.drop(f'the step needs more of a batch than tensors: {error}')
            return self.work.attempt(batch)
        graph = self.graphs.get(key)
        if graph is not None:
            graph.memory.fill(batch)
        else:
            graph = self._capture(key, batch)
            if graph is None:
                return self._warm(key, batch)
        # Also right after a capture: a capture notes kernels without a launch.
        graph.recording.replay()
        return graph.recording.result

    def drop(self, reason: str) -> None:
        """Free the memory of the graphs, and do without.

        Args:
            reason (str): For ``reason``.
        """
        self.reason = reason
        self.graphs.clear()
        self._memories.clear()
        self.pool = None
        if self.work.device.type == 'cuda':
            # torch lends the memory of a graph's pool to no other tensor
            # before the cache is emptied.
            torch.cuda.empty_cache()

    def _warm(self, key: Any, batch: Any) -> Losses:
        """Run eagerly, the last time before a capture on a copy."""
        self._seen[key] = self._seen.get(key, 0) + 1
        # At equality alone: a layout without room then is not tried in each
        # further step.
        if self._seen[key] != self.warm_up or not self._has_room():
            return self.work.attempt(batch)
        device = self.work.device
        try:
            # Outside of the watched block, as making the copy may wait for the
            # device.
            memory = BatchMemory(batch, device)
            with Waits(device) as waits, HostDraws(device) as draws:
                losses = self.work.attempt(memory.batch, rehearse=True)
        except (OtherParametersError, torch.cuda.OutOfMemoryError):
            # Not a fault of the batch's copy; ``GraphedStep`` decides.
            raise
        except Exception as error:
            self.drop('the step needs more of a batch than tensors: '
                      f'{in_a_line(error)}')
            return self.work.attempt(batch)
        if waits.found:
            self.drop(f'the step waits for the device: {waits.found}')
        elif draws.found:
            self.drop(f'the step {draws.found}')
        else:
            self._memories[key] = memory
        return losses

    def begin_again(self) -> None:
        """Free the graphs, and capture others after a new warm-up."""
        self.graphs.clear()
        self._memories.clear()
        self._seen.clear()
        self.pool = None

    def _has_room(self) -> bool:
        """Tell whether a further layout may have a graph."""
        if len(self.graphs) + len(self._memories) < self.max_graphs:
            return True
        if not self._full:
            self._full = True
            print_log(
                f'{self.max_graphs} layouts of batches have CUDA graphs; '
                'batches of further shapes run without', 'current',
                logging.INFO)
        return False

    def _capture(self, key: Any, batch: Any) -> Optional[_Graph]:
        """Capture a graph, if the time has come."""
        memory = self._memories.pop(key, None)
        if memory is None:
            return None
        memory.fill(batch)
        try:
            recording = self.record(
                lambda: self.work.captured_losses(memory.batch),
                pool=self.pool)
        except Exception as error:
            reason = f'the capture ended in {in_a_line(error)}'
        else:
            reason = ''
        if reason:
            # After the error is gone, and with the error the new tensors.
            self.drop(reason)
            return None
        if self.pool is None:
            self.pool = recording.pool()
            print_log('training steps run as CUDA graphs from here on',
                      'current', logging.INFO)
        self.graphs[key] = _Graph(memory, recording)
        return self.graphs[key]


def in_a_line(error: BaseException) -> str:
    """Write an error in a line.

    Args:
        error (BaseException): Any.

    Returns:
        str: Class and text, at most 200 characters of text.
    """
    text = ' '.join(str(error).split())
    return f'{type(error).__name__}: {text[:200]}'
