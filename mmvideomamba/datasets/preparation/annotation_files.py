"""Lists of videos: read as published, written as annotation files."""
import csv
from pathlib import Path
from typing import Any, Dict, Iterable, List, Sequence

EXTENSIONS = ('.mp4', '.avi', '.mkv', '.mov', '.webm', '.m4v', '.mpg', '.wmv',
              '.flv', '.3gp', '.3g2', '.asf', '.divx', '.f4v', '.m2ts', '.m2v',
              '.mpe', '.mpeg', '.mts', '.mxf', '.ogv', '.qt', '.rm', '.rmvb',
              '.ts', '.vob', '.y4m')

MAX_SHOWN = 5
QUOTES = 'close each quotation mark, and write one within a value twice'


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """Write a text file.

    Args:
        path (Path): The file.
        lines (Sequence[str]): The lines.
    """
    text = ''.join(f'{line}\n' for line in lines)
    path.write_text(text, encoding='utf-8')


def index_videos(root: Path) -> Dict[str, str]:
    """Find the videos below a folder.

    Args:
        root (Path): The folder.

    Returns:
        dict[str, str]: File name without extension to the path below
        ``root``, with forward slashes.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there is no video, or two of the same name.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'{root} does not exist or is not a folder; '
                                'put the videos there')
    found: Dict[str, str] = {}
    for path in sorted(root.rglob('*')):
        if path.suffix.lower() not in EXTENSIONS:
            continue
        name = path.relative_to(root).as_posix()
        # Official lists name a video without the ending.
        if path.stem in found:
            raise ValueError(f'{found[path.stem]} and {name} in {root} have '
                             'the same name; keep one of them')
        found[path.stem] = name
    if not found:
        raise ValueError(f'{root} holds no video ({" ".join(EXTENSIONS)})')
    return found


def read_table(path: Path, columns: Sequence[str]) -> List[Dict[str, str]]:
    """Read a comma-separated file with a header.

    Args:
        path (Path): The file.
        columns (Sequence[str]): Required columns.

    Returns:
        list[dict[str, str]]: The rows.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a column is missing, the file is not UTF-8, a quotation
            mark is not closed in its line, or a line has too many values.
    """
    rows = []
    # Spreadsheets write a byte order mark, else a part of the first column's
    # name.
    with open(path, newline='', encoding='utf-8-sig') as file:
        # Else an open quotation mark takes in all lines up to the next one.
        reader = csv.DictReader(file, strict=True)
        try:
            missing = set(columns) - set(reader.fieldnames or [])
            if missing:
                names = ', '.join(c for c in columns if c in missing)
                raise ValueError(
                    f'{path} has no column {names}; its first line names '
                    f'{", ".join(reader.fieldnames or ["nothing"])}')
            for row in reader:
                _check_row(row, columns, f'{path}, line {reader.line_num},')
                rows.append(row)
        except csv.Error as error:
            raise ValueError(
                f'{path} cannot be read below line '
                f'{reader.line_num}: {error}; {QUOTES}') from error
        except UnicodeDecodeError as error:
            raise ValueError(f'{path} is not UTF-8 text: {error}') from error
    return rows


def _check_row(row: Dict[Any, Any], columns: Sequence[str],
               where: str) -> None:
    """Refuse a row that lost a part of a value, or took in other lines."""
    if any('\n' in (row[c] or '') or '\r' in (row[c] or '') for c in columns):
        raise ValueError(f'{where} ends a value of several lines; {QUOTES}')
    # DictReader keeps what is beyond the header under None.
    if any(row.get(None) or []):
        raise ValueError(f'{where} has more values than the first line has '
                         f'names, {row[None]!r} are left; put a value with a '
                         'comma between quotation marks')


def missing_note(path: Path, count: int, missing: Sequence[str]) -> str:
    """Say which entries of a list have no video.

    Args:
        path (Path): The list, for the error.
        count (int): Number of entries with a video.
        missing (Sequence[str]): Names of the others.

    Returns:
        str: End of a summary, '' if no video is missing.

    Raises:
        ValueError: If no entry has a video, or there is none.
    """
    names = ', '.join(missing[:MAX_SHOWN])
    if not count and not missing:
        raise ValueError(f'{path} would be empty, as is its official list')
    if not count:
        raise ValueError(f'{path}: none of the {len(missing)} entries has a '
                         f'video, such as {names}')
    if not missing:
        return ''
    return f', {len(missing)} without a video left out ({names}, ...)'


class Listing:
    """Collect lines of an annotation file, and entries without a video.

    Args:
        videos (dict[str, str]): From ``index_videos``.
        separator (str): Between the columns. Defaults to ','.
    """

    def __init__(self, videos: Dict[str, str], separator: str = ',') -> None:
        self.videos = videos
        self.separator = separator
        self.lines: List[str] = []
        self.missing: List[str] = []

    def add(self, name: str, *columns: Any) -> None:
        """Add an entry, if the video is there.

        Args:
            name (str): File name of the video without extension.
            *columns (Any): Label and further columns.
        """
        if name in self.videos:
            row = (self.videos[name], *map(str, columns))
            self.lines.append(self.separator.join(row))
        else:
            self.missing.append(name)

    def write(self, path: Path) -> str:
        """Write the file.

        Args:
            path (Path): The file.

        Returns:
            str: A summary with the number of videos, and of entries without.

        Raises:
            ValueError: If no entry has a video.
        """
        note = missing_note(path, len(self.lines), self.missing)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_lines(path, self.lines)
        return f'{path}: {len(self.lines)} videos{note}'


def number_names(names: Iterable[str]) -> Dict[str, int]:
    """Give each name a label.

    Args:
        names (Iterable[str]): Names of classes, in any order, with doubles.

    Returns:
        dict[str, int]: Name to label, in alphabetical order.
    """
    return {name: label for label, name in enumerate(sorted(set(names)))}
