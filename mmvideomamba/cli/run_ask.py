"""The verb ``ask``."""
import argparse
import json
import sys
from pathlib import Path
from typing import Any, Dict, List, Sequence, TextIO

from mmvideomamba.atomic_file import write_file
from mmvideomamba.command_line import user_errors
from mmvideomamba.inference.predictor.tables import check_table
from mmvideomamba.inference.search.hits import unknown_note
from mmvideomamba.inference.video_text import Answer, VideoTextPredictor
from .log_stream import logs_to_stderr


def to_text(answers: Sequence[Answer]) -> str:
    """Write answers for people.

    Args:
        answers (Sequence[Answer]): The best first.

    Returns:
        str: A line for each.
    """
    return ''.join(f'  {one.probability:.4f}  {one.text}\n' for one in answers)


def to_values(answers: Sequence[Answer]) -> List[Dict[str, Any]]:
    """Write answers for JSON.

    Args:
        answers (Sequence[Answer]): The best first.

    Returns:
        list[dict]: ``text`` and ``probability`` of each.
    """
    return [one._asdict() for one in answers]


def check_json(args: argparse.Namespace) -> None:
    """Check the file to write, before the work begins.

    Args:
        args (argparse.Namespace): See ``ask.add_part``.

    Raises:
        ValueError: If the file has another ending, or is a folder.
        OSError: If its folder cannot be made.
    """
    if args.json:
        check_table(Path(args.json), ('.json', ))


def finish(args: argparse.Namespace, stream: TextIO, text: str,
           values: Dict[str, Any]) -> int:
    """Print results, or write the file.

    Args:
        args (argparse.Namespace): See ``ask.add_part``.
        stream (TextIO): To print to.
        text (str): For people.
        values (dict): For the file, besides video and part.

    Returns:
        int: Exit code 0.
    """
    if not args.json:
        stream.write(text)
        return 0
    about = dict(video=args.video, start=args.start, end=args.end)
    write_file(args.json, json.dumps({**about, **values}, ensure_ascii=False))
    sys.stderr.write(f'written: {args.json}\n')
    return 0


def tell_unknown(predictor: VideoTextPredictor, texts: Sequence[str]) -> None:
    """Note words that the vocabulary of the model lacks.

    Args:
        predictor (VideoTextPredictor): The model.
        texts (Sequence[str]): Of the user.
    """
    for note in unknown_note(predictor.unknown_words(texts)):
        sys.stderr.write(f'note: {note}\n')


def run(args: argparse.Namespace) -> int:
    """Answer, and write or print the answers.

    Args:
        args (argparse.Namespace): See ``ask.add_arguments``.

    Returns:
        int: Exit code 0.

    Raises:
        SystemExit: For a mistake of the user, with a message.
    """
    with user_errors(), logs_to_stderr() as stream:
        check_json(args)
        predictor = VideoTextPredictor(
            args.model, args.device, config=args.config)
        found = predictor.answer_all(
            args.video,
            args.questions,
            args.topk,
            start=args.start,
            end=args.end)
        tell_unknown(predictor, args.questions)
        pairs = list(zip(args.questions, found))
        text = ''.join(f'{q}\n{to_text(answers)}' for q, answers in pairs)
        values = [
            dict(question=q, answers=to_values(answers))
            for q, answers in pairs
        ]
        return finish(args, stream, text, dict(questions=values))
