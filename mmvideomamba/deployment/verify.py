"""Exported files against the model in torch: differences and times."""
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence

import torch
from mmaction.structures import ActionDataSample
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmvideomamba.ops.dispatch import available_backends, use_backend
from .interface import Interface
from .program import Format, Outputs
from .wrappers import (BareBackbone, ExportWrapper, WholeClassifier,
                       WholeRecognizer)

LIMIT = 1e-3
# The eager backends timed next to a file.
EAGER = ('numba', 'torch')


def host_outputs(model: Any, wrapper: ExportWrapper, x: Tensor) -> Tensor:
    """Run the test of a model's host on raw pixels.

    Args:
        model (nn.Module): The model, in the mode of evaluation.
        wrapper (ExportWrapper): Of the model.
        x (Tensor): Input of the wrapper.

    Returns:
        Tensor: The first output of the wrapper, computed by the host's
        ``test_step``, shape (b, ...).
    """
    results = []
    for one in x:
        if isinstance(wrapper, WholeClassifier):
            # mmpretrain loads pictures in BGR.
            data = dict(
                inputs=[one.permute(2, 0, 1).flip(0)],
                data_samples=[DataSample()])
        else:
            data = dict(
                inputs=[one.permute(0, 4, 1, 2, 3)],
                data_samples=[ActionDataSample()])
        results.append(model.test_step(data)[0].pred_score)
    found = torch.stack(results)
    if isinstance(wrapper, WholeRecognizer):
        if wrapper.number:
            return found.flatten()
        # The host averages logits here, and leaves the probabilities out.
        if wrapper.average == 'score':
            return found.sigmoid() if wrapper.several else found.softmax(-1)
    return found


def difference(wrapper: ExportWrapper, found: Sequence[Tensor],
               expected: Sequence[Tensor]) -> float:
    """Return the largest difference of outputs, as compared with ``LIMIT``.

    Logits and probabilities differ absolutely, or, where all are below 1, in
    shares of the largest; values and features always in shares of the
    largest. So weights near zero pass no easier than trained ones.

    Args:
        wrapper (ExportWrapper): With the names of the outputs.
        found (Sequence[Tensor]): Outputs of a file.
        expected (Sequence[Tensor]): Outputs of the model.

    Returns:
        float: Infinite for another number of outputs or another shape, and
        NaN for a NaN.
    """
    if [x.shape for x in found] != [x.shape for x in expected]:
        return float('inf')
    largest = [0.]
    for name, a, b in zip(wrapper.output_axes, found, expected):
        scale = float(b.abs().max())
        if name in wrapper.scores:
            scale = min(scale, 1.)
        # An output of zeros must not divide by 0.
        largest.append(float((a - b).abs().max()) / max(scale, 1e-6))
    # max() of Python loses a NaN.
    return float(torch.tensor(largest).max())


class Verifier:
    """Outputs of a model on random frames, to compare files with.

    Args:
        model (nn.Module): The original model, not the plain copy, on the CPU.
        wrapper (ExportWrapper): Of the original model, adapters unmerged.
        interface (Interface): Shapes of the file.

    Raises:
        ValueError: If the wrapper departs from the test of the host.
    """

    def __init__(self, model: nn.Module, wrapper: ExportWrapper,
                 interface: Interface) -> None:
        self.wrapper = wrapper
        self.inputs = [
            wrapper.random_input(free, seed)
            for seed, free in enumerate(interface.trials)
        ]
        with torch.no_grad():
            self.expected: List[Outputs] = [wrapper(x) for x in self.inputs]
            if isinstance(wrapper, BareBackbone):
                return
            host = host_outputs(model, wrapper, self.inputs[0])
        found = difference(wrapper, self.expected[0][:1], [host])
        if not found <= LIMIT:
            raise ValueError(
                f'{type(model).__name__}: the test of the host gives other '
                f'results than the model to be exported (largest difference '
                f'{found:.2g}): its head or preprocessor does more than an '
                'exported file can')

    def difference(self, kind: Format, path: Path) -> float:
        """Run a file and compare the outputs with the model.

        Args:
            kind (Format): Of the file.
            path (Path): The file.

        Returns:
            float: The largest difference over all shapes tried.

        Raises:
            ValueError: If the file does not run.
        """
        outputs = kind.check(path, self.inputs)
        found = [
            difference(self.wrapper, a, b)
            for a, b in zip(outputs, self.expected)
        ]
        return float(torch.tensor(found).max())


def median_times(calls: Dict[str, Callable[[], Any]],
                 rounds: int) -> Dict[str, float]:
    """Time calls in turn.

    Args:
        calls (dict[str, Callable]): Calls by name; each runs once before.
        rounds (int): Rounds; each round times every call once, in turn.

    Returns:
        dict[str, float]: Median seconds by name.
    """
    times: Dict[str, List[float]] = {name: [] for name in calls}
    for index in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            # The first round warms up compilers and caches, and does not
            # count.
            if index:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in times.items()}


def time_files(plain: ExportWrapper,
               files: Dict[str, Callable[[Tensor], Outputs]],
               interface: Interface,
               rounds: int,
               eager: Sequence[str] = EAGER) -> Dict[str, float]:
    """Time files next to the model on each backend, in the same run.

    Args:
        plain (ExportWrapper): The model.
        files (dict[str, Callable]): The opened files by name.
        interface (Interface): Static lengths are kept, free ones are 1.
        rounds (int): See ``median_times``.
        eager (Sequence[str]): Backends; backends unable to run here are left
            out. Defaults to ``EAGER``.

    Returns:
        dict[str, float]: Median seconds for an input, by file or backend.
    """
    x = plain.random_input([length or 1 for length in interface.lengths])
    reasons = available_backends()

    def on_backend(name: str) -> Outputs:
        with torch.no_grad(), use_backend(name):
            return plain(x)

    def of_file(run: Callable[[Tensor], Outputs]) -> Outputs:
        with torch.no_grad():
            return run(x)

    calls: Dict[str, Callable[[], Any]] = {
        f'eager {name}': partial(on_backend, name)
        for name in eager if not reasons[name]
    }
    calls.update({name: partial(of_file, run) for name, run in files.items()})
    return median_times(calls, rounds)
