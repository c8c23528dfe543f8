"""Train a model from a config: recognizers, classifiers, pretraining."""
import argparse
import logging
import os
import signal
from typing import Any


def end_early(number: int, frame: Any) -> None:
    """End at a signal before there is anything to save."""
    name = signal.Signals(number).name
    # PREEMPTED and INTERRUPTED of mmvideomamba.exit_codes: a signal may come
    # before the package is imported.
    status = 130 if number == signal.SIGINT else 75
    os.write(2, f'{name}: no step to save; exit code {status}\n'.encode())
    os._exit(status)


# The imports take seconds, and then PreemptionHook takes the signals over.
if __name__ == '__main__':
    for signal_name in ('SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGHUP'):
        early = getattr(signal, signal_name, None)
        if early and signal.getsignal(early) is not signal.SIG_IGN:
            signal.signal(early, end_early)

from mmvideomamba.command_line import (add_config_options, add_run_options,
                                       user_errors)
from mmvideomamba.thread_waits import let_threads_sleep


def build_parser() -> argparse.ArgumentParser:
    """Return the parser, with the options of the hosts' scripts."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_config_options(parser, auto=True)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from a checkpoint; without a path, from the last one in '
        'the working folder; if there is none, the training begins with '
        'load_from of the config')
    parser.add_argument(
        '--force',
        action='store_true',
        help='train in a working folder that another training holds')
    parser.add_argument(
        '--amp',
        action='store_true',
        help='train in mixed precision (needs an accelerator)')
    parser.add_argument(
        '--no-validate',
        action='store_true',
        help='do not validate during training')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the batch size, relative to '
        'auto_scale_lr.base_batch_size of the config')
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument(
        '--diff-rank-seed',
        action='store_true',
        help='give each process its own seed')
    parser.add_argument(
        '--deterministic',
        action='store_true',
        help='use deterministic CUDA kernels')
    add_run_options(parser)
    return parser


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    build_parser().parse_args()
    let_threads_sleep()

from mmengine.config import Config
from mmengine.logging import print_log

from mmvideomamba.command_line import (build_runner, fill_dataloader,
                                       load_config, merge_options, require_run,
                                       set_data_root)
from mmvideomamba.config_check import check_config
from mmvideomamba.engine.resume_point import FIRST_WEIGHTS
from mmvideomamba.engine.work_dir_lock import WorkDirLock
from mmvideomamba.process_group import leave_process_group
from mmvideomamba.user_error import UserError


def set_precision(cfg: Config) -> None:
    """Let the optimizer wrapper train in mixed precision."""
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(f'--amp: optim_wrapper.type is {kind!r}, which has '
                         'no mixed-precision form; use OptimWrapper')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def set_randomness(cfg: Config, args: argparse.Namespace) -> None:
    """Let the command line's seed options win over the config."""
    given = dict(
        seed=args.seed,
        diff_rank_seed=args.diff_rank_seed or None,
        deterministic=args.deterministic or None)
    randomness = dict(cfg.get('randomness') or dict(seed=None))
    randomness.update((k, v) for k, v in given.items() if v is not None)
    cfg.randomness = randomness


def set_resume(cfg: Config, resume: str) -> None:
    """Resume a given checkpoint, or the newest one.

    Args:
        cfg (Config): Of the training.
        resume (str): A file, or 'auto' for the newest checkpoint of the
            working folder; without any the training begins with ``load_from``
            of the config.
    """
    first = cfg.get('load_from')
    cfg.resume = True
    cfg.load_from = None if resume == 'auto' else resume
    if resume != 'auto' or not first:
        return
    cfg[FIRST_WEIGHTS] = first
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    if 'SafeCheckpointHook' not in str(hook.get('type')):
        print_log(
            f'--resume leaves load_from={first!r} out, unless '
            'default_hooks.checkpoint is a mmvideomamba.SafeCheckpointHook: '
            'the host knows one of the two.',
            logger='current',
            level=logging.WARNING)


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Write the options of the command line into the config."""
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        set_precision(cfg)
    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise ValueError('--auto-scale-lr: the config has no '
                             'auto_scale_lr.base_batch_size')
        cfg.auto_scale_lr.enable = True
    set_randomness(cfg, args)
    set_data_root(cfg, args.data_root, 'train',
                  *(() if args.no_validate else ('val', )))
    fill_dataloader(cfg, 'train_dataloader')
    fill_dataloader(cfg, 'val_dataloader')
    merge_options(cfg, args.cfg_options)
    # Last: load_from may be one of the options.
    if args.resume is not None:
        set_resume(cfg, args.resume)


def refuse_held_work_dir(cfg: Config, force: bool) -> None:
    """End if another training holds the folder, before a file is written."""
    hook = (cfg.get('default_hooks') or {}).get('work_dir_lock')
    if hook is None:
        return
    hook.force = force or hook.get('force', False)
    try:
        WorkDirLock(cfg.work_dir).check(hook.force)
    except UserError:
        ranks = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
        if any(int(os.environ.get(name, 0)) for name in ranks):
            raise UserError() from None  # the first process tells
        raise


def main() -> None:
    """Parse the command line and train."""
    args = build_parser().parse_args()
    with user_errors():
        cfg = load_config(args)
        require_run(cfg, 'train', args.cfg_options)
        if not args.no_validate:
            require_run(cfg, 'val', args.cfg_options)
        merge_args(cfg, args)
        check_config(cfg, training=True)
    refuse_held_work_dir(cfg, args.force)
    build_runner(cfg).train()
    leave_process_group()


if __name__ == '__main__':
    main()
