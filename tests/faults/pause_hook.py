"""Hook to pause a training until a test has sent signals."""
import os
import time
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class PauseHook(Hook):
    """Report the arrival at a hook point, and wait for permission to go on.

    The environment variable ``PAUSE`` names the hook point, a method of hooks,
    and the number of complete iterations. The files ``reached`` and ``go`` lie
    in the folder ``PAUSE_FOLDER``. Without the variables nothing happens.
    """

    def __init__(self) -> None:
        place, iteration = os.environ.get('PAUSE', 'never 0').split()
        folder = Path(os.environ.get('PAUSE_FOLDER', '.'))

        def pause(runner: Any, *args: Any, **kwargs: Any) -> None:
            if runner.iter == int(iteration):
                (folder / 'reached').touch()
                while not (folder / 'go').exists():
                    time.sleep(0.01)

        setattr(self, place, pause)
