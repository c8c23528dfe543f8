"""Inputs and outputs of all mixers of a model in one pass."""
from contextlib import contextmanager
from typing import Any, Iterator, List, NamedTuple, Optional

from torch import Tensor, nn


class MixerCall(NamedTuple):
    """One call of a mixer.

    Attributes:
        mixer (BiMambaMixer): The mixer.
        x (Tensor): Tokens that the mixer got, class token first, in stored
            order, shape (m, 1 + tokens, c).
        order (Tensor, optional): Temporal-first index, see the mixer.
        y (Tensor): Tokens returned by the mixer, shape of ``x``.
    """
    mixer: Any
    x: Tensor
    order: Optional[Tensor]
    y: Tensor


@contextmanager
def recorded_mixers(backbone: Any) -> Iterator[List[MixerCall]]:
    """Note the calls of all mixers of a backbone.

    The mixers themselves have the hooks, not the layers inside, so fused ops
    stay in use.

    Args:
        backbone (VideoMamba): The backbone.

    Yields:
        list[MixerCall]: Filled by a pass, in the order of the calls.
    """
    calls: List[MixerCall] = []

    def note(mixer: nn.Module, args: tuple, y: Tensor) -> None:
        order = args[1] if len(args) > 1 else None
        calls.append(MixerCall(mixer, args[0], order, y))

    handles = [
        block.mixer.register_forward_hook(note) for block in backbone.layers
    ]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and each part back as it was.

    Args:
        model (nn.Module): The model.
    """
    # By module, as frozen parts of a training are in evaluation mode already.
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
