"""The verb ``search serve``."""
import argparse
import socket
import sys
from typing import TextIO

from mmvideomamba.command_line import user_errors
from mmvideomamba.inference import Predictor, VideoTextPredictor
from mmvideomamba.inference.search import VideoIndex
from mmvideomamba.serve.guard import is_loopback
from mmvideomamba.serve.server import (address_of, check_packages,
                                       end_unfinished, listen, run_server)
from mmvideomamba.serve.service import HITS, Service
from .log_stream import logs_to_stderr
from .search_model import load_model


def load_service(args: argparse.Namespace, index: VideoIndex) -> Service:
    """Load the models of the page.

    Args:
        args (argparse.Namespace): See ``search_serve.add_arguments``.
        index (VideoIndex): With videos.

    Returns:
        Service: What the page can do.

    Raises:
        ValueError: If a model does not fit.
    """
    predictor = load_model(args, index.settings)
    index.check_model(predictor)
    classifier = qa = None
    if args.classifier:
        # A view of the frames is enough to look at, and quicker.
        classifier = Predictor(
            args.classifier, args.device, 1, args.workers, views='one')
    if args.qa:
        qa = VideoTextPredictor(
            args.qa,
            args.device,
            batch_size=args.batch_size,
            workers=args.workers)
    return Service(index, predictor, classifier, qa)


def run(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C.

    Args:
        args (argparse.Namespace): See ``search_serve.add_arguments``.

    Returns:
        int: Exit code 0.

    Raises:
        SystemExit: For a mistake of the user, with a message.
    """
    with user_errors(), logs_to_stderr() as stream:
        check_packages()
        index = VideoIndex.open(args.index, searcher=args.searcher)
        index.check_counts(HITS)
        # Ahead of the models: a port in use shows at once.
        held: socket.socket = listen(args.host, args.port)
        with held:
            service = load_service(args, index)
            if not is_loopback(args.host):
                sys.stderr.write(
                    f'warning: all who reach {args.host} see the indexed '
                    'videos, as the page asks for no password\n')
            try:
                run_server(
                    service, held, args.host, args.upload_mb,
                    lambda *_: _tell(stream, address_of(held, args.host)))
            except KeyboardInterrupt:
                pass  # the way to end the command
        sys.stderr.write('the page is closed\n')
        end_unfinished(service)
        return 0


def _tell(stream: TextIO, address: str) -> None:
    """Print the address of the page."""
    stream.write(f'the page: {address} (Ctrl-C ends it)\n')
    # A pipe would hold the line back until the end.
    stream.flush()
