"""Fast inference of small batches: a forward pass in a single launch."""
from typing import Any, Dict, List, Optional, Tuple

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from .layer_table import LayerTable

# Runs before a capture: kernels compile, libraries allocate a workspace.
_WARM_UP = 2


class _Graph:
    """A captured forward pass with the input and output memory."""

    def __init__(self, module: nn.Module, x: Tensor, pool: Any) -> None:
        # An inference tensor could not be overwritten outside of inference
        # mode.
        with torch.inference_mode(False), torch.no_grad(), torch.autocast(
                'cuda',
                dtype=torch.get_autocast_dtype('cuda'),
                enabled=torch.is_autocast_enabled('cuda'),
                # Cached casts of the weights would be freed under the graph.
                cache_enabled=False):
            self.x = x.clone()
            # torch asks for a warm-up on a side stream before a capture.
            here, side = torch.cuda.current_stream(), torch.cuda.Stream()
            side.wait_stream(here)
            with torch.cuda.stream(side):
                for _ in range(_WARM_UP):
                    _eager(module, self.x)
            here.wait_stream(side)
            self.graph = torch.cuda.CUDAGraph()
            # Threads of a data loader may call CUDA during the capture.
            with torch.cuda.graph(
                    self.graph, pool=pool, capture_error_mode='thread_local'):
                self.outs = _eager(module, self.x)

    def replay(self, x: Tensor) -> Tuple[Tensor, ...]:
        self.x.copy_(x)
        self.graph.replay()
        # The next replay overwrites the outputs.
        return tuple(out.clone() for out in self.outs)


def _eager(module: nn.Module, *args: Any, **kwargs: Any) -> Tuple:
    # The instance's own forward is the stand-in below: a call of the module
    # would come back to the stand-in for ever.
    return type(module).forward(module, *args, **kwargs)


class _GraphedForward:
    """Stand in for a module's forward; see ``graphed``."""

    def __init__(self, module: nn.Module, max_graphs: int) -> None:
        self.module = module
        self.max_graphs = max_graphs
        # Made by the first call: a copy of the module comes without layers.
        self.layers: Optional[LayerTable] = None
        self.told = False
        self._forget()

    def _forget(self, weights: Optional[tuple] = None) -> None:
        self.weights = weights
        self.pool: Any = None
        # None stands for a shape that runs without a graph.
        self.graphs: Dict[tuple, Optional[_Graph]] = {}

    def __getstate__(self) -> dict:
        # Graphs point to the memory of the original: a copy captures anew.
        return dict(module=self.module, max_graphs=self.max_graphs)

    def __setstate__(self, state: dict) -> None:
        _GraphedForward.__init__(self, **state)

    def __call__(self, *args: Any, **kwargs: Any) -> Tuple:
        x: Any = args[0] if len(args) == 1 and not kwargs else None
        if not self._fits(x):
            return _eager(self.module, *args, **kwargs)
        if self.layers is None:
            self.layers = LayerTable(self.module)
        if not self.layers.same_layers():
            self._tell()
            return _eager(self.module, x)
        if not self.layers.same_settings():
            # The graphs compute with the numbers of before.
            self._forget()
            self.layers = LayerTable(self.module)
        # A capture happens on the current device, and the input may be on
        # another.
        with torch.cuda.device(x.device):
            graph = self._graph(x, self.layers.weights())
            if graph is None:
                return _eager(self.module, x)
            return graph.replay(x)

    def _fits(self, x: Optional[Tensor]) -> bool:
        """Tell whether this call may be a replay."""
        return (not torch.compiler.is_compiling() and isinstance(x, Tensor)
                and x.is_cuda and x.numel() > 0 and not self.module.training
                and not torch.is_grad_enabled()
                and not torch.cuda.is_current_stream_capturing())

    def _tell(self) -> None:
        """Say once that changed layers run without graphs; drop the graphs."""
        if not self.told:
            self.told = True
            print_log(
                f'{type(self.module).__name__}: layers were exchanged or have '
                'hooks or adapters; it runs without CUDA graphs', 'current')
        self._forget()

    def _graph(self, x: Tensor, places: List[int]) -> Optional[_Graph]:
        """Find or capture the graph of the input's shape and dtype."""
        parameter = next(self.module.parameters())
        weights = parameter.dtype, parameter.device, places
        if weights != self.weights:
            # The module was moved or cast, or has other weights; the graphs
            # read freed memory.
            self._forget(weights)
        autocast = torch.is_autocast_enabled('cuda')
        key = (x.shape, x.dtype, x.device,
               torch.get_autocast_dtype('cuda') if autocast else None)
        if key not in self.graphs:
            self.graphs[key] = self._capture(x)
        return self.graphs[key]

    def _capture(self, x: Tensor) -> Optional[_Graph]:
        """Capture a graph, unless there are enough of them."""
        if len(self.graphs) >= self.max_graphs:
            print_log(
                f'{type(self.module).__name__}: {self.max_graphs} CUDA graphs '
                f'are captured already; input {tuple(x.shape)} runs without',
                'current')
            return None
        graph = _Graph(self.module, x, self.pool)
        # All graphs share the memory of a pool: a replay hands out copies, and
        # the next replay may overwrite the pool.
        self.pool = graph.graph.pool()
        return graph


def graphed(module: nn.Module, max_graphs: int = 4) -> nn.Module:
    """Replay a module's forward pass as a CUDA graph, where possible.

    Small batches spend the time in launching single kernels. A graph
    launches all kernels at once. The first call with a new shape, dtype or
    autocast setting captures a graph, in the time of about three forward
    passes; a graph keeps the memory of a forward pass.

    Some calls run without a graph, as before: on the CPU, in training mode,
    with gradients enabled, with further arguments (a mask for instance), and
    with exchanged layers, hooks or adapters. Weights may change in place.
    Moving or casting the module, or replacing a parameter's tensor, drops all
    graphs. ``del module.forward`` undoes the call of ``graphed``.

    Args:
        module (nn.Module): Maps a tensor to a tuple of tensors, and reads no
            tensor value on the CPU; ``VideoMamba`` for instance. Changed in
            place.
        max_graphs (int): Graphs to keep at most; inputs of further shapes
            run without. Defaults to 4.

    Returns:
        nn.Module: The same module.

    Raises:
        ValueError: If ``max_graphs`` is not positive.
    """
    if max_graphs < 1:
        raise ValueError(f'max_graphs must be positive, but got {max_graphs}')
    module.forward = _GraphedForward(module, max_graphs)
    return module
