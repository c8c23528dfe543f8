"""The update of a model's parameters as a CUDA graph."""
import logging
from typing import Any, Callable, List, Optional

from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim import optimizer as module

from .learning_rates import LearningRates
from .loss_graphs import in_a_line
from .work import StepWork

# Optimizers whose fused kernels take a learning rate on the device.
FUSED = (SGD, Adam, AdamW)
# Captures after changed settings of the optimizer. Without a limit an
# optimizer with new settings in each step would be captured in each step.
MOST_CAPTURES = 5


class UpdateGraph:
    """Update by the gradients in a store, after a while by a graph.

    The graph holds all of ``OptimWrapper.step``: the guard's verdict, the
    loss scaler, clipping, and the fused kernels of the optimizer, with equal
    groups of parameters joined.

    Args:
        work (StepWork): The update.
        warm_up (int): Eager updates before the capture.
        record (Callable): Makes a recording of a function.

    Attributes:
        recording (Any): None without a graph.
        reason (str, optional): Why there is no graph; '' if a graph is
            possible, None before the first attempt.
        captures (int): Captures so far.
        failed (bool): Whether a capture ended in an error.
    """

    def __init__(self, work: StepWork, warm_up: int,
                 record: Callable[..., Any]) -> None:
        self.work, self.warm_up, self.record = work, warm_up, record
        self.recording: Any = None
        self.reason: Optional[str] = None
        self.captures = self._updates = 0
        self.failed = False

    def run(self, pool: Any, capture: bool) -> None:
        """Update the parameters.

        Args:
            pool (Any): Memory shared with other graphs.
            capture (bool): Whether a graph may be captured.
        """
        self._updates += 1
        work = self.work
        assert work.store is not None
        work.look_at_groups()
        if self._replay():
            if work.guard is not None:
                # A replay runs no Python of the guard, so the host counts
                # here.
                work.guard.note_step()
            if work.store.waiting():
                work.wrapper.zero_grad()
        elif capture and self._capture(pool):
            # The capture has counted the step, and left the gradients.
            self._replay()
            work.wrapper.zero_grad()
        else:
            work.eager_update()

    def drop(self) -> None:
        """Free the memory of the graph."""
        self.recording = None

    def _replay(self) -> bool:
        """Launch the graph, if the graph is there and up to date."""
        if self.recording is None:
            return False
        reason = self.rates.send()
        if not reason and self._settings() != self.settings:
            reason = 'settings of clipping or of the loss scaler have changed'
        # A loaded state has new tensors, and the graph would go on with the
        # old.
        if not reason and not _same_objects(self._states(), self.states):
            reason = ('parameters, hooks or states of the optimizer are '
                      'others')
        if reason:
            self.recording = None
            self._again(reason)
            return False
        self.recording.replay()
        self.work.norm = self.recording.result
        return True

    def _again(self, reason: str) -> None:
        """Announce another capture, or the end of captures."""
        if self.captures < MOST_CAPTURES:
            _tell(f'the update is captured anew: {reason}')
            return
        self.reason = f'{reason}, the last of {self.captures} changes'
        _tell(f'updates run without a CUDA graph: {self.reason}')

    def _capture(self, pool: Any) -> bool:
        """Capture the update, if the time has come."""
        if self._updates <= self.warm_up:
            return False
        if not self.reason:
            self.reason = _reason(self.work)
            if self.reason:
                _tell(f'updates run without a CUDA graph: {self.reason}')
        if self.reason:
            return False
        self.captures += 1
        self.rates = LearningRates(self.work.wrapper.optimizer,
                                   self.work.device)
        try:
            self.recording = self.record(self._update, pool=pool)
        except Exception as error:
            self.reason = f'the capture ended in {in_a_line(error)}'
            self.failed = True
            self._forget_unscaling()
            _tell(f'updates run without a CUDA graph: {self.reason}')
            return False
        self.states, self.settings = self._states(), self._settings()
        return True

    def _forget_unscaling(self) -> None:
        """Let the scaler begin a step again, which a capture has begun."""
        scaler, optimizer = self.work.scaler, self.work.wrapper.optimizer
        if scaler is not None:
            scaler._per_optimizer_states.pop(id(optimizer), None)
        # GradScaler.step leaves both on a fused optimizer after an error.
        for name in ('found_inf', 'grad_scale'):
            vars(optimizer).pop(name, None)

    def _update(self) -> Optional[Tensor]:
        """Update with few groups; return the norm of the gradients."""
        with self.rates.merged():
            self.work.update()
        return self.work.norm

    def _states(self) -> List[Any]:
        """List the objects that the graph reads besides gradients."""
        scaler, state = self.work.scaler, self.work.wrapper.optimizer.state
        scale = [] if scaler is None else [
            scaler._scale, scaler._growth_tracker
        ]
        return [
            *scale, state, *state.values(), *self.work.updated,
            *_hooks_of(self.work.wrapper.optimizer)
        ]

    def _settings(self) -> Any:
        """Return the numbers of the host that the graph has fixed."""
        wrapper, scaler = self.work.wrapper, self.work.scaler
        return (getattr(wrapper, 'clip_func', None),
                repr(wrapper.clip_grad_kwargs), None if scaler is None else
                (scaler._growth_factor, scaler._backoff_factor,
                 scaler._growth_interval))


def _reason(work: StepWork) -> str:
    """Tell why an update cannot be a graph."""
    wrapper: OptimWrapper = work.wrapper
    optimizer = wrapper.optimizer
    name = type(optimizer).__name__
    if type(optimizer) not in FUSED:
        return f'{name} is not among {", ".join(x.__name__ for x in FUSED)}'
    if not all(group.get('fused') for group in optimizer.param_groups):
        return f'{name} does not update by its fused kernels'
    step = vars(optimizer).get('step')
    # Schedulers of mmengine and of torch wrap step by a counter of calls.
    if step is not None and not hasattr(step, '_with_counter') and not hasattr(
            step, '_wrapped_by_lr_sched'):
        return f'step of {name} was exchanged'
    own = [] if work.guard is None else [work.guard._tell]
    if any(x not in own for x in _hooks_of(optimizer)):
        return f'{name} has hooks'
    if work.guard is not None and not work.guard.on_device:
        return 'the guard waits for the device before each update'
    if (wrapper.clip_grad_kwargs or {}).get('error_if_nonfinite'):
        return 'clip_grad.error_if_nonfinite waits for the device'
    return ''


def _hooks_of(optimizer: Optimizer) -> List[Any]:
    """List the functions that run before and after each update."""
    return [
        *optimizer._optimizer_step_pre_hooks.values(),
        *optimizer._optimizer_step_post_hooks.values(),
        *module._global_optimizer_pre_hooks.values(),
        *module._global_optimizer_post_hooks.values()
    ]


def _same_objects(some: List[Any], others: List[Any]) -> bool:
    """Tell whether two lists hold the same objects."""
    return len(some) == len(others) and all(x is y
                                            for x, y in zip(some, others))


def _tell(text: str) -> None:
    print_log(text, 'current', logging.INFO)
