"""Hook for training steps as CUDA graphs."""
import logging
from typing import Any, Dict, NoReturn, Optional, Sequence

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmvideomamba.engine.step_graph.step import GraphedStep
from mmvideomamba.registry import HOOKS
from mmvideomamba.user_error import UserError

MODES = ('auto', 'on', 'off')


@HOOKS.register_module()
class CUDAGraphHook(Hook):
    """Launch the kernels of a training step as CUDA graphs.

    A step of a small batch takes the time of single launches, not of the
    kernels. The hook replaces ``train_step`` of the model by a
    ``GraphedStep``: losses, gradients, updates and random numbers equal a
    step without graphs to the bit. On a CPU, and on GPUs without NVIDIA's
    graphs, the training steps stay the host's.

    A graph keeps the memory of a step between the steps.

    Args:
        mode (str): 'auto' for graphs where a graph can hold the step, with a
            reason in the log where not; 'on' for an error where not; 'off'.
            Defaults to 'auto'.
        warm_up (int): Steps without graphs for each new shape of a batch.
            Defaults to 3.
        max_graphs (int): Most shapes of batches with a graph. Defaults to 4.
        trusted (Sequence[str]): Further packages whose modules compute the
            same in each step, without counters and values on the host.
            Modules of torch and OpenMMLab need no mention. Defaults to ().

    Raises:
        UserError: If an argument is not allowed.
    """

    # After the guard, which takes over the optimizer wrapper.
    priority = 'NORMAL'

    def __init__(self,
                 mode: str = 'auto',
                 warm_up: int = 3,
                 max_graphs: int = 4,
                 trusted: Sequence[str] = ()) -> None:
        if mode not in MODES:
            _refuse(f'mode of CUDAGraphHook must be one of {list(MODES)}, but '
                    f'is {mode!r}')
        for name, value, least in (('warm_up', warm_up, 2), ('max_graphs',
                                                             max_graphs, 1)):
            if not isinstance(value, int) or value < least:
                _refuse(f'{name} of CUDAGraphHook must be an int of at least '
                        f'{least}, but is {value!r}')
        self.mode = mode
        self.options: Dict[str, Any] = dict(
            warm_up=warm_up, max_graphs=max_graphs, trusted=tuple(trusted))
        self._step: Optional[GraphedStep] = None

    def before_train(self, runner: Runner) -> None:
        """Stand in for the training step of the model.

        Args:
            runner (Runner): The runner.

        Raises:
            ValueError: If graphs are a must and cannot be; a ``UserError``
                where the device has none.
        """
        self._give_back(runner)
        if self.mode == 'off':
            return
        model: Any = runner.model
        device = next(model.parameters()).device
        reason = _device_reason(device)
        if reason and self.mode == 'on':
            _refuse(f"mode='on' of CUDAGraphHook: {reason}; mode='auto' "
                    'trains without CUDA graphs then')
        if reason:
            if device.type != 'cpu':  # nobody expects graphs there
                print_log(f'training steps run without CUDA graphs: {reason}',
                          'current', logging.INFO)
            return
        self._step = GraphedStep(
            model,
            model.train_step,
            runner.optim_wrapper,
            must=self.mode == 'on',
            **self.options)
        model.train_step = self._step

    def after_train(self, runner: Runner) -> None:
        """Give the training step back, and free the memory of the graphs.

        Args:
            runner (Runner): The runner.
        """
        self._give_back(runner)

    def _give_back(self, runner: Runner) -> None:
        own: Any = vars(runner.model)
        step, self._step = self._step, None
        found = own.get('train_step')
        if isinstance(found, GraphedStep):
            # Maybe of an earlier training that ended in an error.
            del own['train_step']
            if found.train_step != runner.model.train_step:
                own['train_step'] = found.train_step  # of another hook
        elif step is not None:
            # Another hook has wrapped the step, and may put it back.
            step.release()


def _refuse(message: str) -> NoReturn:
    """End the training with a line, on the first process alone."""
    raise UserError(message if is_main_process() else '')


def _device_reason(device: torch.device) -> str:
    """Tell why the device of a training has no CUDA graphs."""
    if device.type != 'cuda':
        return f'the model is on the {device.type}, not on a CUDA device'
    if torch.version.hip is not None:
        return 'graphs of AMD GPUs were not tried'
    return ''
