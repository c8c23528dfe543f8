"""A driver for Triton: notes launches instead of running kernels."""
import contextlib
import gc
from typing import Any, Callable, Dict, Iterator, List


class Driver:
    """Stands for a GPU; ``launches`` are the arguments of the launcher."""

    def __init__(self) -> None:
        self.device = 0
        self.launches: List[tuple] = []
        self.utils = self

    def get_current_device(self) -> int:
        return self.device

    def get_current_stream(self, device: int) -> int:
        return 100 + device

    def get_current_target(self) -> Any:
        from triton.backends.compiler import GPUTarget
        return GPUTarget('cuda', 90, 32)

    def get_device_properties(self, _: int) -> Dict[str, int]:
        return dict(max_shared_mem=232448)

    def load_binary(self, name: str, *_: Any) -> tuple:
        return object(), f'{name} on {self.device}', 32, 0, 1024

    def unload_module(self, _: Any) -> None:
        pass

    def launcher_cls(self, src: Any, metadata: Any) -> Callable[..., None]:
        return lambda *args: self.launches.append(args)


@contextlib.contextmanager
def noting_driver() -> Iterator[Driver]:
    """Let Triton compile for an H100 and launch nothing in this block."""
    from triton.runtime import driver
    before = dict(vars(driver))
    driver.set_active(Driver())
    try:
        yield driver.active
    finally:
        vars(driver).update(before)


def forget(kernel: Any) -> None:
    """Drop a kernel's compiled launches, before the driver is removed."""
    kernel._compiled.clear()
    kernel.fn.device_caches.clear()
    # Kernels ask the driver to unload them.
    gc.collect()
