"""Account of a divergence: origin, replay file, message."""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Optional, Sequence, Union

from mmengine import dist
from mmengine.runner import Runner
from torch import nn

from .batch_samples import sample_names
from .first_fault import Finding, bad_parameter
from .replay import Precision, Replay, Step, repeat
from .replay_file import write_replay

SHOWN = 16  # samples named in the message


@dataclass
class RankReport:
    """Knowledge of a process about a divergence.

    Args:
        rank (int): Of the process.
        finding (Finding): Origin, as far as known.
        step (Step, optional): The bad iteration, without the batch.
            Defaults to None, not known.
        samples (tuple[str, ...]): Names. Defaults to ().
        file (str): A sentence on the replay file. Defaults to ''.
    """

    rank: int
    finding: Finding
    step: Optional[Step] = None
    samples: Sequence[str] = ()
    file: str = ''

    def lines(self) -> List[str]:
        """Return the lines of the message."""
        named = f'Process {self.rank}: ' if dist.get_world_size() > 1 else ''
        lines = [named + self.finding.text]
        if self.samples:
            more = len(self.samples) - SHOWN
            lines.append(f'samples: {", ".join(self.samples[:SHOWN])}' +
                         (f' and {more} more' if more > 0 else ''))
        return lines + ([self.file] if self.file else [])


def loss_text(step: Union[Step, Replay]) -> str:
    """Return the losses of an iteration for a message.

    Args:
        step (Step | Replay): The iteration, or its repetition.

    Returns:
        str: For example 'loss = nan'.
    """
    found = [f'{k} = {v:.6g}' for k, v in step.losses.items()]
    return ', '.join(found) or 'losses unknown'


def find_origin(model: nn.Module, steps: Sequence[Step],
                precision: Precision) -> RankReport:
    """Repeat the steps of a bad update up to the first bad value.

    Args:
        model (nn.Module): Not wrapped, with the weights before the steps.
        steps (Sequence[Step]): Of this process.
        precision (Precision): Of the training.

    Returns:
        RankReport: Of this process.
    """
    finding = Finding('nothing bad in this process', found=False)
    chosen = steps[-1] if steps else None
    # With accumulated batches, any batch of the update can be the origin.
    for step in steps:
        try:
            finding = repeat(model, step, precision).finding
        except Exception as error:  # such as no memory for an eager step
            finding = Finding(
                f'the step could not be repeated: {type(error).__name__}: '
                f'{error}',
                found=False)
        if finding.found:
            chosen = step
            break
    names = sample_names(chosen.batch) if chosen is not None else []
    return RankReport(dist.get_rank(), finding, chosen, names)


def weights_report(model: nn.Module, iteration: int) -> RankReport:
    """Report weights spoilt by an update of finite gradients.

    Args:
        model (nn.Module): Not wrapped.
        iteration (int): The last one, from 1 on.

    Returns:
        RankReport: Of this process.
    """
    found = bad_parameter(model)
    name = found.module if found else ''
    detail = found.text.replace(' was bad before the step',
                                ' is bad') if found else 'in another process'
    return RankReport(
        dist.get_rank(),
        Finding(
            'losses and gradients were finite, but not the weights after the '
            f'update: {detail}', name), Step(iteration, None, {}))


def write_file(runner: Runner, model: nn.Module, own: RankReport,
               steps: Sequence[Step], precision: Precision) -> str:
    """Write a replay file into the work dir.

    Args:
        runner (Runner): The runner.
        model (nn.Module): Not wrapped.
        own (RankReport): Of this process.
        steps (Sequence[Step]): Of the bad update.
        precision (Precision): Of the training.

    Returns:
        str: A sentence: how to repeat the step, or why there is no file.
    """
    if own.step is None or not steps:
        return ''
    path = Path(
        runner.work_dir,
        f'replay_iter_{own.step.iteration}_rank{own.rank}.pth').resolve()
    try:
        write_replay(path, model, runner.cfg, steps, precision,
                     '\n'.join([loss_text(own.step), *own.lines()]))
    except Exception as error:
        # A full disk must not hide the divergence.
        return f'no replay file: {error}'
    return f'repeat the step: python tools/replay_step.py {path}'


def message(runner: Runner, reports: Sequence[RankReport],
            kept_weights: bool) -> str:
    """Write the error of a divergence.

    Args:
        runner (Runner): The runner.
        reports (Sequence[RankReport]): Of the processes concerned.
        kept_weights (bool): Whether the update was left out.

    Returns:
        str: Lines.
    """
    step = next((x.step for x in reports if x.step is not None), None)
    iteration = step.iteration if step is not None else runner.iter + 1
    lines = [
        f'The training has diverged in iteration {iteration}' +
        (f': {loss_text(step)}' if step and step.losses else '')
    ]
    for one in reports:
        lines += one.lines()
    last = runner.message_hub.get_info('last_ckpt', None)
    stays = f'the last checkpoint is {last}' if last else \
        'there is no checkpoint of this run'
    lines.append(('The update was left out: the weights in memory were those '
                  'before it. ' if kept_weights else '') +
                 f'Nothing was saved or removed since; {stays}')
    lines.append(
        'Remedies: a lower learning rate, a longer warm-up, or '
        'optim_wrapper.clip_grad=dict(max_norm=1), from that or an earlier '
        'checkpoint; for a bad sample, mend the file or its line; '
        'default_hooks.guard.max_skipped=N leaves out up to N such steps')
    return '\n  '.join(lines)


def concerned(own: RankReport) -> bool:
    """Tell whether this process holds the origin; all processes call it.

    Args:
        own (RankReport): Of this process.

    Returns:
        bool: Whether the origin was found here. If it was found nowhere,
        whether the process knows the bad iteration.
    """
    everyone: List[Any] = _gather(own.finding.found)
    return own.finding.found if any(everyone) else own.step is not None


def gather_reports(own: Optional[RankReport]) -> List[RankReport]:
    """Gather the reports of the processes concerned; all call it.

    Args:
        own (RankReport, optional): Of this process.

    Returns:
        list[RankReport]: Without batches, by rank.
    """
    if own is not None and own.step is not None:
        # The batch, clips of many MB, would travel to every process.
        own.step = Step(own.step.iteration, None, {}, losses=own.step.losses)
    return [x for x in _gather(own) if x is not None]


def _gather(value: Any) -> List[Any]:
    """Return a value of each process."""
    if dist.get_world_size() == 1:
        return [value]
    return list(dist.all_gather_object(value))
