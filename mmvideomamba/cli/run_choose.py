"""The verb ``choose``."""
import argparse

from mmvideomamba.command_line import user_errors
from mmvideomamba.inference.video_text import VideoTextPredictor
from .log_stream import logs_to_stderr
from .run_ask import check_json, finish, tell_unknown, to_text, to_values


def run(args: argparse.Namespace) -> int:
    """Choose, and write or print the order.

    Args:
        args (argparse.Namespace): See ``choose.add_arguments``.

    Returns:
        int: Exit code 0.

    Raises:
        SystemExit: For a mistake of the user, with a message.
    """
    with user_errors(), logs_to_stderr() as stream:
        check_json(args)
        predictor = VideoTextPredictor(
            args.model, args.device, config=args.config)
        found = predictor.choose(
            args.video, args.options, start=args.start, end=args.end)
        tell_unknown(predictor, args.options)
        text = f'{args.video}\n{to_text(found)}'
        return finish(args, stream, text, dict(options=to_values(found)))
