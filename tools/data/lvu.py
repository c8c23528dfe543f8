#!/usr/bin/env python
"""Write the annotation files of the nine LVU tasks.

Reads the lists published with ViS4mer, ``FOLDER/TASK/SPLIT.csv`` for each
split train, val and test: columns apart by white space below a header,

- classes: ``class_id class_name youtube_id imdb_id``,
- like_ratio: ``like_count dislike_count youtube_id imdb_id``,
- view_count: ``view_count youtube_id imdb_id``,

and the durations, a comma-separated file with columns ``videoid`` and
``duration`` (seconds). Finds the videos ``ID.*`` below ``DATA_ROOT/videos``.
Writes ``DATA_ROOT/TASK/SPLIT.csv``, a line ``path,label,seconds`` per video.

The numbers of the two regression tasks are normalised: likes per vote to
``10 * likes / (likes + dislikes)``, views to ``ln(views)``, both less the mean
over the training videos.
"""
import argparse
import math
from pathlib import Path
from typing import Dict, List, Tuple, Union

from mmvideomamba.command_line import data_root_parser, user_errors

CLASSES = dict(
    relationship=4,
    way_speaking=5,
    scene=6,
    director=10,
    genre=4,
    writer=10,
    year=9)

TASKS = (*CLASSES, 'like_ratio', 'view_count')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = data_root_parser(__doc__, 'data/lvu')
    parser.add_argument(
        '--annotations',
        type=Path,
        required=True,
        help='folder with a folder of lists per task')
    parser.add_argument(
        '--durations', type=Path, required=True, help='the durations, .csv')
    parser.add_argument(
        '--tasks',
        nargs='+',
        choices=TASKS,
        default=TASKS,
        metavar='TASK',
        help=f'out of {", ".join(TASKS)}; all by default')
    return parser


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    build_parser().parse_args()

from mmvideomamba.datasets.preparation import Listing, index_videos, read_table

SPLITS = ('train', 'val', 'test')
# Means over the training videos, as published with ViS4mer.
MEAN_LIKES, MEAN_LOG_VIEWS = 9.138220535629456, 11.76425435683139


def like_ratio(likes: float, dislikes: float) -> float:
    """Return the label of the task like_ratio.

    Args:
        likes (float): Votes for.
        dislikes (float): Votes against.

    Returns:
        float: Ten times the share of likes, less the mean over the training
        videos.

    Raises:
        ValueError: If there is no vote, or a number of votes is negative.
    """
    if likes < 0 or dislikes < 0 or likes + dislikes == 0:
        raise ValueError(f'{likes:g} likes and {dislikes:g} dislikes give no '
                         'ratio')
    return 10 * likes / (likes + dislikes) - MEAN_LIKES


def view_count(views: float) -> float:
    """Return the label of the task view_count.

    Args:
        views (float): How often the video was watched.

    Returns:
        float: Natural logarithm, less the mean over the training videos.

    Raises:
        ValueError: If the number of views is not positive.
    """
    if views <= 0:
        raise ValueError(f'{views:g} views have no logarithm')
    return math.log(views) - MEAN_LOG_VIEWS


def parse(task: str, line: str) -> Tuple[str, Union[int, float]]:
    """Read a line of a list.

    Args:
        task (str): Name of the task.
        line (str): The line.

    Returns:
        tuple[str, int | float]: Id and label of the video.

    Raises:
        ValueError: If the line has another form.
    """
    fields = line.split()
    least = 3 if task == 'view_count' else 4
    if len(fields) < least:
        raise ValueError(f'{len(fields)} columns instead of {least}')
    if task == 'view_count':
        return fields[-2], view_count(float(fields[0]))
    if task == 'like_ratio':
        return fields[-2], like_ratio(float(fields[0]), float(fields[1]))
    label = int(fields[0])
    if not 0 <= label < CLASSES[task]:
        raise ValueError(f'class {label} of {CLASSES[task]}')
    return fields[-2], label


def read_list(path: Path, task: str) -> List[Tuple[str, Union[int, float]]]:
    """Read a list.

    Args:
        path (Path): The file.
        task (str): Name of the task.

    Returns:
        list[tuple[str, int | float]]: Ids and labels.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a line has another form; the message names the line.
    """
    rows = []
    lines = path.read_text(encoding='utf-8').splitlines()
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        try:
            rows.append(parse(task, line))
        except ValueError as error:
            raise ValueError(f'{path}, line {number}: {line!r} cannot be '
                             f'read: {error}') from error
    return rows


def read_durations(path: Path) -> Dict[str, str]:
    """Read the durations.

    Args:
        path (Path): The file.

    Returns:
        dict[str, str]: Length in seconds by id of the video.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a column is missing.
    """
    rows = read_table(path, ('videoid', 'duration'))
    return {row['videoid']: row['duration'] for row in rows}


def build(args: argparse.Namespace) -> None:
    """Write the files.

    Args:
        args (argparse.Namespace): See the parser.

    Raises:
        OSError: If a file is missing.
        ValueError: If a list has another form or there are no videos.
    """
    videos = index_videos(args.data_root / 'videos')
    durations = read_durations(args.durations)
    for task in args.tasks:
        for split in SPLITS:
            listing = Listing(videos)
            for name, label in read_list(
                    args.annotations / task / f'{split}.csv', task):
                if name in videos and name not in durations:
                    raise ValueError(f'{args.durations} has no duration of '
                                     f'{name}, task {task}')
                listing.add(name, label, durations.get(name))
            print(listing.write(args.data_root / task / f'{split}.csv'))


def main() -> None:
    """Parse the command line and build."""
    with user_errors():
        build(build_parser().parse_args())


if __name__ == '__main__':
    main()
