#!/usr/bin/env python
"""Evaluate predictions dumped by ``tools/test.py --dump FILE.pkl``.

The metrics come from the config's ``test_evaluator``, so windows of long
videos are merged here too. No model runs, and no code in the dump.
"""
import argparse
from typing import Any, Dict, List

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
from mmvideomamba.command_line import add_config_options, user_errors


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add_config_options(parser)
    parser.add_argument('dump', metavar='FILE.pkl')
    return parser


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    build_parser().parse_args()

from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope

from mmvideomamba import checkpoints
from mmvideomamba.command_line import default_scope, find_config, merge_options

NEEDED = ('pred_score', 'gt_label')


def read_dump(path: str) -> List[dict]:
    """Read a file of predictions.

    Args:
        path (str): A .pkl file.

    Returns:
        list[dict]: A dict per sample.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file holds something else.
    """
    samples = checkpoints.read_dump(path)
    if not isinstance(samples, list) or not samples or not all(
            isinstance(one, dict) for one in samples):
        raise ValueError(f'dump {path} is not a list of samples; '
                         'tools/test.py --dump writes one')
    missing = [key for key in NEEDED if key not in samples[0]]
    if missing:
        raise ValueError(f'the samples of dump {path} have no '
                         f'{" and no ".join(missing)}; they have '
                         f'{", ".join(samples[0])}')
    return samples


def evaluate(cfg: Config, path: str) -> Dict[str, Any]:
    """Evaluate a dump.

    Args:
        cfg (Config): The config of the test.
        path (str): The dump.

    Returns:
        dict[str, Any]: The figures by name.

    Raises:
        FileNotFoundError: If the dump does not exist.
        ValueError: If the dump does not hold predictions.
    """
    samples = read_dump(path)
    init_default_scope(default_scope(cfg))
    return Evaluator(cfg.test_evaluator).offline_evaluate(samples)


def main() -> None:
    """Parse the command line and print the figures."""
    args = build_parser().parse_args()
    with user_errors():
        cfg = Config.fromfile(find_config(args.config))
        merge_options(cfg, args.cfg_options)
        for name, value in evaluate(cfg, args.dump).items():
            print(f'{name}: {value:.6g}')


if __name__ == '__main__':
    main()
