"""Search for the first module with a bad output or gradient."""
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

import torch
from torch import Tensor, nn

from .batch_samples import is_bad, tensors_in


@dataclass
class Finding:
    """Origin of a bad loss or gradient.

    Args:
        text (str): A sentence.
        module (str): Dotted name of the module. Defaults to '', none.
        samples (tuple[int, ...]): Places of bad samples in the batch.
            Defaults to ().
        found (bool): Whether an origin was found. Defaults to True.
    """

    text: str
    module: str = ''
    samples: Tuple[int, ...] = ()
    found: bool = True


def describe(value: Tensor) -> str:
    """Count the bad values of a tensor.

    Args:
        value (Tensor): With bad values.

    Returns:
        str: For example '3 of 128 values are nan, 1 inf'.
    """
    value = value.detach()
    nan, inf = int(value.isnan().sum()), int(value.isinf().sum())
    parts = [f'{n} {name}' for n, name in ((nan, 'nan'), (inf, 'inf')) if n]
    return f'{" and ".join(parts)} among {value.numel()} values'


def bad_parameter(model: nn.Module) -> Optional[Finding]:
    """Find the first parameter with bad values.

    Args:
        model (nn.Module): Not wrapped.

    Returns:
        Finding: The parameter; None if all are finite.
    """
    for name, value in model.named_parameters():
        if is_bad(value):
            return Finding(
                f'the parameter {name} was bad before the step '
                f'({describe(value)})',
                module=name.rpartition('.')[0])
    return None


class FaultFinder:
    """Watch a forward and a backward for the first bad value.

    Use as a context. An op for several submodules, such as the op of the
    mixer, counts as the module around the op.

    Args:
        model (nn.Module): Not wrapped.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.output: Optional[Finding] = None
        self.names: Dict[nn.Module, str] = {}
        self._first: Optional[Tensor] = None  # the first bad gradient
        self._places: List[Tuple[str, str]] = []  # roles and modules
        self._handles: List[Any] = []

    def __enter__(self) -> 'FaultFinder':
        for name, module in self.model.named_modules():
            if not name:
                continue
            self.names[module] = name
            self._handles += [
                module.register_forward_pre_hook(
                    self._before, with_kwargs=True),
                module.register_forward_hook(self._after)
            ]
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                self._watch(parameter, 'parameter', name)
        return self

    def __exit__(self, *error: Any) -> None:
        for handle in self._handles:
            handle.remove()

    def gradient(self) -> Optional[Finding]:
        """Return the first module in backward order with a bad gradient.

        Returns:
            Finding: The module; None if all gradients are finite.
        """
        if self._first is None:
            return None
        how = describe(self._first)
        role, name = self._places[0]
        if role == 'parameter':
            return Finding(
                f'all outputs are finite; the first bad gradient is of the '
                f'parameter {name} ({how})',
                name.rpartition('.')[0])
        # Modules contain modules; the innermost took in the tensor.
        users = [x for role, x in self._places if role == 'input']
        users = [
            x for x in dict.fromkeys(users)
            if not any(y.startswith(f'{x}.') for y in users)
        ]
        if users:
            return Finding(
                'all outputs are finite; the first bad gradient is of the '
                f'input of {" or ".join(map(self._titled, users))} ({how})',
                users[-1])
        return Finding(
            'all outputs are finite; the first bad gradient is of the output '
            f'of {self._titled(name)} ({how}), in what is computed from it '
            'outside of modules', name)

    def _titled(self, name: str) -> str:
        """Name a module with its class."""
        module = dict(self.model.named_modules())[name]
        return f'{name} ({type(module).__name__})'

    def _before(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        for value in tensors_in([args, kwargs]):
            # Parameters, leaves of autograd, are watched by name.
            if value.requires_grad and not value.is_leaf:
                self._watch(value, 'input', self.names[module])

    def _after(self, module: nn.Module, args: Any, output: Any) -> None:
        name = self.names[module]
        for value in tensors_in(output):
            if self.output is None and is_bad(value):
                before = any(map(is_bad, tensors_in(args)))
                self.output = Finding(
                    f'the first bad output is of {self._titled(name)} '
                    f'({describe(value)}), whose input '
                    f'{"is bad as well" if before else "is finite"}', name)
            if value.requires_grad and not value.is_leaf:
                self._watch(value, 'output', name)

    def _watch(self, value: Tensor, role: str, name: str) -> None:
        """Look at the gradient of a tensor when it is computed."""

        def look(gradient: Tensor) -> None:
            # The hooks of a tensor see the same gradient, one after another.
            if self._first is None and is_bad(gradient):
                self._first = gradient
            if self._first is gradient:
                self._places.append((role, name))

        self._handles.append(value.register_hook(look))


def losses_of(outputs: Dict[str, Any]) -> Dict[str, float]:
    """Read the losses of an iteration.

    Args:
        outputs (dict): Values to log.

    Returns:
        dict[str, float]: Values whose names hold 'loss'.
    """
    return {
        name: float(torch.as_tensor(value).detach().float().mean())
        for name, value in outputs.items() if 'loss' in name
    }
