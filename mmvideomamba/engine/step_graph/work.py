"""Work of a training step, without waiting for the device."""
from contextlib import contextmanager
from typing import Any, Iterator, List, NamedTuple, Optional, Tuple

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmvideomamba.engine.float32_rates import float32_rates
from mmvideomamba.engine.guard.generators import (generator_states,
                                                  set_generators)
from mmvideomamba.engine.guard.kept_buffers import KeptBuffers
from mmvideomamba.engine.guard.step_guard import StepGuard
from .gradient_store import GradientStore
from .reasons import guard_of, scaler_of


class Losses(NamedTuple):
    """Result of a forward and a backward pass.

    Attributes:
        names (tuple[str, ...]): Of the values to log.
        values (Tensor): To log, float32, shape (names, ).
        gradients (list[Tensor]): Of the parameters in use.
    """
    names: Tuple[str, ...]
    values: Tensor
    gradients: List[Tensor]


class OtherParametersError(RuntimeError):
    """A loss of other parameters than before."""


class StepWork:
    """Forward pass, backward pass and update of a training step.

    As the host's ``train_step`` and ``update_params``, with two differences:
    gradients go to a ``GradientStore``, and the norm of clipped gradients
    stays on the device.

    Args:
        model (nn.Module): Not wrapped.
        wrapper (OptimWrapper): Optimizer wrapper of the training.

    Attributes:
        store (GradientStore, optional): None before the first backward pass.
        norm (Tensor, optional): Norm of the gradients before the last
            clipping, shape (); None if there is none.
    """

    def __init__(self, model: nn.Module, wrapper: OptimWrapper) -> None:
        self.model: Any = model
        self.wrapper = wrapper
        self.device = next(model.parameters()).device
        self.guard: Optional[StepGuard] = guard_of(wrapper)
        self.scaler = scaler_of(wrapper)
        self.store: Optional[GradientStore] = None
        self.norm: Optional[Tensor] = None
        self._buffers = KeptBuffers(model)
        # In the order of the host's norm over all groups.
        self._clipped = [
            p for group in wrapper.optimizer.param_groups
            for p in group['params']
        ]

    def attempt(self, batch: Any) -> Losses:
        """Run forward and backward pass; an error leaves no trace.

        Args:
            batch (Any): Of the data preprocessor.

        Returns:
            Losses: See ``losses``.
        """
        generators = generator_states()
        self._buffers.keep()
        try:
            return self.losses(batch)
        except Exception:
            set_generators(generators)
            self._buffers.restore(
                torch.ones((), dtype=torch.bool, device=self.device))
            raise

    def losses(self, batch: Any) -> Losses:
        """Run forward and backward pass.

        Args:
            batch (Any): Of the data preprocessor.

        Returns:
            Losses: Values to log, and gradients.

        Raises:
            OtherParametersError: If the loss does not depend on the
                parameters of the first batch.
        """
        model, wrapper = self.model, self.wrapper
        with wrapper.optim_context(model):
            losses = model._run_forward(batch, mode='loss')
        loss, log_vars = model.parse_losses(losses)
        loss = wrapper.scale_loss(loss)
        if self.guard is not None:
            loss = self.guard.spread(loss)
        if self.scaler is not None:
            loss = self.scaler.scale(loss)
        parameters = [p for p in model.parameters() if p.requires_grad]
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        if any(g is not None and g.layout is not torch.strided for g in found):
            raise RuntimeError('gradients are sparse')
        used = [p for p, g in zip(parameters, found) if g is not None]
        if self.store is None:
            self.store = GradientStore(used)
        elif not self.store.of(used):
            raise OtherParametersError(
                'the loss does not depend on the same parameters in each '
                'step')
        values = [x.detach().float().reshape(()) for x in log_vars.values()]
        return Losses(
            tuple(log_vars), torch.stack(values),
            [g for g in found if g is not None])

    def update(self) -> None:
        """Clip, and update the parameters by the gradients in the store."""
        assert self.store is not None
        self.norm = None
        self.store.show(True)
        with self._clipping():
            self.wrapper.step()

    def eager_update(self) -> None:
        """Update as a graph does, and take the gradients away."""
        with float32_rates(self.wrapper.optimizer):
            self.update()
        self.wrapper.zero_grad()

    def _clip(self) -> None:
        """Clip the gradients, and keep their norm on the device."""
        params = [
            p for p in self._clipped if p.requires_grad and p.grad is not None
        ]
        if params:
            self.norm = self.wrapper.clip_func(params,
                                               **self.wrapper.clip_grad_kwargs)

    @contextmanager
    def _clipping(self) -> Iterator[None]:
        """Replace the wrapper's method, as the method waits for the norm."""
        vars(self.wrapper)['_clip_grad'] = self._clip
        try:
            yield
        finally:
            vars(self.wrapper).pop('_clip_grad', None)
