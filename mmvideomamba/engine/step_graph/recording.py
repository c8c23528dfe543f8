"""Work of a GPU, captured once and launched as a whole."""
from typing import Any, Callable, Optional

import torch


class Recording:
    """A function whose kernels are captured as a CUDA graph.

    The function runs once, on the host alone: kernels are noted, not
    launched. ``replay`` launches all kernels, on the tensors of the capture.

    Args:
        run (Callable): The function, without arguments.
        pool (Any, optional): Memory shared with other recordings. Defaults
            to None, separate memory.

    Attributes:
        result (Any): Of the function; ``replay`` writes the tensors.

    Raises:
        RuntimeError: If the function waits for the device, or does anything
            else unfit for a graph.
    """

    def __init__(self,
                 run: Callable[[], Any],
                 pool: Optional[Any] = None) -> None:
        self.graph = torch.cuda.CUDAGraph()
        generator = _generator()
        state = generator.get_state()
        try:
            # Other threads, say of a data loader, may call CUDA.
            with torch.cuda.graph(
                    self.graph, pool=pool, capture_error_mode='thread_local'):
                self.result = run()
        except BaseException:
            # Ctrl-C within a capture spoils the generator as an error does.
            _renew(generator, state)
            raise

    def replay(self) -> None:
        """Launch the kernels, on the current stream."""
        self.graph.replay()

    def pool(self) -> Any:
        """Return the memory of the recording, for another."""
        return self.graph.pool()


def _generator() -> torch.Generator:
    """Return the generator of the current GPU."""
    return torch.cuda.default_generators[torch.cuda.current_device()]


def _renew(generator: torch.Generator, state: torch.Tensor) -> None:
    """Free a generator from a failed capture.

    torch leaves the generator in the state of a capture, and the next random
    number outside of a graph would be an error.
    """
    torch.cuda.synchronize()
    fresh = torch.Generator(generator.device)
    fresh.set_state(state)
    generator.graphsafe_set_state(fresh.graphsafe_get_state())
