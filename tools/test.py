"""Test a model from a config and a checkpoint."""
import argparse

from mmvideomamba.command_line import (add_config_options, add_run_options,
                                       user_errors)
from mmvideomamba.thread_waits import let_threads_sleep


def build_parser() -> argparse.ArgumentParser:
    """Return the parser, with the options of the hosts' scripts."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_config_options(parser, auto=True)
    parser.add_argument(
        'checkpoint',
        nargs='?',
        default='best',
        help="path or address of the weights; 'best' or 'last' for a file of "
        'the training in the working folder; or such a folder')
    parser.add_argument(
        '--dump',
        metavar='FILE.pkl',
        help='also write the predictions, for an evaluation without the model')
    parser.add_argument(
        '--show-dir', help='folder for pictures or videos of predictions')
    parser.add_argument(
        '--show',
        action='store_true',
        help='show predictions in a window while testing')
    parser.add_argument(
        '--interval',
        type=int,
        default=1,
        help='draw one of this many samples')
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2,
        help='seconds that each window stays')
    parser.add_argument(
        '--tta',
        action='store_true',
        help='test with the tta_model and tta_pipeline of the config')
    parser.add_argument(
        '--views',
        default='all',
        metavar='all|one|N',
        help='views of a video that are scored: those of the config, a single '
        'one, or the middle of N clips')
    add_run_options(parser)
    return parser


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    build_parser().parse_args()
    let_threads_sleep()

from mmengine.config import Config, ConfigDict

from mmvideomamba.command_line import (build_runner, fill_dataloader,
                                       kept_checkpoint, leave_kept_config,
                                       load_config, merge_options, require_run,
                                       set_data_root)
from mmvideomamba.config_check import check_config
from mmvideomamba.inference.views import set_test_views
from mmvideomamba.process_group import leave_process_group


def set_visualization(cfg: Config, args: argparse.Namespace) -> None:
    """Switch on the host's hook for drawing predictions."""
    hook = (cfg.get('default_hooks') or {}).get('visualization')
    if hook is None:
        raise ValueError('--show and --show-dir need a VisualizationHook: '
                         'set default_hooks.visualization in the config')
    hook.update(
        enable=True,
        show=args.show,
        wait_time=args.wait_time,
        out_dir=args.show_dir,
        interval=args.interval)


def set_dump(cfg: Config, path: str) -> None:
    """Add the host's metric for writing predictions to a file."""
    if not path.endswith(('.pkl', '.pickle')):
        raise ValueError(f'--dump {path}: the name must end with .pkl')
    evaluators = cfg.test_evaluator
    if not isinstance(evaluators, (list, tuple)):
        evaluators = [evaluators]
    dump = dict(type='DumpResults', out_file_path=path)
    cfg.test_evaluator = [*evaluators, dump]


def set_tta(cfg: Config) -> None:
    """Wrap the model and swap the pipeline for test-time augmentation."""
    missing = [k for k in ('tta_model', 'tta_pipeline') if not cfg.get(k)]
    if missing:
        raise ValueError(f'--tta: the config has no {" and no ".join(missing)}'
                         '; several views of a video need no --tta, they are '
                         'num_clips and the crops of test_pipeline')
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Write the options of the command line into the config."""
    # The config kept by a resumed training; a resumed test would build the
    # training data and the optimizer.
    cfg.resume = False
    set_data_root(cfg, args.data_root, 'test')
    fill_dataloader(cfg, 'test_dataloader')
    merge_options(cfg, args.cfg_options)
    # After --cfg-options: the options may name the figure that makes a
    # checkpoint the best.
    if 'load_from' not in args.cfg_options:
        cfg.load_from = kept_checkpoint(args.checkpoint, cfg)
    set_test_views(cfg, args.views)
    if args.show or args.show_dir is not None:
        set_visualization(cfg, args)
    if args.dump is not None:
        set_dump(cfg, args.dump)
    if args.tta:
        set_tta(cfg)


def main() -> None:
    """Parse the command line and test."""
    args = build_parser().parse_args()
    with user_errors():
        cfg = load_config(args)
        require_run(cfg, 'test', args.cfg_options)
        merge_args(cfg, args)
        check_config(cfg, training=False)
    with leave_kept_config(cfg):
        runner = build_runner(cfg)
    runner.test()
    leave_process_group()


if __name__ == '__main__':
    main()
