"""The schedule of the published video-text training."""
import math
from typing import Any, List

from mmengine.optim import _ParamScheduler
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin

from mmvideomamba.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class FlooredCosineLR(LRSchedulerMixin, _ParamScheduler):
    """Rise linearly, fall by a cosine, and never go below a floor.

    At step s the learning rate is ``lr * max(floor, s / warmup)``, from the
    end of the warm-up on ``lr * max(floor, (1 + cos(pi * p)) / 2)`` with p
    from 0 to 1. A cosine of mmengine with ``eta_min`` would be scaled to end
    at the minimum instead of being cut off at the minimum.

    Args:
        optimizer (Optimizer | OptimWrapper): The optimizer; each parameter
            group's learning rate is the peak.
        T_max (float): Steps in all, warm-up included; epochs, if by epoch.
        warmup (float): Steps of the warm-up, likewise. Defaults to 0.
        floor (float): Least share of the peak. Defaults to 0.01.
        **kwargs: ``begin``, ``end``, ``last_step``, ``by_epoch`` and
            ``verbose`` of mmengine's schedulers.

    Raises:
        ValueError: If ``warmup`` does not lie in [0, T_max).

    Source: the recipe of VideoMamba, arXiv:2403.06977, Appendix.
    """

    def __init__(self,
                 optimizer: Any,
                 T_max: float,
                 warmup: float = 0,
                 floor: float = 0.01,
                 **kwargs: Any) -> None:
        if not 0 <= warmup < T_max:
            raise ValueError(f'warmup ({warmup}) must lie in [0, T_max), and '
                             f'T_max is {T_max}')
        self.T_max, self.warmup, self.floor = T_max, warmup, floor
        super().__init__(optimizer, **kwargs)

    @classmethod
    def build_iter_from_epoch(cls,
                              *args: Any,
                              T_max: float,
                              epoch_length: int,
                              warmup: float = 0,
                              begin: int = 0,
                              end: int = 1000000000,
                              by_epoch: bool = True,
                              **kwargs: Any) -> 'FlooredCosineLR':
        """Build a schedule by iteration from arguments in epochs.

        Args:
            *args: The optimizer.
            T_max (float): In epochs.
            epoch_length (int): Iterations of an epoch.
            warmup (float): In epochs. Defaults to 0.
            begin (int): First epoch. Defaults to 0.
            end (int): Last epoch.
            by_epoch (bool): Must be True.
            **kwargs: Further arguments.

        Returns:
            FlooredCosineLR: By iteration.
        """
        assert by_epoch, 'only what steps by epochs can be converted'
        if end != 1000000000:
            end = end * epoch_length
        # For a type checker the two asterisks might hold any argument.
        build: Any = cls
        return build(
            *args,
            T_max=T_max * epoch_length,
            warmup=warmup * epoch_length,
            begin=begin * epoch_length,
            end=end,
            by_epoch=False,
            **kwargs)

    def _get_value(self) -> List[float]:
        """Return the learning rate of each parameter group."""
        step = self.last_step
        if step < self.warmup:
            share = step / self.warmup
        else:
            part = min(1., (step - self.warmup) / (self.T_max - self.warmup))
            share = (1 + math.cos(math.pi * part)) / 2
        return [base * max(self.floor, share) for base in self.base_values]
