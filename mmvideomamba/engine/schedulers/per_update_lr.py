"""Schedules with a step per update of the parameters."""
from typing import Any, Dict

from mmengine.optim import CosineAnnealingLR, LinearLR

from mmvideomamba.registry import PARAM_SCHEDULERS


class PerUpdateMixin:
    """Let a scheduler of mmengine count updates instead of iterations.

    With ``accumulative_counts=k`` in the optimizer wrapper, k iterations make
    an update. A scheduler of mmengine moves in each iteration, so an update
    gets the learning rate of the last of k iterations. Here update u has the
    rate of step u, and an epoch of n iterations is ``floor(n / k)`` steps
    long, as published. With ``k = 1``, or by epoch, both are the same.

    Where k does not divide n, mmengine's groups of k iterations run on into
    the next epoch, so a training of E epochs has up to ``E * (k - 1) / k``
    updates more than the schedule, all at the schedule's last rate.

    Without ``convert_to_iter_based``, ``begin``, ``end`` and ``T_max`` are
    updates.

    Args:
        optimizer (OptimWrapper): With the number of accumulated iterations.
        *args: Of the scheduler of mmengine.
        **kwargs: Of the scheduler of mmengine.
    """
    iterations = 0

    def __init__(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        by_epoch = kwargs.get('by_epoch', True)
        self.accumulative_counts = 1 if by_epoch else _counts(optimizer)
        start: Any = super()
        start.__init__(optimizer, *args, **kwargs)

    @classmethod
    def build_iter_from_epoch(cls, *args: Any, epoch_length: int,
                              **kwargs: Any) -> 'PerUpdateMixin':
        """Build a scheduler by update from arguments in epochs.

        Args:
            *args: The optimizer wrapper, unless given by name.
            epoch_length (int): Iterations of an epoch.
            **kwargs: Further arguments, see the class.

        Returns:
            PerUpdateMixin: By update.

        Raises:
            ValueError: If an epoch has fewer iterations than an update.
        """
        counts = _counts(args[0] if args else kwargs['optimizer'])
        if epoch_length < counts:
            raise ValueError(
                f'{cls.__name__}: an epoch of {epoch_length} iterations has '
                f'no update of accumulative_counts={counts}; accumulate less '
                'or train on more samples')
        # Whole updates: mmengine would turn n iterations into n steps.
        build: Any = super()
        return build.build_iter_from_epoch(
            *args, epoch_length=epoch_length // counts, **kwargs)

    def step(self) -> None:
        """Move on, if the last iteration completed an update."""
        if self.iterations % self.accumulative_counts == 0:
            move: Any = super()
            move.step()
        self.iterations += 1

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """Go on with a schedule.

        Args:
            state_dict (dict): From ``state_dict``.

        Raises:
            ValueError: If the schedule counted iterations, or accumulated
                another number of iterations.
        """
        before = state_dict.get('accumulative_counts', 1)
        if before != self.accumulative_counts:
            raise ValueError(
                'the checkpoint has a schedule with a step for every '
                f'{before} iteration(s), but the schedule of the config has a '
                f'step for every {self.accumulative_counts} '
                '(accumulative_counts); resume with the config of the '
                'checkpoint, or start a new training with load_from')
        load: Any = super()
        load.load_state_dict(state_dict)


def _counts(optimizer: Any) -> int:
    """Return the iterations of an update; 1 for a plain optimizer."""
    return getattr(optimizer, '_accumulative_counts', 1)


@PARAM_SCHEDULERS.register_module()
class PerUpdateLinearLR(PerUpdateMixin, LinearLR):
    """``LinearLR`` of mmengine, counted in updates; see the mixin."""


@PARAM_SCHEDULERS.register_module()
class PerUpdateCosineAnnealingLR(PerUpdateMixin, CosineAnnealingLR):
    """``CosineAnnealingLR``, counted in updates; see the mixin."""
