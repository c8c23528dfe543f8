#!/usr/bin/env python
"""Write annotation files for videos sorted into class folders.

Expects ``VIDEO_ROOT/CLASS_NAME/**/VIDEO`` and writes ``train.txt``,
``val.txt`` (a line ``path label`` per video, the path below ``VIDEO_ROOT``)
and ``classes.txt`` (the names, in the order of the labels). Each class is
split separately, the same way for the same seed; ``--folds K`` writes
``train_fold1.txt``, ``val_fold1.txt`` and so on. Videos split already,
``VIDEO_ROOT/train/CLASS_NAME`` next to ``val`` or ``test``, stay in the given
splits.

Each video is opened first, and the first and the last frame are decoded,
with ``--whole`` all frames. If videos cannot be used, all unusable files are
named and nothing is written. Files without a video are left out and named with
the reason, the whole list in ``left_out.txt``.
"""
import argparse
import functools
from pathlib import Path
from typing import Dict, List, Tuple

from mmvideomamba.command_line import user_errors
from mmvideomamba.datasets.preparation.options import (LAYOUTS,
                                                       add_check_options,
                                                       delimiter_option)


def parse_args() -> argparse.Namespace:
    """Read the command line.

    Returns:
        argparse.Namespace: The arguments.
    """
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('video_root', type=Path, help='folder with a folder per class')
    add('--out-dir', type=Path, help='where to write (the video folder)')
    add('--layout',
        choices=LAYOUTS,
        default='auto',
        help='folders below the video folder: classes, or splits with classes '
        '(by their names)')
    add('--val-ratio', type=float, help='share for validation (0.2)')
    add('--folds', type=int, help='write so many train/val pairs instead')
    add('--seed', type=int, default=0, help='of the split (0)')
    add('--classes',
        type=Path,
        help='file with the names of the classes, which fixes the labels '
        '(alphabetical)')
    add('--delimiter',
        type=delimiter_option,
        default=' ',
        help='between path and label (a space); "," allows names with spaces')
    add('--endings',
        nargs='+',
        default=[],
        metavar='.xyz',
        help='further file name endings of videos')
    add_check_options(parser)
    add('--report',
        type=Path,
        help='keep the results of the check in this file and go on from it; '
        'a report of check_videos.py works')
    add('--skip-bad',
        action='store_true',
        help='leave out videos that cannot be used instead of stopping')
    add('--drop-classes',
        action='store_true',
        help='leave out classes with too few videos instead of stopping')
    return parser.parse_args()


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    parse_args()

from mmvideomamba.datasets.preparation import (check_files, fold_videos,
                                               make_settings, read_checks,
                                               split_videos, summarize,
                                               write_lines, write_report)
from mmvideomamba.datasets.preparation.annotation_builder import (
    Tree, bad_videos, drop, find_tree, group_reasons, missing_classes,
    number_classes, same_videos, without_classes)
from mmvideomamba.datasets.preparation.annotation_files import EXTENSIONS
from mmvideomamba.datasets.preparation.class_folders import format_line
from mmvideomamba.datasets.preparation.media_list import find_lists


def usable_videos(tree: Tree, args: argparse.Namespace) -> Tree:
    """Check the videos, and take bad videos and small classes out.

    Args:
        tree (Tree): The videos.
        args (argparse.Namespace): From ``parse_args``.

    Returns:
        Tree: The videos to list; ``left_out`` names the others.

    Raises:
        ValueError: If something must not be left out.
    """
    root, total = args.video_root, len(tree.paths())
    settings = make_settings(args.whole, args.reader, args.workers,
                             args.time_limit)
    files = {str(root / path): 'video' for path in tree.paths()}
    known, save = {}, None
    if args.report:
        known = read_checks(args.report)
        save = functools.partial(write_report, args.report, settings)
    checks = check_files(files, settings, known, save)
    if save:
        save(checks, complete=True)
    bad, told = bad_videos(tree, root, checks, args.delimiter, args.min_frames)
    listed = '\n'.join(f'  {place}: {why}' for place, why in told.items())
    if bad and not args.skip_bad:
        raise ValueError(
            f'{len(bad)} of {total} files in {root} cannot be used:\n{listed}'
            '\nRepair or remove them, or pass --skip-bad to leave them out. '
            'Nothing was written.')
    if bad:
        print(f'left out {len(bad)} of {total} files:\n{listed}')
    numbered = args.classes is not None
    tree, small = drop(tree, bad, args.folds or 2, args.drop_classes, numbered)
    for name, why in small.items():
        print(f'WARNING: class {name} is left out as a whole: {why}')
    for videos in tree.splits.values():
        for name in small:
            bad.update(dict.fromkeys(videos[name], 'class left out'))
    tree = without_classes(tree, set(small), numbered)
    same = same_videos(tree, root, checks, settings)
    if same:
        print(f'warning: some videos are the same:\n{summarize(same)}')
    return tree._replace(left_out={**tree.left_out, **bad})


def make_lists(tree: Tree, args: argparse.Namespace) -> Dict[str, List[str]]:
    """Divide the videos.

    Args:
        tree (Tree): The videos.
        args (argparse.Namespace): From ``parse_args``.

    Returns:
        dict[str, list[str]]: Lines by name of the list.
    """
    if '' not in tree.splits:
        return {
            split: [
                format_line(path, label, args.delimiter)
                for label, paths in enumerate(videos.values())
                for path in paths
            ]
            for split, videos in tree.splits.items()
        }
    videos = tree.splits['']
    if not args.folds:
        ratio = 0.2 if args.val_ratio is None else args.val_ratio
        lists = split_videos(videos, ratio, args.seed, args.delimiter)
        return dict(zip(('train', 'val'), lists))
    folds = fold_videos(videos, args.folds, args.seed, args.delimiter)
    return {
        f'{split}_fold{number}': lines
        for number, pair in enumerate(folds, 1)
        for split, lines in zip(('train', 'val'), pair)
    }


def check_options(args: argparse.Namespace) -> None:
    """Refuse options out of range.

    Args:
        args (argparse.Namespace): From ``parse_args``.

    Raises:
        ValueError: If a value is not allowed, alone or with another.
    """
    if args.val_ratio is not None and not 0 < args.val_ratio < 1:
        raise ValueError('--val-ratio must lie between 0 and 1, but is '
                         f'{args.val_ratio}')
    if args.folds is not None and args.folds < 2:
        raise ValueError(f'--folds must be at least 2, but is {args.folds}')
    if args.folds and args.val_ratio is not None:
        raise ValueError('--folds and --val-ratio exclude each other')
    wrong = [e for e in args.endings if not e.startswith('.') or len(e) < 2]
    if wrong:
        raise ValueError(f'--endings must begin with a dot, but are {wrong}')


def read_tree(args: argparse.Namespace) -> Tree:
    """Find the videos, and name all other files.

    Args:
        args (argparse.Namespace): From ``parse_args``.

    Returns:
        Tree: The videos, with the classes in the order of the labels.

    Raises:
        FileNotFoundError: If the folder is missing.
        ValueError: If the folder or an option cannot be used.
    """
    endings = (*EXTENSIONS, *(e.lower() for e in args.endings))
    tree = find_tree(args.video_root, args.layout, endings)
    if '' not in tree.splits:
        print(f'the videos are split already: {", ".join(tree.splits)}')
        if args.folds or args.val_ratio is not None:
            raise ValueError(f'{args.video_root} is split already, which '
                             '--folds and --val-ratio cannot change')
    if tree.left_out:
        print(f'{len(tree.left_out)} files and folders are not taken:\n'
              f'{group_reasons(tree.left_out)}')
    return number_classes(tree, args.classes)


def write_all(tree: Tree, args: argparse.Namespace) -> Tuple[Path, List[str]]:
    """Write lists, names of classes, and the list of left-out files.

    Args:
        tree (Tree): The videos to list.
        args (argparse.Namespace): From ``parse_args``.

    Returns:
        tuple[Path, list[str]]: The folder, and a text for each list.
    """
    out_dir = args.out_dir or args.video_root
    out_dir.mkdir(parents=True, exist_ok=True)
    lists = make_lists(tree, args)
    for name, lines in lists.items():
        write_lines(out_dir / f'{name}.txt', lines)
    write_lines(out_dir / 'classes.txt',
                list(next(iter(tree.splits.values()))))
    rest = out_dir / 'left_out.txt'
    rest.unlink(missing_ok=True)  # of an earlier run
    if tree.left_out:
        # The name of a left-out file may not be valid UTF-8.
        write_lines(rest, [
            f'{path}\t{why}'.encode(errors='backslashreplace').decode()
            for path, why in sorted(tree.left_out.items())
        ])
    for path in find_lists(out_dir):
        if path.stem not in lists:
            print(f'warning: {path} is of an earlier run and does not belong '
                  'to the lists written now')
    return out_dir, [f'{len(x)} in {name}.txt' for name, x in lists.items()]


def build(args: argparse.Namespace) -> None:
    """Check the videos and write the files.

    Args:
        args (argparse.Namespace): From ``parse_args``.

    Raises:
        FileNotFoundError: If the folder is missing.
        ValueError: If a part of the folder cannot be used.
    """
    check_options(args)
    tree = usable_videos(read_tree(args), args)
    out_dir, counts = write_all(tree, args)
    classes = next(iter(tree.splits.values()))
    for warning in missing_classes(tree):
        print(warning)
    print(f'{len(classes)} classes in classes.txt, videos: '
          f'{", ".join(counts)}; all in {out_dir}')
    if args.delimiter != ' ':
        print('tools/train.py --data-root finds the delimiter; a config for '
              f'these lists names it: delimiter={args.delimiter!r}')


def main() -> None:
    """Build the files; an error of the user ends with a message."""
    with user_errors(ImportError):
        build(parse_args())


if __name__ == '__main__':
    main()
