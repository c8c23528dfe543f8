"""Lists of media: annotation files, caption files, class folders."""
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from mmvideomamba.datasets.captions.texts import strings_of
from mmvideomamba.datasets.transforms.decode import video_path
from mmvideomamba.json_file import parse_json, read_json
from .class_folders import SPLITS, find_videos, split_folders
from .list_lines import (NAMES, Line, cut_line, guess_delimiter, guess_form,
                         label_fault, other_delimiter, read_labels)

TEXT_ENDINGS = ('.txt', '.csv', '.tsv')
JSON_ENDINGS = ('.json', '.jsonl')
RANKS = dict(train=0, val=1, test=2)
SPLIT_RANKS = {word: RANKS[split] for word, split in SPLITS.items()}
CLASS_FORMS = ('class', 'multi-class', 'window', 'folders')


class Fault(NamedTuple):
    """A fault of a list, or of a file in the list.

    Args:
        kind (str): A key of ``check_report.KINDS``.
        text (str): The fault.
        list (str): Path of the list. Defaults to ''.
        line (int): Number of the line from 1, or of the entry from 0; -1 for
            the list as a whole. Defaults to -1.
        path (str): Path in the list. Defaults to ''.
    """
    kind: str
    text: str
    list: str = ''
    line: int = -1
    path: str = ''


class Entry(NamedTuple):
    """A medium in a list.

    Args:
        line (int): As in ``Fault``.
        path (str): As written in the list.
        file (str): The path on this machine, or a URL.
        labels (list[float]): Classes or numbers; empty for none.
        media (str): 'video' or 'image'. Defaults to 'video'.
    """
    line: int
    path: str
    file: str
    labels: List[float]
    media: str = 'video'


@dataclass
class MediaList:
    """The content of a list.

    Args:
        path (str): The list, or the class folders' root.
        form (str): A key of ``list_lines.FORMS``, 'captions' or 'folders'.
        root (str): Folder of the paths.
        delimiter (str): Between columns; '' for other than text.
        entries (list[Entry]): Media from lines without faults.
        faults (list[Fault]): Faults of the lines.
        clean (dict[int, Any]): Line number to the right or mended line.
        repaired (set[int]): Numbers of mended lines.
    """
    path: str
    form: str = 'unlabelled'
    root: str = ''
    delimiter: str = ''
    entries: List[Entry] = field(default_factory=list)
    faults: List[Fault] = field(default_factory=list)
    clean: Dict[int, Any] = field(default_factory=dict)
    repaired: Set[int] = field(default_factory=set)

    def add_fault(self,
                  kind: str,
                  text: str,
                  line: int = -1,
                  path: str = '') -> None:
        """Note a fault."""
        self.faults.append(Fault(kind, text, self.path, line, path))

    def split(self) -> Tuple[Optional[str], str]:
        """Find the split in the name: the word, and the rest of the name."""
        stem = Path(self.path).stem.lower()
        words = re.split(r'([^a-z0-9]+)', stem)
        for index, word in enumerate(words):
            # Names like train9k and test1k of MSRVTT name splits, too.
            bare = re.sub(r'\d+k?$', '', word)
            if bare in SPLIT_RANKS:
                return bare, ''.join(words[:index] + words[index + 1:])
        return None, stem

    def unreadable(self) -> Set[int]:
        """Return the numbers of the lines without an entry."""
        numbers = {
            f.line
            for f in self.faults
            if f.kind not in ('blank-line', 'byte-order-mark')
        }
        return numbers - self.clean.keys() - {-1}

    def rank(self) -> int:
        """Return 2 for a list to test with, 1 to validate, else 0."""
        return SPLIT_RANKS.get(self.split()[0] or '', 0)


def read_list(path: Path,
              root: Optional[Path] = None,
              delimiter: Optional[str] = None,
              form: str = 'auto') -> MediaList:
    """Read an annotation file or a caption file.

    Args:
        path (Path): The file.
        root (Path, optional): Folder of the paths. Defaults to
            None: the folder of the list, ``videos`` in this folder, both one
            folder higher, or the current folder, the first with any of the
            first files.
        delimiter (str, optional): Between the columns. Defaults to None, as
            the lines tell.
        form (str): A key of ``list_lines.FORMS``. Defaults to 'auto', as the
            lines tell.

    Returns:
        MediaList: The entries and the faults of the lines.

    Raises:
        FileNotFoundError: If the list does not exist.
        ValueError: If the file is of another kind, or delimiter or form are
            not clear.
    """
    if not path.is_file():
        raise FileNotFoundError(f'the list {path} does not exist or is no '
                                'file')
    ending = path.suffix.lower()
    if ending not in TEXT_ENDINGS + JSON_ENDINGS:
        raise ValueError(f'{path} must end in one of '
                         f'{TEXT_ENDINGS + JSON_ENDINGS}; shards and data '
                         'bases of captions hold or name their media in '
                         'another way')
    found = MediaList(str(path))
    if not path.read_bytes().strip(b'\xef\xbb\xbf \t\r\n'):
        found.add_fault('empty-list', 'the list has no line')
    elif ending in JSON_ENDINGS:
        _read_captions(found, path)
    else:
        _read_text(found, path, delimiter, form)
    found.root = str(root) if root else find_root(path, found.entries)
    found.entries = [
        e._replace(file=_file_of(found.root, e)) for e in found.entries
    ]
    return found


def _file_of(root: str, entry: Entry) -> str:
    """Return the path of a medium on this machine."""
    path = entry.path if entry.media == 'image' else video_path(entry.path)
    if '://' in path:
        return path
    return os.path.normpath(os.path.join(root, path))


def find_root(path: Path, entries: List[Entry]) -> str:
    """Find the folder of the paths of a list.

    Args:
        path (Path): The list.
        entries (list[Entry]): Media of the list.

    Returns:
        str: The first place with any of the first 50 media, else the folder
        of the list.
    """
    folder = path.parent
    places = [folder, folder / 'videos', folder.parent,
              folder.parent / 'videos', Path()]  # yapf: disable
    for place in places:
        # The first files of a list may be missing.
        if any(os.path.lexists(_file_of(str(place), e)) for e in entries[:50]):
            return str(place)
    return str(folder)


def _read_text(found: MediaList, path: Path, delimiter: Optional[str],
               form: str) -> None:
    """Read an annotation file into a list."""
    try:
        text = path.read_text(encoding='utf-8')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not UTF-8 text: {error}') from error
    if text.startswith('\ufeff'):
        found.add_fault(
            'byte-order-mark', 'the list begins with a byte order '
            'mark, part of the first path for other readers', 1)
        text = text[1:]
    # splitlines would also cut at a form feed or U+2028, and the numbers would
    # not be an editor's.
    lines = [(n, x.strip()) for n, x in enumerate(text.split('\n'), 1)]
    if lines and not lines[-1][1]:  # after the last line end
        lines.pop()
    for number, line in lines:
        if not line:
            found.add_fault('blank-line', 'the line is blank', number)
    lines = [(number, line) for number, line in lines if line]
    found.delimiter = delimiter or guess_delimiter([x for _, x in lines],
                                                   str(path))
    cut = [cut_line(line, found.delimiter) for _, line in lines]
    if form == 'auto' and not any(line.columns for line in cut):
        other = other_delimiter(lines[0][1], found.delimiter)
        if other is not None:
            raise ValueError(f'no line of {path} holds {found.delimiter!r}; '
                             f'the first is {other.fault}')
    found.form = guess_form(cut, str(path)) if form == 'auto' else form
    if found.form == 'unlabelled' and form == 'auto':
        found.add_fault(
            'no-label', 'no line has a label; only a test set may '
            'be without, which --form unlabelled states')
    for (number, text), columns in zip(lines, cut):
        _read_line(found, number, text, columns)


def _read_line(found: MediaList, number: int, text: str, line: Line) -> None:
    """Read a line into a list."""
    fault = label_fault(line, found.form)
    if fault[0] or line.path[-1:] in (',', ';'):
        other = other_delimiter(text, found.delimiter)
        if other is not None and not label_fault(other, found.form)[0]:
            line, fault = other, ('', '')
    if fault[0]:
        found.add_fault(*fault, number, line.path)
        return
    if line.fault:
        found.add_fault('separator', line.fault, number, line.path)
        # A mended line would be cut within the path again.
        if found.delimiter in line.path:
            return
        found.repaired.add(number)
    found.clean[number] = found.delimiter.join([line.path, *line.columns])
    labels = read_labels(line, found.form)
    found.entries.append(Entry(number, line.path, '', labels))


def _json_entries(path: Path) -> Iterator[Tuple[int, Any]]:
    """Read the entries of a caption file, with numbers."""
    remedy = 'correct the file, or leave the entry out'
    if path.suffix.lower() == '.json':
        entries = read_json(path, 'caption file', remedy)
        if not isinstance(entries, list):
            raise ValueError(f'caption file {path} must hold a list of dicts')
        yield from enumerate(entries)
        return
    for number, line in enumerate(path.read_bytes().split(b'\n'), 1):
        if line.strip():
            try:
                yield number, parse_json(line, 'the line', remedy)
            except ValueError as error:
                yield number, error


def _read_captions(found: MediaList, path: Path) -> None:
    """Read a caption file into a list."""
    found.form = 'captions'
    number = -1
    for number, entry in _json_entries(path):
        where = f'entry {number}'
        media = 'video'
        if isinstance(entry, dict) and 'video' not in entry and ('image'
                                                                 in entry):
            media = 'image'
        try:
            if isinstance(entry, ValueError):
                raise entry
            names = strings_of(entry, media, where)
            if 'question' in entry:
                strings_of(entry, 'question', where)
            else:
                strings_of(entry, 'caption', where)
        except ValueError as error:
            found.add_fault('entry', str(error), number)
            continue
        found.clean[number] = entry
        found.entries += [Entry(number, n, '', [], media) for n in names]
    if number < 0:
        found.add_fault('empty-list', 'the list has no entry')


def write_list(found: MediaList, left_out: Set[int], path: Path) -> int:
    """Write a list without some lines.

    Args:
        found (MediaList): The list.
        left_out (set[int]): Numbers of the lines to leave out.
        path (Path): A new file.

    Returns:
        int: Number of lines written.
    """
    kept = [x for n, x in found.clean.items() if n not in left_out]
    path.parent.mkdir(parents=True, exist_ok=True)
    if found.form != 'captions':
        text = ''.join(f'{line}\n' for line in kept)
    elif path.suffix.lower() == '.json':
        text = json.dumps(kept, ensure_ascii=False, indent=1) + '\n'
    else:
        lines = (json.dumps(entry, ensure_ascii=False) for entry in kept)
        text = ''.join(f'{line}\n' for line in lines)
    path.write_text(text, encoding='utf-8')
    return len(kept)


def list_folders(root: Path) -> List[MediaList]:
    """Take class folders, or folders of splits with classes, as lists.

    Args:
        root (Path): Folder of class folders, or of splits.

    Returns:
        list[MediaList]: A list per split, with a label per class.

    Raises:
        ValueError: See ``find_videos``.
    """
    found = []
    splits = split_folders(root) or dict(all=root)
    tables = {name: find_videos(folder) for name, folder in splits.items()}
    names = sorted({name for t in tables.values() for name in t.videos})
    for split, folder in splits.items():
        media = MediaList(str(folder), form='folders', root=str(folder))
        for label, name in enumerate(names):
            for path in tables[split].videos.get(name, []):
                media.entries.append(
                    Entry(-1, path, str(folder / path), [label]))
        for path, reason in tables[split].left_out.items():
            media.add_fault('left-out', reason, path=path)
        found.append(media)
    return found


def find_lists(folder: Path) -> List[Path]:
    """Find the lists of splits in a folder.

    Args:
        folder (Path): The folder.

    Returns:
        list[Path]: Text and JSON files named like a split, ``train.txt`` for
        example; empty for none.
    """
    return [
        path for path in sorted(folder.iterdir())
        if path.suffix.lower() in TEXT_ENDINGS +
        JSON_ENDINGS and path.is_file() and MediaList(str(path)).split()[0]
    ]


def describe(found: MediaList) -> str:
    """Describe a list in a line.

    Args:
        found (MediaList): The list.

    Returns:
        str: Path, number of media, form, delimiter and root.
    """
    parts = [f'{len(found.entries)} media', f'form {found.form}']
    if found.delimiter:
        name = NAMES.get(found.delimiter, repr(found.delimiter))
        parts.append(f'columns apart by {name}')
    return f'{found.path}: {", ".join(parts)}, paths below {found.root}'
