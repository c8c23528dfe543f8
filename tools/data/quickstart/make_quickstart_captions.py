#!/usr/bin/env python
"""Make a small set of videos with captions of colours, places and grounds.

In each clip a coloured disc crosses a photograph and passes a resting square
of another colour. Captions name both colours, the place of the square and the
ground, in several wordings. Each combination of the four words is in the clips
of training, of validation or of the test only: a model has to understand the
words one by one to retrieve a held-out clip. Next to the captions lie
questions with answers, captions to choose from, and the vocabulary of a
tokenizer, so that nothing is downloaded. The photographs come with
scikit-image.
"""
import argparse
import functools
import itertools
import json
import string
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from mmvideomamba.command_line import user_errors
from mmvideomamba.datasets.preparation import (check_sources, encode, make_all,
                                               prepare_folder)
from mmvideomamba.datasets.preparation import quickstart_objects as objects

SPECIAL = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]')
FRAME_RATE = 12
ENCODER = ('-c:v', 'mpeg4', '-q:v', '3', '-threads', '1')
RECIPE_VERSION = 2  # raise it when the clips of a seed change
SPLITS = ('train', 'val', 'test')
ANSWERS_FILE = 'answers.json'

Names = Dict[objects.Combination, List[str]]


def vocabulary() -> List[str]:
    """List the tokens: the words, and letters for any other word."""
    ones = list(itertools.chain.from_iterable(objects.combinations().values()))
    texts = [text for one in ones for text in objects.captions(one)]
    texts += [
        text for one in ones for pair in objects.questions(one)
        for text in pair
    ]
    words = sorted({word for text in texts for word in text.split()})
    letters = string.ascii_lowercase + string.digits
    tail = [x for x in letters if x not in words] + [f'##{x}' for x in letters]
    return [*SPECIAL, *words, *tail]


def make_clip(clip: Tuple[str, objects.Combination], out_dir: Path,
              seed: int) -> None:
    """Render and encode one clip.

    Args:
        clip (tuple[str, Combination]): Path below the folder, and content.
        out_dir (Path): The output folder.
        seed (int): Seed of the set.
    """
    name, one = clip
    rng = np.random.default_rng([seed, *name.encode()])
    (out_dir / name).parent.mkdir(parents=True, exist_ok=True)
    encode(objects.render(one, rng), FRAME_RATE, ENCODER, out_dir / name)


def name_clips(num_train: int, num_held_out: int,
               limit: Optional[int]) -> Dict[str, Names]:
    """Name the clips of each combination of each split."""
    found: Dict[str, Names] = {}
    for split, ones in objects.combinations().items():
        count = num_train if split == 'train' else num_held_out
        chosen = np.linspace(0,
                             len(ones) - 1, min(limit or len(ones), len(ones)))
        found[split] = {
            one: [f'{split}/{one.name}_{i}.mp4' for i in range(count)]
            for one in (ones[round(i)] for i in chosen)
        }
    return found


def list_captions(names: Names, rng: np.random.Generator) -> List[dict]:
    """Make the entries of a retrieval list; see ``RetrievalDataset``."""
    return [
        dict(video=videos, caption=objects.captions(one))
        for one, videos in names.items()
    ]


def list_questions(names: Names, rng: np.random.Generator) -> List[dict]:
    """Ask ``ASKED`` questions of each clip; see ``VideoQADataset``."""
    entries: List[dict] = []
    for one, videos in names.items():
        asked = objects.questions(one)
        for video in videos:
            for i in sorted(rng.permutation(len(asked))[:ASKED]):
                entries.append(
                    dict(
                        video=video,
                        question=asked[i].question,
                        question_id=len(entries),
                        answer=asked[i].answer))
    return entries


def list_options(names: Names, rng: np.random.Generator) -> List[dict]:
    """Give each clip five captions; see ``VideoMCDataset``."""
    entries = []
    for one, videos in names.items():
        for video in videos:
            texts = objects.options(one, rng)
            order = rng.permutation(len(texts))
            entries.append(
                dict(
                    video=video,
                    caption=[texts[i] for i in order],
                    answer=int(np.argmin(order))))
    return entries


ASKED = 3  # questions of a clip
LISTS = {'': list_captions, 'qa_': list_questions, 'mc_': list_options}


def write_lists(out_dir: Path, split: str, names: Names, seed: int) -> None:
    """Write the lists of a split.

    Args:
        out_dir (Path): The output folder.
        split (str): Of ``SPLITS``.
        names (dict[Combination, list[str]]): The clips of each combination.
        seed (int): Seed of the set.
    """
    for kind, make in LISTS.items():
        rng = np.random.default_rng([seed, *f'{kind}{split}'.encode()])
        text = json.dumps(make(names, rng), indent=1)
        (out_dir / f'{kind}{split}.json').write_text(text)


def write_words(out_dir: Path) -> None:
    """Write the vocabulary, and the list of all answers."""
    (out_dir / 'vocab.txt').write_text('\n'.join(vocabulary()) + '\n')
    answers = {
        pair.answer
        for ones in objects.combinations().values()
        for one in ones
        for pair in objects.questions(one)
    }
    (out_dir / ANSWERS_FILE).write_text(json.dumps(sorted(answers)))


def make_set(out_dir: Path,
             num_train: int = 6,
             num_held_out: int = 2,
             limit: Optional[int] = None,
             seed: int = 0,
             overwrite: bool = False,
             num_workers: int = 1) -> int:
    """Make the whole set.

    Args:
        out_dir (Path): The output folder.
        num_train (int): Clips of each of the training combinations. Defaults
            to 6.
        num_held_out (int): Clips of each combination of validation and test.
            Defaults to 2.
        limit (int, optional): Most combinations of a split, spread evenly.
            Defaults to None, all.
        seed (int): Seed of everything drawn. Defaults to 0.
        overwrite (bool): Whether to write over an earlier set. Defaults to
            False.
        num_workers (int): Number of processes. Defaults to 1.

    Returns:
        int: Number of clips, 0 if the set was there already.

    Raises:
        ValueError: If a number is not positive.
        FileExistsError: If the folder holds something else.
    """
    if min(num_train, num_held_out, limit or 1) < 1 or limit == 0:
        raise ValueError('the numbers of clips and of combinations must be '
                         f'positive, but are {num_train}, {num_held_out} and '
                         f'{limit}')
    settings: Dict[str, Any] = dict(
        captions=RECIPE_VERSION,
        seed=seed,
        train=num_train,
        held_out=num_held_out,
        limit=limit)
    files = [out_dir / 'settings.json', out_dir / ANSWERS_FILE] + [
        out_dir / f'{kind}{split}.json' for kind in LISTS for split in SPLITS
    ]
    if not overwrite and all(file.is_file() for file in files) and (json.loads(
            files[0].read_text()) == settings):
        return 0
    check_sources()
    prepare_folder(out_dir, settings, overwrite)
    names = name_clips(num_train, num_held_out, limit)
    clips = [(video, one) for of_split in names.values()
             for one, videos in of_split.items() for video in videos]
    make = functools.partial(make_clip, out_dir=out_dir, seed=seed)
    make_all(make, clips, num_workers)
    write_words(out_dir)
    for split, of_split in names.items():
        write_lists(out_dir, split, of_split, seed)
    return len(clips)


def parse_args(args: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        '--out-dir', type=Path, default=Path('data/quickstart_captions'))
    parser.add_argument(
        '--train', type=int, default=6, help='clips per combination')
    parser.add_argument(
        '--held-out',
        type=int,
        default=2,
        help='clips per combination of validation and test')
    parser.add_argument(
        '--limit', type=int, help='most combinations of a split, for a test')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=1, help='processes')
    parser.add_argument('--overwrite', action='store_true')
    return parser.parse_args(args)


def main() -> None:
    """Make the set and print the folder."""
    args = parse_args()
    cv2.setNumThreads(1)
    with user_errors(RuntimeError):
        made = make_set(args.out_dir, args.train, args.held_out, args.limit,
                        args.seed, args.overwrite, args.workers)
    print(f'\n{made or "all"} clips in {args.out_dir}: '
          f'{"made" if made else "there already, nothing to do"}.')


if __name__ == '__main__':
    main()
