"""A training step as two CUDA graphs: gradients, and update."""
import logging
import math
import time
import types
from typing import Any, Callable, Dict, Sequence, Tuple

import torch
from mmengine import dist
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmvideomamba.engine.inner_model import inner_model
from mmvideomamba.engine.vote import Vote
from mmvideomamba.user_error import UserError
from .batch_memory import tensors_of
from .learning_rates import make_groups_plain
from .loss_graphs import LossGraphs, in_a_line
from .reasons import (exchanged_method, guard_of, model_reason, scaler_of,
                      watch, wrapper_reason)
from .recording import Recording
from .update_graph import UpdateGraph
from .work import Losses, OtherParametersError, StepWork

# Largest share of a step for sums over processes after the backward pass;
# beyond this share the sums must overlap the backward pass.
MOST_OF_SUMS = 0.1
OTHER_PROCESS = 'another process cannot have them'


class GraphedStep:
    """Train on a batch, as ``train_step`` of a model, by CUDA graphs.

    The first batches of a layout run eagerly. Then two graphs are captured:
    the forward and backward pass, and the update with the guard's verdict,
    the loss scaler and clipping. Sums over processes run between the two.
    Batches of other layouts go on eagerly, and so does each part that a
    graph cannot hold; a reason is logged.

    Losses, gradients, updates and random numbers equal the eager step's to
    the bit. All processes of a distributed training sum the same tensors in
    the same order, with or without graphs.

    Args:
        model (nn.Module): Of the runner; plain or in
            ``MMDistributedDataParallel``.
        train_step (Callable): The model's own method.
        wrapper (OptimWrapper): Optimizer wrapper of the training.
        warm_up (int): Eager steps before a capture. Defaults to 3.
        max_graphs (int): Most layouts with a graph. Defaults to 4.
        trusted (Sequence[str]): Packages whose modules compute the same in
            each step, besides the hosts'. Defaults to ().
        must (bool): Whether a step without graphs is an error. Defaults to
            False.
        record (Callable): Makes a recording of a function. Defaults to
            ``Recording``.

    Attributes:
        reason (str): Why there are no graphs; '' if graphs are possible.
        left (bool): Whether steps are the host's own again.

    Raises:
        UserError: Under ``must``, if there can be no graphs.
    """

    def __init__(self,
                 model: nn.Module,
                 train_step: Callable[..., Dict[str, Tensor]],
                 wrapper: OptimWrapper,
                 warm_up: int = 3,
                 max_graphs: int = 4,
                 trusted: Sequence[str] = (),
                 must: bool = False,
                 record: Callable[..., Any] = Recording) -> None:
        self.wrapped: Any = model
        self.model: Any = inner_model(model)
        self.train_step, self.wrapper = train_step, wrapper
        self.warm_up, self.trusted = warm_up, tuple(trusted)
        self.must = must
        self.distributed = isinstance(model, MMDistributedDataParallel)
        self.reason, self.left = '', False
        self._calls = 0
        self._marks: Any = None
        self._times = [-math.inf, -math.inf, -math.inf]  # starts of calls
        self._look()
        reason = model_reason(model, self._table) or wrapper_reason(wrapper)
        # Gradients must be summed in the same way by all processes.
        if self._any_process(bool(reason)):
            self._leave(reason or OTHER_PROCESS, together=True)
            return
        make_groups_plain(wrapper.optimizer)
        self.work = StepWork(self.model, wrapper, self.distributed)
        self.losses = LossGraphs(self.work, warm_up, max_graphs, record)
        self.update = UpdateGraph(self.work, warm_up, record)
        self._side = (
            torch.cuda.Stream(self.work.device)
            if self.work.device.type == 'cuda' else None)

    def __call__(self, data: Any,
                 optim_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """Train on a batch.

        Args:
            data (Any): Of the loader.
            optim_wrapper (OptimWrapper): Of the training.

        Returns:
            dict[str, Tensor]: Values to log, shape () each; ``grad_norm`` if
            gradients were clipped by their norm.
        """
        if not self.reason:
            reason = self._changed(optim_wrapper)
            if reason:
                self._leave(reason)
        if self.left:
            return self.train_step(data, optim_wrapper=optim_wrapper)
        if self._side is None:
            return self._step(data)
        with torch.cuda.device(self.work.device):
            return self._step(data)

    def release(self) -> None:
        """Free the memory of the graphs, and do without from now on."""
        self.must = False
        if not self.left:
            self._leave('the memory of the graphs was asked back')

    def _step(self, data: Any) -> Dict[str, Tensor]:
        """Train on a batch, by graphs or eagerly."""
        self._calls += 1
        self._times = [*self._times[1:], time.perf_counter()]
        batch = self._prepare(data)
        if self.distributed and self._calls == self.warm_up + 2:
            # After the first capture.
            self._agree()
            if self.left:
                return self._rest(batch)
        reason = ''
        try:
            losses = self.losses.run(batch)
        except Exception as error:
            reason = self._excuse(error)
            if not reason:
                raise
        if reason:
            self._leave(reason, together=True)
            return self._rest(batch)
        if self.losses.reason and not self.reason:
            self._leave(self.losses.reason)
        return self._finish(losses)

    def __reduce__(self) -> Tuple:
        """Save a model with the method of its class."""
        return getattr, (self.wrapped, 'train_step')

    def __deepcopy__(self, memo: Dict[int, Any]) -> Any:
        """Give a copy of the model the method of its class."""
        model = memo[id(self.wrapped)]
        return types.MethodType(type(model).train_step, model)

    def _prepare(self, data: Any) -> Any:
        """Bring a batch to the device while the device works."""
        if self._side is None:
            with self.wrapper.optim_context(self.model):
                return self.model.data_preprocessor(data, True)
        here = torch.cuda.current_stream(self.work.device)
        wait_for_tensors(data, self._side, here)
        # The host's copies wait for the stream: it has no other work.
        with torch.cuda.stream(self._side), self.wrapper.optim_context(
                self.model):
            batch = self.model.data_preprocessor(data, True)
        here.wait_stream(self._side)
        # The memory belongs to the side stream, and the allocator would give
        # the memory to the next batch before the step has read the tensors.
        for tensor in tensors_of(batch):
            if tensor.is_cuda:
                tensor.record_stream(here)
        return batch

    def _finish(self, losses: Losses) -> Dict[str, Tensor]:
        """Take over the gradients, and update if it is time."""
        work, wrapper = self.work, self.wrapper
        assert work.store is not None
        work.store.take(losses.gradients)
        # As the host's update_params; should_update reads the count.
        wrapper._inner_count += 1
        # The next step overwrites the values of a graph.
        outputs = dict(zip(losses.names, losses.values.clone().unbind()))
        if not wrapper.should_update():
            work.store.show(True)
            return outputs
        # Sums wait for the last batch of an update, as under the wrapper's
        # no_sync.
        work.store.reduce()
        self.update.run(self.losses.pool, bool(self.losses.graphs))
        if self.update.failed:
            # The generator has another state object since, see Recording;
            # earlier graphs would draw from the old.
            self.update.failed = False
            self.losses.begin_again()
        if work.norm is not None:
            outputs[wrapper.grad_name] = work.norm.clone()
        return outputs

    def _rest(self, batch: Any) -> Dict[str, Tensor]:
        """Go on as the host does after its data preprocessor."""
        # Not by train_step: the batch would be normalized twice, and mixed by
        # other draws.
        with self.wrapper.optim_context(self.wrapped):
            losses = self.wrapped._run_forward(batch, mode='loss')
        loss, log_vars = self.model.parse_losses(losses)
        self.wrapper.update_params(loss)
        return log_vars

    def _look(self) -> None:
        """Note the layers of the model, and the places of parameters."""
        self._table = watch(self.model, self.trusted)
        self._places = self._table.weights()
        marks = self._table.other_attributes()
        if self._marks is not None:
            marks.settle(self._marks)
        self._marks = marks

    def _changed(self, wrapper: OptimWrapper) -> str:
        """Tell why graphs no longer fit the training."""
        if self._calls == 1:
            # The first step may have made tables of the layers' own.
            self._look()
            # GradScaler makes the tensor in the first step.
            self._scale = self._loss_scale()
        if wrapper is not self.wrapper:
            return 'the training has another optimizer wrapper'
        reason = wrapper_reason(wrapper)
        if reason:
            return reason
        if scaler_of(wrapper) is not self.work.scaler or (
                self._calls and self._loss_scale() is not self._scale):
            return 'the loss scaler was exchanged'
        exchanged = exchanged_method(self.model)
        if exchanged:
            return exchanged
        if guard_of(wrapper) is not self.work.guard:
            return 'the guard of the optimizer wrapper has changed'
        if not self._table.same_layers():
            return 'layers were exchanged, or have hooks or adapters'
        setting = self._table.changed_setting()
        if not setting and self._calls:
            setting = self._marks.changed()
        if setting:
            return f'{setting} of the model has changed'
        # A graph reads parameters and buffers by address.
        if self._table.weights() != self._places:
            return 'parameters or buffers lie elsewhere'
        return ''

    def _loss_scale(self) -> Any:
        """Return the tensor that graphs multiply losses by."""
        return None if self.work.scaler is None else self.work.scaler._scale

    def _excuse(self, error: Exception) -> str:
        """Tell why a step may be tried again in the host's own way."""
        # A process of several must not change the sums of gradients alone: the
        # other processes would wait for ever.
        if isinstance(error, OtherParametersError):
            return '' if self.distributed else str(error)
        if self.work.store is None:
            return f'the first step ended in {in_a_line(error)}'
        if isinstance(error,
                      torch.cuda.OutOfMemoryError) and self.losses.graphs:
            # A graph keeps its memory between replays.
            return '' if self.distributed else (
                'there is not enough memory besides the graphs')
        return ''

    def _agree(self) -> None:
        """Have all processes keep to graphs, or all leave them."""
        slow = self._slow_sums()  # a collective: all processes take part
        reason = self.reason or slow
        if self._any_process(bool(reason)):
            self._leave(reason or OTHER_PROCESS, together=True)

    def _any_process(self, says: bool) -> bool:
        """Tell whether a process of the training says yes."""
        return Vote(1).settle([says])[0] if self.distributed else says

    def _slow_sums(self) -> str:
        """Tell whether sums over processes should overlap the backward."""
        if dist.get_world_size() == 1:
            return ''
        # The longer of both calls includes the capture.
        step = min(self._times[1] - self._times[0],
                   self._times[2] - self._times[1])
        assert self.work.store is not None
        for _ in range(2):  # the first call of a size prepares
            self._wait_for_device()
            start = time.perf_counter()
            # Zeros of equal sizes, as the store may hold gradients of earlier
            # batches.
            for flat in self.work.store.flat.values():
                torch.distributed.all_reduce(torch.zeros_like(flat))
            self._wait_for_device()
            sums = time.perf_counter() - start
        if sums <= MOST_OF_SUMS * step:
            return ''
        return (f'the sum of the gradients over processes takes '
                f'{1e3 * sums:.1f} ms of a step of {1e3 * step:.1f} ms, and '
                'DistributedDataParallel sums during the backward pass')

    def _wait_for_device(self) -> None:
        if self.work.device.type == 'cuda':
            torch.cuda.synchronize(self.work.device)

    def _leave(self, reason: str, together: bool = False) -> None:
        """Go on without graphs.

        Args:
            reason (str): For the log.
            together (bool): Whether all processes leave now. Defaults to
                False: the sums over processes stay the same.

        Raises:
            UserError: By the mode 'on'.
        """
        if self.must:
            raise UserError(
                f"mode='on' of CUDAGraphHook: {reason}; mode='auto' trains "
                'without CUDA graphs then')
        if not self.reason:
            print_log(f'training steps run without CUDA graphs: {reason}',
                      'current', logging.INFO)
        self.reason = reason
        # A single process of several goes on eagerly with the sums of the
        # store, as sums in the host's order would meet others of another size.
        self.left = together or not self.distributed
        if hasattr(self, 'work'):
            self.losses.drop(reason)
            self.update.drop()


def wait_for_tensors(data: Any, side: Any, here: Any) -> None:
    """Let a stream wait for another, if data of the other are to be read.

    Data of the CPU need no wait, and let both streams work side by side.

    Args:
        data (Any): Of a loader; nested tensors.
        side (torch.cuda.Stream): Reads the data.
        here (torch.cuda.Stream): Has made the data.
    """
    tensors = [x for x in tensors_of(data) if x.is_cuda]
    if tensors:
        side.wait_stream(here)
    for tensor in tensors:
        tensor.record_stream(side)
