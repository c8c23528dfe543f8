"""Suppression of updates by non-finite losses and gradients."""
import functools
from contextlib import nullcontext
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from mmvideomamba.engine.float32_rates import float32_rates

# Smallest good scale of a GradScaler: below, float16 holds no part of a
# gradient near 1, and the scaler's inverse nears infinity.
SMALLEST_SCALE = 2.**-24
FUSED = (Adam, AdamW, SGD)
_DOUBLE = (torch.float64, torch.complex128)


def not_finite(tensors: Sequence[Tensor], device: torch.device) -> Tensor:
    """Tell whether any value is infinite or no number, on the device.

    The largest absolute value of each tensor is looked at: the L2 norm of
    large finite values would overflow.

    Args:
        tensors (Sequence[Tensor]): Of any shapes.
        device (torch.device): Of the result.

    Returns:
        Tensor: Boolean, shape ().
    """
    values = [x._values() if x.is_sparse else x for x in tensors]
    values = [x.detach() for x in values if x.numel()]
    if not values:
        return torch.zeros((), dtype=torch.bool, device=device)
    double = any(x.dtype in _DOUBLE for x in values)
    dtype = torch.float64 if double else torch.float32
    if device.type == 'cpu' and not any(map(torch.is_complex, values)):
        # A sum is never finite with a bad value, and takes a tenth of the
        # time of a largest value. The sum of large good values can overflow.
        sums = torch.stack([x.sum(dtype=dtype) for x in values])
        if sums.isfinite().all():
            return torch.zeros((), dtype=torch.bool)
    norms = torch._foreach_norm(values, float('inf'))
    largest = torch.stack(
        [x.to(device, dtype, non_blocking=True) for x in norms])
    return ~largest.isfinite().all()


class StepGuard:
    """Keep an optimizer from updates by bad losses and gradients.

    ``backward`` and ``step`` of the optimizer wrappers are taken over:

    - A non-finite loss makes all gradients NaN, and the all-reduce of a
      distributed training tells all processes.
    - Before a step, and before gradients are clipped, the gradients are
      checked on the device. A bad step leaves weights and state of the
      optimizer as they are. Fused optimizers of a GPU read the verdict on
      the device (``found_inf``); with others the host waits for the device.
    - More bad steps than allowed are a fault, and the updates of all later
      steps are suppressed as well.

    Args:
        wrappers (Sequence[OptimWrapper]): Optimizer wrappers of the model.
        device (torch.device): Of the model.
        max_skipped (int): Bad steps without a fault. Defaults to 0.
        max_scaler_skips (int): Bad steps in a row that are a fault under a
            ``GradScaler``; the scaler itself leaves them out. Defaults to 20.
        skipped (int): Bad steps before, of a resumed training. Defaults to 0.
    """

    def __init__(self,
                 wrappers: Sequence[OptimWrapper],
                 device: torch.device,
                 max_skipped: int = 0,
                 max_scaler_skips: int = 20,
                 skipped: int = 0) -> None:
        self.wrappers = list(wrappers)
        self.device = device
        self.scaled = any(_scaler(x) is not None for x in wrappers)
        # A training ends at max_scaler_skips skips in a row, but after
        # max_skipped.
        self.limit = max_scaler_skips - 1 if self.scaled else max_skipped
        self.updates = 0  # iterations with a step, suppressed ones too
        # Changed in place alone: a CUDA graph knows tensors by address.
        # Bad steps, under a scaler those in a row.
        self.count = torch.full((),
                                0 if self.scaled else skipped,
                                device=device)
        flags = torch.zeros(5, dtype=torch.bool, device=device)
        # bad_loss and bad_gradient, side by side, so that a single kernel
        # clears both before an iteration.
        self._iteration = flags[:2]
        self.bad_loss, self.bad_gradient, self.fault, self.suppress = flags[:4]
        self._open = flags[4]  # a bad loss since the last step
        self.stepped = False
        # Whether the host never waits for a verdict.
        self.on_device = True
        self._undo: List[Callable[[], None]] = []

    def begin(self) -> None:
        """Forget the verdict of the last iteration."""
        self._iteration.zero_()
        self.stepped = False

    def record(self) -> Tensor:
        """Return the verdict on the iteration.

        Returns:
            Tensor: Shape (4, ), int64, on the device: 1 for a bad loss, 1
            for a bad gradient, 1 for a fault, and the number of bad steps.
        """
        fault = self.fault
        if not self.scaled:
            # The step that a bad loss awaits will be bad.
            fault = fault | (self.count + self._open > self.limit)
        flags = (self.bad_loss, self.bad_gradient, fault, self.count)
        return torch.stack([x.long() for x in flags])

    def scale(self) -> Optional[Tensor]:
        """Return a copy of the loss scale.

        Returns:
            Tensor: Shape (), on the device; None without a ``GradScaler``.
        """
        for wrapper in self.wrappers:
            scaler = _scaler(wrapper)
            if scaler is not None and scaler._scale is not None:
                return scaler._scale.detach().clone()
        return None

    def attach(self) -> None:
        """Take over ``backward`` and ``step`` of the wrappers."""
        for wrapper in self.wrappers:
            on_device = self._on_device(wrapper)
            self.on_device &= on_device
            self._replace(wrapper, 'backward', self._backward)
            self._replace(wrapper, 'step', self._step, wrapper, on_device)
            if on_device:
                hook = wrapper.optimizer.register_step_pre_hook(self._tell)
                self._undo.append(hook.remove)

    def detach(self) -> None:
        """Give ``backward`` and ``step`` back."""
        while self._undo:
            self._undo.pop()()

    def _replace(self, wrapper: OptimWrapper, name: str,
                 function: Callable[..., None], *args: Any) -> None:
        """Let a function stand in front of a method."""
        original = getattr(wrapper, name)
        before = vars(wrapper).get(name)

        def undo() -> None:
            if before is None:
                delattr(wrapper, name)
            else:
                setattr(wrapper, name, before)

        setattr(
            wrapper, name,
            functools.wraps(original)(functools.partial(
                function, original, *args)))
        self._undo.append(undo)

    def spread(self, loss: Tensor) -> Tensor:
        """Note a bad loss, and let a bad loss spoil all gradients.

        Args:
            loss (Tensor): Shape ().

        Returns:
            Tensor: The loss for the backward pass; gradients of a bad loss
            are NaN.
        """
        bad = ~loss.detach().isfinite().all()
        self.bad_loss |= bad.to(self.device)
        self._open |= self.bad_loss
        # A factor in each step: for a branch the host would wait for the
        # device.
        factor = torch.where(bad, float('nan'), 1.).to(loss.dtype)
        return loss * factor

    def _backward(self, original: Callable[..., None], loss: Tensor,
                  **kwargs: Any) -> None:
        """Spread a bad loss over all gradients."""
        original(self.spread(loss), **kwargs)

    def _step(self, original: Callable[..., None], wrapper: OptimWrapper,
              on_device: bool, **kwargs: Any) -> None:
        """Check the gradients, and step only with good ones."""
        scaler = _scaler(wrapper)
        self._judge(wrapper.optimizer, scaler)
        # The scaler checks the gradients itself, and counts by a step.
        quiet = self.fault if scaler is not None else self.suppress
        if not on_device and bool(quiet):
            return
        rates = float32_rates(wrapper.optimizer) if on_device else \
            nullcontext()
        try:
            with rates:
                original(**kwargs)
        finally:
            # ``_tell`` joins a verdict left behind, so a bad step would
            # suppress all later steps.
            vars(wrapper.optimizer).pop('found_inf', None)

    def _judge(self, optimizer: Optimizer, scaler: Any) -> None:
        """Find bad gradients, and count."""
        gradients = [
            p.grad for group in optimizer.param_groups for p in group['params']
            if p.grad is not None
        ]
        bad = not_finite(gradients, self.device)
        self.bad_gradient |= bad
        bad = bad | self._open
        self.count += bad
        fault = self.count > self.limit
        if scaler is not None:
            # Under a scaler bad steps in a row count: a good step begins anew.
            self.count *= bad
            if scaler._scale is not None:
                fault = fault | (scaler._scale < SMALLEST_SCALE)
        self.fault |= fault
        torch.logical_or(bad, self.fault, out=self.suppress)
        self._open.zero_()
        self.note_step()

    def note_step(self) -> None:
        """Count an update of the iteration, on the host."""
        # Several optimizers can step in an iteration.
        self.updates += not self.stepped
        self.stepped = True

    def _tell(self, optimizer: Any, args: Tuple, kwargs: Dict) -> None:
        """Give the verdict to a fused optimizer, before a step."""
        suppress = self.suppress.float()
        scalers = getattr(optimizer, 'found_inf', None)
        if scalers is not None:
            suppress = torch.maximum(suppress, scalers)
        optimizer.found_inf = suppress

    def _on_device(self, wrapper: OptimWrapper) -> bool:
        """Tell whether the device alone can suppress an update."""
        if self.device.type != 'cuda':
            return False
        # Clipping with the option raises at bad gradients, so the host has to
        # leave the step out before.
        if (wrapper.clip_grad_kwargs or {}).get('error_if_nonfinite'):
            return False
        if use_fused(wrapper.optimizer):
            return True
        print_log(
            f'The guard waits for the device in each step: '
            f'{type(wrapper.optimizer).__name__} cannot be told there to '
            'leave out an update. AdamW, Adam and SGD can (foreach and fused '
            'not set).', 'current')
        return False


def _scaler(wrapper: OptimWrapper) -> Any:
    """Return the GradScaler of a wrapper, None without."""
    scaler = getattr(wrapper, 'loss_scaler', None)
    return scaler if scaler is not None and scaler.is_enabled() else None


def use_fused(optimizer: Optimizer) -> bool:
    """Let an optimizer update by the fused kernels of torch.

    The fused kernels leave out an update by a flag on the device. The state
    is kept: the number of steps moves to the device, and SGD gets momentum
    buffers of zeros in place of none, as the fused kernels leave a new buffer
    unwritten in a suppressed step.

    Args:
        optimizer (Optimizer): Of torch, with its state.

    Returns:
        bool: Whether each group of parameters is updated by a fused kernel.
    """
    groups = optimizer.param_groups
    # A subclass may update in another way.
    if type(optimizer) not in FUSED or not all(map(_fits, groups)):
        return False
    for group in groups:
        # torch refuses fused kernels together with foreach.
        group.update(fused=True, foreach=False)
        for parameter in group['params']:
            state = optimizer.state.get(parameter, {})
            if 'step' in state:
                state['step'] = torch.as_tensor(
                    state['step'], dtype=torch.float32).to(parameter.device)
            if group.get('momentum') and state.get('momentum_buffer') is None:
                optimizer.state[parameter]['momentum_buffer'] = \
                    torch.zeros_like(parameter)
    # GradScaler hands scale and verdict to an optimizer with the flag, and
    # torch sets the flag in the constructor alone.
    if not getattr(optimizer, '_step_supports_amp_scaling', False):
        print_log(
            f'{type(optimizer).__name__} updates by its fused kernels, which '
            'the guard can tell to leave out an update.', 'current')
        setattr(optimizer, '_step_supports_amp_scaling', True)
    return True


def _fits(group: Dict[str, Any]) -> bool:
    """Tell whether a group of parameters can be updated by a fused kernel."""
    refused = group.get('foreach') or group.get('differentiable')
    # A first buffer is the gradient itself, not (1 - dampening) of it.
    if refused or group.get('fused') is False or group.get('dampening'):
        return False
    return all(p.is_cuda and p.is_floating_point() and not p.is_sparse
               for p in group['params'])
