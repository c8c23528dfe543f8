"""Repetition of a training step, eagerly and with every module watched."""
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, Optional

import torch
from mmengine.model import BaseModel
from mmengine.optim import AmpOptimWrapper
from mmengine.runner.amp import autocast

from .batch_samples import bad_samples, sample_names
from .first_fault import FaultFinder, Finding, bad_parameter, losses_of
from .generators import set_generators


@dataclass
class Step:
    """An iteration of a training, before the forward.

    Args:
        iteration (int): Number, from 1 on.
        batch (Any): Of the loader.
        generators (dict): States of ``generator_states``.
        scale (Tensor, optional): Loss scale. Defaults to None.
        losses (dict[str, float]): As they were. Defaults to {}, not known.
    """

    iteration: int
    batch: Any
    generators: Dict[str, Any]
    scale: Optional[torch.Tensor] = None
    losses: Dict[str, float] = field(default_factory=dict)


@dataclass
class Precision:
    """Mixed precision of a training.

    Args:
        enabled (bool): Whether the forward runs under autocast. Defaults to
            False.
        dtype (str, optional): Such as 'bfloat16'; None is the device's
            own. Defaults to None.
    """

    enabled: bool = False
    dtype: Optional[str] = None

    @classmethod
    def of(cls, wrapper: Any) -> 'Precision':
        """Return the precision of an optimizer wrapper.

        Args:
            wrapper (OptimWrapper): Of a training.

        Returns:
            Precision: The same.
        """
        if not isinstance(wrapper, AmpOptimWrapper):
            return cls()
        dtype = wrapper.cast_dtype
        return cls(True, dtype and str(dtype).rpartition('.')[2])


class _Backward:
    """Stand-in for an optimizer wrapper: a backward without an update."""

    def __init__(self, precision: Precision, scale: float) -> None:
        self.precision, self.scale = precision, scale

    @contextmanager
    def optim_context(self, model: BaseModel) -> Iterator[None]:
        """Run the forward in the precision of the training."""
        with ExitStack() as stack:
            if self.precision.enabled:
                name = self.precision.dtype
                dtype = getattr(torch, name) if name else None
                stack.enter_context(autocast(dtype=dtype))
            yield

    def __getitem__(self, name: str) -> '_Backward':
        return self  # of an OptimWrapperDict

    def scale_loss(self, loss: torch.Tensor) -> torch.Tensor:
        """Return the loss."""
        return loss

    def backward(self, loss: torch.Tensor, **kwargs: Any) -> None:
        """Compute the gradients, scaled as in the training."""
        (loss * self.scale).backward(**kwargs)

    def update_params(self, loss: torch.Tensor, *args: Any) -> None:
        """Compute the gradients."""
        self.backward(loss)

    def step(self, **kwargs: Any) -> None:
        """Leave the weights as they are."""

    zero_grad = step

    def should_update(self) -> bool:
        """Tell that there is no update."""
        return False


@dataclass
class Replay:
    """Outcome of a repeated step.

    Args:
        finding (Finding): Origin of the bad values, or that there are none.
        losses (dict[str, float]): Of the repetition.
    """

    finding: Finding
    losses: Dict[str, float]

    @property
    def module(self) -> str:
        """Dotted name of the first bad module, '' for none."""
        return self.finding.module


def repeat(model: BaseModel, step: Step, precision: Precision) -> Replay:
    """Repeat forward and backward of a step, and find the first bad value.

    The weights stay; gradients, buffers and generators change.

    Args:
        model (BaseModel): Not wrapped, with the weights before the step.
        step (Step): The step.
        precision (Precision): Of the training.

    Returns:
        Replay: The outcome.
    """
    weights = bad_parameter(model)
    for parameter in model.parameters():
        parameter.grad = None
    set_generators(step.generators)
    scale = 1. if step.scale is None else float(step.scale)
    # Not the method of the instance, which may be compiled.
    train_step = type(model).train_step
    with FaultFinder(model) as finder, eager():
        outputs = train_step(model, step.batch, _Backward(precision, scale))
    losses = losses_of(outputs)
    # The earliest cause first: bad weights or a bad batch make the outputs
    # bad.
    finding = weights or _bad_input(step) or finder.output
    # inf - inf and nan - nan are NaN, and NaN differs from 0.
    bad = [name for name, x in losses.items() if x - x != 0]
    if finding is None and bad:
        finding = Finding(
            'all outputs of modules are finite, but not what is computed '
            f'from them: {", ".join(bad)}')
    return Replay(
        finding or finder.gradient() or Finding(
            'the repeated step has finite losses, outputs and gradients: '
            'the fault does not reproduce',
            found=False), losses)


def _bad_input(step: Step) -> Optional[Finding]:
    """Find samples with bad values."""
    bad = bad_samples(step.batch)
    if bad is None:
        return None
    names = sample_names(step.batch)
    named = ', '.join(names[i] for i in bad)
    return Finding(
        'the batch held bad values before the forward'
        f'{": " if named else ""}{named}',
        samples=tuple(bad))


@contextmanager
def eager() -> Iterator[None]:
    """Run compiled functions uncompiled."""
    # Without torch's compiler loaded, nothing is compiled.
    with torch.compiler.set_stance('force_eager'):
        yield
