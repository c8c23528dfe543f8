"""The verb ``search query``."""
import argparse
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from mmvideomamba.atomic_file import write_file
from mmvideomamba.command_line import user_errors
from mmvideomamba.inference.predictor.tables import check_table
from mmvideomamba.inference.search import Hits, VideoIndex
from mmvideomamba.inference.search.hits import (to_csv, to_json, to_text,
                                                unknown_note)
from .log_stream import logs_to_stderr
from .search_model import load_model

FORMATS = ('.json', '.csv')


def check_query(args: argparse.Namespace) -> None:
    """Refuse a command with no query, or with several.

    Args:
        args (argparse.Namespace): See ``search_query.add_arguments``.

    Raises:
        ValueError: If the words do not fit each other.
    """
    given = [args.sentence, args.class_name, args.video]
    if sum(one is not None for one in given) != 1:
        raise ValueError('give either a sentence, --class or --video')
    if args.templates and args.class_name is None:
        raise ValueError('--templates are prompts of a class; give --class')
    if args.out and (args.json or args.csv):
        raise ValueError('--json and --csv are for the standard output; the '
                         'ending of --out is the form of the file')
    if args.rerank and args.sentence is None:
        raise ValueError('--rerank needs a sentence, which the judge reads; '
                         'leave it out with --class and --video')


def find(index: VideoIndex, predictor: Any, args: argparse.Namespace) -> Hits:
    """Search.

    Args:
        index (VideoIndex): Where.
        predictor (VideoTextPredictor): The model.
        args (argparse.Namespace): See ``search_query.add_arguments``.

    Returns:
        Hits: The best first.

    Raises:
        ValueError: If the query cannot be read.
    """
    if args.video is not None:
        one, = predictor.embed_videos([args.video],
                                      window=index.settings.window,
                                      stride=index.settings.stride)
        if one.error is not None:
            raise ValueError(one.error)
        return index.neighbours(one.vectors, args.topk, args.per_video,
                                [args.video])
    query, notes = args.sentence, []
    if args.class_name is not None:
        query = predictor.embed_class(args.class_name, args.templates)
        notes = unknown_note(predictor.unknown_words([args.class_name]))
    hits = index.query(query, args.topk, args.rerank, predictor,
                       args.per_video)
    hits.notes += notes
    return hits


def write(hits: Hits, args: argparse.Namespace, stream: TextIO) -> None:
    """Write hits in the wanted form.

    Args:
        hits (Hits): The best first.
        args (argparse.Namespace): See ``search_query.add_arguments``.
        stream (TextIO): The standard output.
    """
    ending = Path(args.out).suffix if args.out else ''
    as_json, as_csv = args.json or ending == '.json', args.csv or ending
    form = to_json if as_json else to_csv if as_csv else to_text
    # Names of other bytes than UTF-8 hold surrogates, refused by files.
    text = form(hits).encode('utf-8', 'backslashreplace')
    if args.out:
        write_file(args.out, text)
    else:
        stream.write(text.decode())


def run(args: argparse.Namespace) -> int:
    """Search, and write or print the hits.

    Args:
        args (argparse.Namespace): See ``search_query.add_arguments``.

    Returns:
        int: Exit code 0.

    Raises:
        SystemExit: For a mistake of the user, with a message.
    """
    with user_errors(), logs_to_stderr() as stream:
        check_query(args)
        index = VideoIndex.open(args.index, searcher=args.searcher)
        index.check_counts(args.topk, args.rerank, args.per_video)
        if args.video is not None and os.path.isdir(args.video):
            raise ValueError(f'{args.video} is a folder; --video takes a '
                             'file')
        if args.video is not None and not os.path.isfile(args.video):
            raise FileNotFoundError(f'the video {args.video} does not exist')
        if args.out:
            check_table(Path(args.out), FORMATS)
        predictor = load_model(args, index.settings)
        index.check_model(predictor)
        hits = find(index, predictor, args)
        write(hits, args, stream)
        for line in hits.messages():
            sys.stderr.write(f'note: {line}\n')
        return 0
