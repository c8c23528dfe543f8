"""Work of a training step, without waiting for the device."""
from contextlib import contextmanager
from typing import (Any, Dict, Iterator, List, NamedTuple, Optional, Sequence,
                    Tuple)

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmvideomamba.engine.float32_rates import float32_rates
from mmvideomamba.engine.guard.generators import (generator_states,
                                                  set_generators)
from mmvideomamba.engine.guard.kept_buffers import KeptBuffers
from mmvideomamba.engine.guard.step_guard import StepGuard
from .fresh_leaves import fresh_leaves
from .gradient_store import GradientStore
from .reasons import guard_of, scaler_of


class Losses(NamedTuple):
    """Result of a forward and a backward pass.

    Attributes:
        names (tuple[str, ...]): Of the values to log.
        values (Tensor): To log, float32 or float64, shape
            (names, ).
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
        distributed (bool): Whether a wrapper of several processes has the
            model. Defaults to False.

    Attributes:
        store (GradientStore, optional): None before the first backward pass.
        norm (Tensor, optional): Norm of the gradients before the last
            clipping, shape (); None if there is none.
        updated (list[nn.Parameter]): Of the optimizer.
    """

    def __init__(self,
                 model: nn.Module,
                 wrapper: OptimWrapper,
                 distributed: bool = False) -> None:
        self.model: Any = model
        self.distributed = distributed
        self.wrapper = wrapper
        self.device = next(model.parameters()).device
        self.guard: Optional[StepGuard] = guard_of(wrapper)
        self.scaler = scaler_of(wrapper)
        self.store: Optional[GradientStore] = None
        self.norm: Optional[Tensor] = None
        self._buffers = KeptBuffers(model)
        self.look_at_groups()

    def attempt(self, batch: Any, rehearse: bool = False) -> Losses:
        """Run forward and backward pass; an error leaves no trace.

        Args:
            batch (Any): Of the data preprocessor.
            rehearse (bool): Whether to run as within a capture. Defaults to
                False.

        Returns:
            Losses: See ``losses``.

        Raises:
            RuntimeError: If a rehearsal finds a module of a distributed
                training with a parameter that is not its own.
        """
        # After an error the batch may run again in another way, and needs the
        # same draws and running statistics.
        generators = generator_states()
        self._buffers.keep()
        try:
            if rehearse and self.distributed:
                return self._with_fresh_leaves(batch, check=True)
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
        parameters = self._parameters()
        loss, log_vars = self._loss(batch)
        # Not backward: DistributedDataParallel sums in hooks of the nodes that
        # write ``grad``, and autograd.grad leaves the nodes out.
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        return self._result(log_vars, parameters, found)

    def captured_losses(self, batch: Any) -> Losses:
        """Run forward and backward pass within a capture.

        Args:
            batch (Any): Of the data preprocessor.

        Returns:
            Losses: See ``losses``.
        """
        if self.distributed:
            return self._with_fresh_leaves(batch)
        return self.losses(batch)

    def _with_fresh_leaves(self, batch: Any, check: bool = False) -> Losses:
        """Run forward and backward pass on other objects for parameters."""
        parameters = self._parameters()
        with fresh_leaves(self.model, parameters) as fresh:
            loss, log_vars = self._loss(batch)
            both = [*fresh, *parameters] if check else fresh
            # Recomputed layers run here once more.
            found = torch.autograd.grad(loss, both, allow_unused=True)
        if any(g is not None for g in found[len(fresh):]):
            raise RuntimeError('a module uses a parameter of another module')
        return self._result(log_vars, parameters, found[:len(fresh)])

    def _parameters(self) -> List[nn.Parameter]:
        """List the parameters that learn."""
        return [p for p in self.model.parameters() if p.requires_grad]

    def _loss(self, batch: Any) -> Tuple[Tensor, Dict[str, Tensor]]:
        """Return the loss for the backward pass, and values to log."""
        model, wrapper = self.model, self.wrapper
        with wrapper.optim_context(model):
            losses = model._run_forward(batch, mode='loss')
        loss, log_vars = model.parse_losses(losses)
        loss = wrapper.scale_loss(loss)
        if self.guard is not None:
            loss = self.guard.spread(loss)
        if self.scaler is not None:
            loss = self.scaler.scale(loss)
        return loss, log_vars

    def _result(self, log_vars: Dict[str, Tensor], of: List[nn.Parameter],
                found: Sequence[Optional[Tensor]]) -> Losses:
        """Collect values to log, and the gradients of used parameters."""
        if any(g is not None and g.layout is not torch.strided for g in found):
            raise RuntimeError('gradients are sparse')
        values = self._values(log_vars)
        used = [p for p, g in zip(of, found) if g is not None]
        if self.store is None:
            self.store = GradientStore(used)
        elif not self.store.of(used):
            raise OtherParametersError(
                'the loss does not depend on the same parameters in each '
                'step')
        return Losses(
            tuple(log_vars), values, [g for g in found if g is not None])

    def _values(self, log_vars: Dict[str, Tensor]) -> Tensor:
        """Join the values to log; a graph would freeze those of the host."""
        for name, x in log_vars.items():
            if not isinstance(x, Tensor) or x.device != self.device:
                raise RuntimeError(f'the value {name} to log is on the host')
        dtypes = {x.dtype for x in log_vars.values()}
        dtype = torch.float64 if torch.float64 in dtypes else torch.float32
        # Joined, since a step then copies all values by a single kernel.
        return torch.stack(
            [x.detach().to(dtype).reshape(()) for x in log_vars.values()])

    def look_at_groups(self) -> None:
        """Note the parameters of the optimizer, before groups are joined."""
        # In the order of the host's norm over all groups.
        self.updated = [
            p for group in self.wrapper.optimizer.param_groups
            for p in group['params']
        ]

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
            p for p in self.updated if p.requires_grad and p.grad is not None
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
