"""The model of a search."""
import argparse
import os

from mmvideomamba.inference import VideoTextPredictor
from mmvideomamba.inference.search.settings import Settings


def source_of(args: argparse.Namespace) -> str:
    """Name the model for any folder of work.

    Args:
        args (argparse.Namespace): See ``search_index.add_model``.

    Returns:
        str: An absolute path, or the name of a published model.
    """
    return (os.path.abspath(args.model)
            if os.path.exists(args.model) else args.model)


def load_model(args: argparse.Namespace,
               settings: Settings) -> VideoTextPredictor:
    """Load the model of a command, or the model of the index.

    Args:
        args (argparse.Namespace): See ``search_index.add_model``.
        settings (Settings): Of the index.

    Returns:
        VideoTextPredictor: The model.

    Raises:
        ValueError: If no model is named, or the model of the index is gone.
    """
    if args.model:
        return VideoTextPredictor(
            args.model,
            args.device,
            config=args.config,
            batch_size=args.batch_size,
            workers=args.workers)
    name = settings.model
    if not name:
        raise ValueError('the index does not name its model; give --model')
    if os.path.isabs(name) and not os.path.exists(name):
        raise ValueError(f'the model of the index, {name}, is no longer '
                         'there; give --model')
    return VideoTextPredictor(
        name,
        args.device,
        config=args.config or settings.config,
        batch_size=args.batch_size,
        workers=args.workers)
