#!/usr/bin/env python
r"""Copy a set of videos into a form for faster reading in training.

    python tools/data/prepare_videos.py data/custom/train.txt \
        data/custom/val.txt --out data/custom_256 --workers 8

Takes annotation files (``PATH LABEL``, several labels, numbers, windows),
caption files, or a folder of both. Writes the copies to
``OUT/videos``, and the lists with the paths of the copies to ``OUT``;
with ``--shards`` also tar shards and their lists to ``OUT/shards``. Frame i
of a copy is frame i of the original, smaller, with key frames close to each
other; each copy is read again and compared before the rename.

After an interruption, a kill or a full disk the same command goes on; copies
of changed originals are made again. Exit status: 0 if all is done, 1 for a
bad video (not with ``--bad-media report``), 2 if the run could not go on, 130
if interrupted.
"""
import argparse
import json
import sys
from pathlib import Path
from typing import List

from mmvideomamba.command_line import user_errors
from mmvideomamba.datasets.preparation.options import (add_list_options,
                                                       positive,
                                                       print_any_names)
from mmvideomamba.datasets.preparation.video_copy import (PRESETS,
                                                          CopySettings,
                                                          check_encoder)
from mmvideomamba.exit_codes import INTERRUPTED


def crf_option(text: str) -> float:
    """Read a constant rate factor.

    Args:
        text (str): The argument.

    Returns:
        float: The factor.

    Raises:
        argparse.ArgumentTypeError: If the factor is not from 0 to 51.
    """
    value = float(text)
    if not 0 <= value <= 51:
        raise argparse.ArgumentTypeError(f'{text} is not from 0 to 51')
    return value


def side_option(text: str) -> int:
    """Read the length of a side.

    Args:
        text (str): The argument, 'keep' for the original's.

    Returns:
        int: Pixels, 0 for 'keep'.

    Raises:
        argparse.ArgumentTypeError: If there are fewer than 16 pixels.
    """
    if text == 'keep':
        return 0
    value = int(text)
    if value < 16:
        raise argparse.ArgumentTypeError(f'{text} is neither keep nor at '
                                         'least 16 pixels')
    return value


def parse_args() -> argparse.Namespace:
    """Read the command line.

    Returns:
        argparse.Namespace: The arguments.
    """
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    default = CopySettings()
    add('lists', type=Path, nargs='+', help='lists, or a folder with them')
    add('--out', type=Path, required=True, help='folder of the copy')
    add_list_options(parser)
    add('--short-side',
        type=side_option,
        default=default.short_side,
        metavar='PIXELS',
        help='of the copies, or keep; smaller videos keep theirs '
        f'({default.short_side})')
    add('--key-frames',
        type=positive,
        default=default.key_frames,
        metavar='FRAMES',
        help=f'from a key frame to the next ({default.key_frames})')
    add('--crf',
        type=crf_option,
        default=default.crf,
        help='constant rate factor of x264, 0 without loss to 51 '
        f'({default.crf:g})')
    add('--preset',
        choices=PRESETS,
        default=default.preset,
        help=f'of x264 ({default.preset})')
    add('--fast-decode',
        action=argparse.BooleanOptionalAction,
        default=default.fast_decode,
        help='decode faster, from larger files (-tune fastdecode; on)')
    add('--drop-audio', action='store_true', help='leave the audio out')
    add('--shards',
        type=positive,
        nargs='?',
        const=1024,
        metavar='MB',
        help='pack the copies into tar shards too, each of so many MiB at '
        'most (1024)')
    add('--workers', type=positive, default=1, help='processes (1)')
    add('--bad-media',
        choices=['raise', 'report'],
        default='raise',
        help='end at the first bad video, or leave bad ones out (raise)')
    add('--time-limit',
        type=positive,
        default=300,
        metavar='SECONDS',
        help='without a sign of life, then a decoder counts as hung (300)')
    add('--redo',
        action='store_true',
        help='make all copies anew, for other settings')
    return parser.parse_args()


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    parse_args()

import av

from mmvideomamba.atomic_file import write_file
from mmvideomamba.datasets.preparation.copied_lists import (REPORT,
                                                            check_lines,
                                                            list_paths,
                                                            list_starts,
                                                            write_lists)
from mmvideomamba.datasets.preparation.copied_set import (CopyOutcome,
                                                          copy_set,
                                                          name_copies)
from mmvideomamba.datasets.preparation.copied_shards import (check_for_shards,
                                                             write_shards)
from mmvideomamba.datasets.preparation.copy_record import CopyRecord
from mmvideomamba.datasets.preparation.disk_errors import (DiskError,
                                                           disk_errors)
from mmvideomamba.datasets.preparation.list_inputs import read_inputs
from mmvideomamba.datasets.preparation.media_list import describe
from mmvideomamba.datasets.video import MediaError

AGAIN = 'the same command goes on from there'
# Facts to tell of copies: field and value, and the text.
NOTES = {
    ('audio', 'dropped'):
    'without the audio',
    ('audio', 'refused'):
    'without the audio, which is damaged or of a kind that .mp4 does not hold',
    ('times', 'even'):
    'evenly spaced in time, as the originals tell no usable time stamps',
    ('times', 'rate'):
    'of another rate than the originals tell, which contradicts their time '
    'stamps: the frames of windows in seconds may differ',
}


def prepare(args: argparse.Namespace) -> None:
    """Copy the set.

    Args:
        args (argparse.Namespace): From ``parse_args``.

    Raises:
        ImportError: If the encoder is missing.
        ValueError: If an argument, a list or a video cannot be used.
        DiskError: If ``--out`` cannot be written.
    """
    check_encoder()
    settings = CopySettings(args.short_side, args.key_frames, args.crf,
                            args.preset, args.fast_decode, args.drop_audio)
    lists = read_inputs(args.lists, args.root, args.delimiter, args.form)
    faults = check_lines(lists, args.bad_media)
    names = name_copies(lists)
    paths = list_paths(lists, args.out)
    if args.shards:
        check_for_shards(lists)
    for media in lists:
        print(describe(media))
    with CopyRecord(args.out, settings, args.redo) as record:
        outcome = copy_set(names, args.out, record, settings, args.workers,
                           args.time_limit, args.bad_media)
        told = write_lists(lists, paths, names, outcome.bad, args.out)
        if args.shards:
            starts = list_starts(lists, paths, args.out)
            told += write_shards(lists, paths, starts, args.out,
                                 args.shards * 2**20)
        kept = {names[path] for path in names if path not in outcome.bad}
        entries = [record.entries[name] for name in sorted(kept)]
    notes = {
        note: [e.name for e in entries if getattr(e, note[0]) == note[1]]
        for note in NOTES
    }
    sizes = [sum(e.size for e in entries), sum(e.copy_size for e in entries)]
    report = dict(
        settings=settings._asdict(),
        pyav=av.__version__,
        copies=len(entries),
        bytes_of_originals=sizes[0],
        bytes_of_copies=sizes[1],
        bad={
            path: error.fault
            for path, error in outcome.bad.items()
        },
        faulty_lines=[fault._asdict() for fault in faults],
        notes={
            f'{field} {value}': found
            for (field, value), found in notes.items()
        })
    path = args.out / REPORT
    with disk_errors(path):
        write_file(path, json.dumps(report, indent=1) + '\n', fsync=False)
    print('\n'.join(told + summary(outcome, notes, sizes)))


def summary(outcome: CopyOutcome, notes: dict, sizes: List[int]) -> List[str]:
    """Say in lines how the run went.

    Args:
        outcome (CopyOutcome): Of the run.
        notes (dict[tuple, list[str]]): Key of ``NOTES`` to copies.
        sizes (list[int]): Bytes of the originals and of the copies.

    Returns:
        list[str]: The lines.
    """
    lines = [
        f'note: {len(found)} copies are {NOTES[note]}'
        for note, found in notes.items() if found
    ]
    lines += [f'left out: {error}' for error in outcome.bad.values()]
    share = 100 * sizes[1] / max(sizes[0], 1)
    lines.append(
        f'{outcome.made} copies made, {outcome.current} were there, '
        f'{len(outcome.bad)} bad videos left out; {sizes[1] / 1e6:.1f} MB, '
        f'{share:.0f} % of the originals')
    return lines


def main() -> None:
    """Copy; errors of the user end with a message."""
    print_any_names()
    args = parse_args()
    try:
        with user_errors(ImportError, status=2):
            try:
                prepare(args)
            except MediaError as error:
                sys.stderr.write(
                    f'error: {error} --bad-media report leaves bad videos '
                    f'out; {AGAIN}.\n')
                sys.exit(1)
            except DiskError as error:
                raise OSError(
                    f'{args.out} cannot be written: {error.strerror}. Free '
                    f'space or mend the disk; {AGAIN}.') from error
    except KeyboardInterrupt:
        print(f'\ninterrupted; {args.out} keeps the finished copies, and '
              f'{AGAIN}')
        sys.exit(INTERRUPTED)


if __name__ == '__main__':
    main()
