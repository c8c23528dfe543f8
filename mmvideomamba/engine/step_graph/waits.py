"""Search for waits of a program for the device."""
import warnings
from typing import Any

import torch

_WARNING = 'called a synchronizing'


class Waits:
    """Find the first line of a block to wait for the device.

    Use as a context.

    Args:
        device (torch.device): On others than CUDA devices nothing is found.

    Attributes:
        found (str): File and line, after the block; '' for none.
    """

    def __init__(self, device: torch.device) -> None:
        self.watch = device.type == 'cuda'
        self.found = ''

    def __enter__(self) -> 'Waits':
        if self.watch:
            self._mode = torch.cuda.get_sync_debug_mode()
            self._catch = warnings.catch_warnings(record=True)
            self._caught: Any = self._catch.__enter__()
            # Python is silent about a line with an earlier warning.
            warnings.simplefilter('always')
            torch.cuda.set_sync_debug_mode('warn')
        return self

    def __exit__(self, *error: Any) -> None:
        if not self.watch:
            return
        torch.cuda.set_sync_debug_mode(self._mode)
        self._catch.__exit__(*error)
        for warning in self._caught:
            if _WARNING in str(warning.message):
                self.found = f'{warning.filename}, line {warning.lineno}'
                return
