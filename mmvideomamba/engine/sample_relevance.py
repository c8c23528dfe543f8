"""Relevance of the samples that a run draws."""
import logging
from typing import Any, NoReturn, Optional

import numpy as np
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from torch import Tensor
from torch.nn.parallel import DataParallel, DistributedDataParallel

from mmvideomamba.inference.relevance import check_model, relevance
from mmvideomamba.user_error import UserError
from .inner_model import inner_model


class SampleRelevance:
    """Compute the relevance of single samples with the model of a run.

    Weights, their gradients, modes of the modules and random numbers stay as
    they are, and no other process takes part: a training goes on as without.

    Args:
        model (nn.Module): Of a runner; a recognizer or an image classifier
            with a ``VideoMamba``, maybe inside a distributed wrapper.
        method (str): Of ``inference.relevance``.

    Raises:
        UserError: If the method is unknown, or the model has no relevance.
    """

    def __init__(self, model: Any, method: str) -> None:
        self.model = inner_model(model)
        self.method = method
        self._warned = False
        # Shards of weights, and wrappers inside, wait for all processes.
        for wrapper in (model, *self.model.modules()):
            plain = isinstance(wrapper,
                               (DataParallel, DistributedDataParallel))
            if is_model_wrapper(wrapper) and not (plain and wrapper is model):
                _refuse(
                    f'one process alone cannot run the '
                    f'{type(wrapper).__name__}', method)
        try:
            check_model(self.model, method)
        except ValueError as error:
            _refuse(str(error), method)

    def __call__(self, inputs: Tensor, label: int) -> Optional[np.ndarray]:
        """Explain a class of the first view of a sample.

        Args:
            inputs (Tensor): As a test pipeline packs samples: views, shape
                (m, 3, t, h, w), or an image, (3, h, w).
            label (int): The class.

        Returns:
            np.ndarray, optional: Shape (t', h', w'), float32, not negative;
            None, with a warning, where a number overflows.
        """
        views = inputs[:1] if inputs.dim() == 5 else inputs
        found = relevance(self.model, views, label, self.method)[0]
        maps = found.cpu().numpy()
        if np.isfinite(maps).all():
            return maps
        if not self._warned:
            self._warned = True
            print_log(
                f'the {self.method} relevance of a sample is not finite: '
                'pictures of such samples have no relevance. Look at the '
                'losses, and at the weights of the model', 'current',
                logging.WARNING)
        return None


def _refuse(reason: str, method: str) -> NoReturn:
    """End a run with a line, on the first process alone."""
    message = (f'relevance={method!r} of FrameStripHook: {reason}. Without '
               'relevance (None) the hook draws samples of any model')
    raise UserError(message if is_main_process() else '')
