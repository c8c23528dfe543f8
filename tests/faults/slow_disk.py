"""Hook for a disk with endless writes."""
import time
from pathlib import Path
from typing import Any

from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class SlowDisk(Hook):
    """Let the write of a checkpoint stop halfway.

    Args:
        name (str): Name of the checkpoint.
    """

    def __init__(self, name: str) -> None:
        put = LocalBackend.put

        def half_put(backend: Any, content: bytes, path: str) -> None:
            if Path(path).name.startswith(name):
                Path(path).write_bytes(content[:len(content) // 2])
                time.sleep(900)
            put(backend, content, path)

        LocalBackend.put = half_put
