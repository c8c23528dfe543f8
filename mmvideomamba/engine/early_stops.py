"""State of early stopping, in checkpoints."""
from typing import Any, Dict, List

from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from mmengine.runner import Runner

KEY = 'early_stops'  # in a checkpoint


def _early_stops(runner: Runner) -> List[Any]:
    """Return the hooks for early stopping."""
    return [x for x in runner.hooks if isinstance(x, EarlyStoppingHook)]


def count_before_saving(runner: Runner) -> None:
    """Let hooks see the metrics before checkpoint hooks save.

    The host calls ``EarlyStoppingHook`` last, and a checkpoint saved after a
    validation would lack the count.

    Args:
        runner (Runner): The runner of the training.
    """
    stops = _early_stops(runner)
    rest = [x for x in runner.hooks if x not in stops]
    place = next(
        (i for i, x in enumerate(rest) if isinstance(x, CheckpointHook)),
        len(rest))
    # A new list, as the host may be going through the list of before.
    runner._hooks = [*rest[:place], *stops, *rest[place:]]


def gather_early_stops(runner: Runner) -> List[Dict[str, float]]:
    """Return the counts and best scores for a checkpoint.

    Args:
        runner (Runner): The runner of the training.

    Returns:
        list[dict[str, float]]: An entry for each hook.
    """
    return [
        dict(wait_count=x.wait_count, best_score=float(x.best_score))
        for x in _early_stops(runner)
    ]


def restore_early_stops(runner: Runner, found: List[Dict[str, float]]) -> None:
    """Give the hooks the counts and scores of a checkpoint.

    A training stopped early stays finished, unless ``patience`` or
    ``stopping_threshold`` has changed.

    Args:
        runner (Runner): The runner of the resumed training.
        found (list[dict[str, float]]): Of ``gather_early_stops``. Ignored
            for another number of hooks.
    """
    stops = _early_stops(runner)
    if len(stops) != len(found):
        return
    for hook, state in zip(stops, found):
        vars(hook).update(state)
        reached = hook.stopping_threshold is not None and hook.rule_map[
            hook.rule](hook.best_score, hook.stopping_threshold)
        if reached or hook.wait_count >= max(hook.patience, 1):
            runner.train_loop.stop_training = True
            runner.logger.info(
                f'the training ended early by {hook.monitor}, with the best '
                f'score {hook.best_score:.3f}; to go on, change patience or '
                'stopping_threshold of EarlyStoppingHook')
