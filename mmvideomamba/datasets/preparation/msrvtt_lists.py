"""Official annotations of MSRVTT, written as caption files."""
import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from mmvideomamba.json_file import read_json
from ..annotation_faults import fault_list, read_all
from ..captions.texts import check_unicode, clean_caption
from .annotation_files import index_videos, missing_note, read_table

# Captions: a single file, or the two parts of the first release.
CAPTIONS = ('MSRVTT_data.json', 'train_val_videodatainfo.json',
            'test_videodatainfo.json')
# List to write, official list of its videos.
TRAINING = (('msrvtt_ret_train9k', 'MSRVTT_train.9k.csv'),
            ('msrvtt_ret_train7k', 'MSRVTT_train.7k.csv'))
TEST = ('msrvtt_ret_test1k', 'MSRVTT_JSFUSION_test.csv')
REMEDY = 'take the official file'


class _Pair(NamedTuple):
    """A video and a caption."""
    video: str
    caption: str


def _read_pair(where: str, entry: Any, key: str) -> _Pair:
    """Read video and caption of an entry.

    Args:
        where (str): Name of the entry in an error.
        entry (Any): Should be a dict.
        key (str): Key of the caption.

    Returns:
        _Pair: The caption may be without words.

    Raises:
        ValueError: If either is not a text, the video is empty, or the caption
            no Unicode.
    """
    fields = entry if isinstance(entry, dict) else {}
    video, caption = fields.get('video_id'), fields.get(key)
    if not (isinstance(video, str) and video and isinstance(caption, str)):
        raise ValueError(f'{where} needs a video_id and a {key}, but is '
                         f'{entry!r}')
    check_unicode([caption], where)
    return _Pair(video, caption)


def read_captions(paths: Sequence[Path]) -> Tuple[Dict[str, List[str]], int]:
    """Read the captions of all videos.

    Args:
        paths (Sequence[Path]): Official json files.

    Returns:
        tuple[dict[str, list[str]], int]: Captions of each video_id, in the
        order of the files, and the number of captions left out for want of a
        word.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file has another form.
    """
    captions: Dict[str, List[str]] = {}
    empty = 0
    for path in paths:
        content = read_json(path, 'annotation file', REMEDY)
        sentences = (
            content.get('sentences') if isinstance(content, dict) else None)
        if not isinstance(sentences, list):
            raise ValueError(f'annotation file {path} has no list "sentences";'
                             f' {REMEDY}')
        pairs = read_all(
            list(enumerate(sentences)),
            lambda i, entry: _read_pair(f'sentence {i}', entry, 'caption'),
            f'annotation file {path}', 'sentences', f'Or {REMEDY}.')
        for pair in pairs:
            if clean_caption(pair.caption):
                captions.setdefault(pair.video, []).append(pair.caption)
            else:
                empty += 1
    return captions, empty


def _training_entries(path: Path, captions: Dict[str,
                                                 List[str]]) -> List[dict]:
    """Gather the captions of the videos of a list."""
    names = [row['video_id'] for row in read_table(path, ('video_id', ))]
    without = [
        # Line 1 is the header.
        f'{name!r} (line {line})' for line, name in enumerate(names, 2)
        if name not in captions
    ]
    if without:
        raise ValueError(
            fault_list(
                f'{path}: {len(without)} of {len(names)} videos have no '
                f'caption in {" or ".join(CAPTIONS)}', without,
                f'Put {CAPTIONS[0]}, or the parts {CAPTIONS[1]} and '
                f'{CAPTIONS[2]} next to the list.'))
    return [dict(video=name, caption=captions[name]) for name in names]


def _test_entries(path: Path) -> List[dict]:
    """Read the pairs of a list for test."""

    def read(line: int, row: Any) -> dict:
        pair = _read_pair(f'line {line}', row, 'sentence')
        if not clean_caption(pair.caption):
            raise ValueError(f'line {line} has no word: {pair.caption!r}')
        return dict(video=pair.video, caption=pair.caption)

    rows = read_table(path, ('video_id', 'sentence'))
    return read_all(
        list(enumerate(rows, 2)), read, f'{path}', 'lines', f'Or {REMEDY}.')


def _read_lists(folder: Path) -> Tuple[Dict[str, List[dict]], List[str]]:
    """Read the lists of a folder, with remarks for the user."""
    official = dict((*TRAINING, TEST))
    there = [n for n, file in official.items() if (folder / file).is_file()]
    if not there:
        raise FileNotFoundError(
            f'{folder} holds none of {", ".join(official.values())}; put the '
            'official lists there')
    told = [
        f'{name}.json is not written: {folder} holds no {file}'
        for name, file in official.items() if name not in there
    ]
    lists = {}
    if TEST[0] in there:
        lists[TEST[0]] = _test_entries(folder / TEST[1])
    if there != [TEST[0]]:
        files = [folder / name for name in CAPTIONS]
        found = [path for path in files if path.is_file()]
        # The single file holds all of the parts.
        found = found[:1] if files[0] in found else found
        captions, empty = read_captions(found)
        if empty:
            told.append(f'{empty} captions without a word are left out')
        for name in there:
            if name != TEST[0]:
                lists[name] = _training_entries(folder / official[name],
                                                captions)
    for name, entries in lists.items():
        lists[name] = _distinct(entries)
        doubles = len(entries) - len(lists[name])
        if doubles:
            told.append(f'{official[name]} has {doubles} lines twice; they '
                        'are left out')
    _check_apart(lists, official)
    return lists, told


def _distinct(entries: List[dict]) -> List[dict]:
    """Take the first of equal entries."""
    found: Dict[Tuple[str, str], dict] = {}
    for one in entries:
        found.setdefault((one['video'], str(one['caption'])), one)
    return list(found.values())


def _check_apart(lists: Dict[str, List[dict]], official: Dict[str,
                                                              str]) -> None:
    """Check for videos of both test and training."""
    test = {entry['video'] for entry in lists.get(TEST[0], [])}
    for name, entries in lists.items():
        both = [entry['video'] for entry in entries if entry['video'] in test]
        if name != TEST[0] and both:
            raise ValueError(
                fault_list(
                    f'{len(both)} videos of {TEST[1]} are in {official[name]} '
                    'as well', both, 'Take the official lists of one split.'))


def build_msrvtt(data_root: Path, annotations: Path) -> List[str]:
    """Write the caption files of MSRVTT for the recipes.

    Args:
        data_root (Path): Folder with ``videos``; the lists are written there.
        annotations (Path): Folder of the official files: captions as in
            ``CAPTIONS``, videos of training and test as in ``TRAINING`` and
            ``TEST``; a list there makes a list here.

    Returns:
        list[str]: Lines for the user: written, left out and missing.

    Raises:
        FileNotFoundError: If there is no list, or no folder of videos.
        ValueError: If a file has another form, a video has no caption,
            training and test share videos, or a list has no video at hand.
    """
    lists, told = _read_lists(annotations)
    videos = index_videos(data_root / 'videos')
    texts = {}
    for name, entries in lists.items():
        path = data_root / f'{name}.json'
        kept = [
            dict(entry, video=videos[entry['video']]) for entry in entries
            if entry['video'] in videos
        ]
        missing = [e['video'] for e in entries if e['video'] not in videos]
        note = missing_note(path, len(kept), missing)
        told.append(f'{path}: {len(kept)} videos{note}')
        texts[path] = json.dumps(kept, ensure_ascii=False, indent=1) + '\n'
    # Written at the end: an error in any list leaves the earlier files alone.
    for path, text in texts.items():
        path.write_text(text, encoding='utf-8')
    return told
