"""The schedule of the published image runs."""
import math
from typing import Any, List

from mmengine.optim import _ParamScheduler
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin

from mmvideomamba.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class UnshiftedCosineLR(LRSchedulerMixin, _ParamScheduler):
    """Follow a cosine from epoch 0 on, with a warm-up in the first epochs.

    With ``t = max(e - 1, 0)`` for the 0-based epoch e, the learning rate is
    ``warmup_lr + (lr - warmup_lr) * t / warmup`` while ``t < warmup``, then
    ``eta_min + (lr - eta_min) * (1 + cos(pi * t / T_max)) / 2``. The first
    two epochs have the same value, since the published training sets the
    learning rate at the end of an epoch, from the epoch's number.

    A warm-up and a cosine of mmengine give another curve: mmengine's cosine
    starts where the warm-up ends. No chain of mmengine's schedulers gives the
    published curve, so each value is computed from the peak of the parameter
    group.

    Args:
        optimizer (Optimizer | OptimWrapper): The optimizer; each parameter
            group's learning rate is the peak.
        T_max (int): Epochs of half a period, warm-up included.
        eta_min (float): Learning rate at the end of the half period. Not
            multiplied by the ``lr_mult`` of a group. Defaults to 0.
        warmup (int): Epochs of the warm-up. Defaults to 0.
        warmup_lr (float): Learning rate at the start of the warm-up, likewise
            absolute. Defaults to 0.
        **kwargs: ``begin``, ``end``, ``last_step``, ``by_epoch`` and
            ``verbose`` of mmengine's schedulers.

    Raises:
        ValueError: If ``warmup`` does not lie in [0, T_max), or a learning
            rate is negative.

    Source: the recipe of VideoMamba, arXiv:2403.06977, Appendix.
    """

    def __init__(self,
                 optimizer: Any,
                 T_max: int,
                 eta_min: float = 0.,
                 warmup: int = 0,
                 warmup_lr: float = 0.,
                 **kwargs: Any) -> None:
        if not 0 <= warmup < T_max:
            raise ValueError(f'warmup ({warmup}) must lie in [0, T_max), and '
                             f'T_max is {T_max}')
        if min(eta_min, warmup_lr) < 0:
            raise ValueError('eta_min and warmup_lr must not be negative, but '
                             f'are {eta_min} and {warmup_lr}')
        self.T_max = T_max
        self.eta_min = eta_min
        self.warmup = warmup
        self.warmup_lr = warmup_lr
        super().__init__(optimizer, **kwargs)

    def _get_value(self) -> List[float]:
        """Compute the learning rate of each group from the group's peak."""
        t = max(self.last_step - 1, 0)
        if t < self.warmup:
            start, share = self.warmup_lr, t / self.warmup
        else:
            start = self.eta_min
            share = (1 + math.cos(math.pi * t / self.T_max)) / 2
        return [start + (peak - start) * share for peak in self.base_values]
