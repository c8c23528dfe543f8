"""Repeat a training step with bad losses or gradients, from a replay file.

A diverged training writes the file into the work dir. The losses and the
first module with a bad output or gradient are printed.
"""
import argparse

from mmvideomamba.command_line import user_errors


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('file', help='replay_iter_N_rankR.pth of a work dir')
    parser.add_argument(
        '--device',
        default='cpu',
        help='device of the repetition, such as cuda; random draws repeat '
        'on the kind of device of the training. Defaults to cpu')
    parser.add_argument(
        '--trust-config',
        action='store_true',
        help='run a file whose config names types or imports of other '
        'packages, which can run any code: for files of your own')
    return parser


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    build_parser().parse_args()

from mmvideomamba.engine.guard.replay_tool import replay_file


def main() -> None:
    """Parse the command line, repeat the step and print the findings."""
    args = build_parser().parse_args()
    with user_errors():
        text = replay_file(args.file, args.device, args.trust_config)
    print(text)


if __name__ == '__main__':
    main()
