"""What the scripts that write annotation files have in common."""
import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Sequence

from build_annotations import EXTENSIONS, write_lines

MAX_SHOWN = 5


def index_videos(root: Path) -> Dict[str, str]:
    """Find the videos below a folder.

    Args:
        root (Path): The folder.

    Returns:
        dict[str, str]: File name without its ending to the path below
        ``root``, with forward slashes.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there is no video, or two of the same name.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'{root} does not exist or is no folder; put '
                                'the videos there')
    found: Dict[str, str] = {}
    for path in sorted(root.rglob('*')):
        if path.suffix.lower() not in EXTENSIONS:
            continue
        name = path.relative_to(root).as_posix()
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
        columns (Sequence[str]): Columns that it must have.

    Returns:
        list[dict[str, str]]: Its rows.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing.
    """
    with open(path, newline='', encoding='utf-8-sig') as file:
        reader = csv.DictReader(file)
        missing = [c for c in columns if c not in (reader.fieldnames or [])]
        if missing:
            raise ValueError(
                f'{path} has no column {", ".join(missing)}; its first line '
                f'names {", ".join(reader.fieldnames or ["nothing"])}')
        return list(reader)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Args:
        path (Path): The file.

    Returns:
        Any: Its content.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is no JSON: {error}') from error


class Listing:
    """Lines of an annotation file, and the entries that have no video.

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
        """Add an entry, if its video is there.

        Args:
            name (str): File name of the video without its ending.
            *columns (Any): Label and what follows.
        """
        if name in self.videos:
            row = (self.videos[name], *map(str, columns))
            self.lines.append(self.separator.join(row))
        else:
            self.missing.append(name)

    def write(self, path: Path) -> None:
        """Write the file and tell how many videos are in it.

        Args:
            path (Path): The file.

        Raises:
            ValueError: If no entry has a video.
        """
        note = ''
        if self.missing:
            note = (f', {len(self.missing)} without a video left out '
                    f'({", ".join(self.missing[:MAX_SHOWN])}, ...)')
        if not self.lines:
            raise ValueError(f'{path}: none of the {len(self.missing)} '
                             'entries has a video, such as '
                             f'{", ".join(self.missing[:MAX_SHOWN])}')
        path.parent.mkdir(parents=True, exist_ok=True)
        write_lines(path, self.lines)
        print(f'{path}: {len(self.lines)} videos{note}')


def run(build: Callable[[argparse.Namespace], None],
        parser: argparse.ArgumentParser) -> None:
    """Parse the command line and build; a user's error ends with its text.

    Args:
        build (Callable): Takes the arguments.
        parser (argparse.ArgumentParser): Parses them.
    """
    try:
        build(parser.parse_args())
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


def make_parser(description: str, root: str) -> argparse.ArgumentParser:
    """Return a parser with the folder of the data set.

    Args:
        description (str): Of the script; its first line is shown.
        root (str): Where the data set usually is.

    Returns:
        argparse.ArgumentParser: With ``data_root``.
    """
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'data_root',
        type=Path,
        help=f'folder with videos/, in the configs {root}; the lists are '
        'written there')
    return parser


def number_names(names: Iterable[str]) -> Dict[str, int]:
    """Give each name a label.

    Args:
        names (Iterable[str]): Names of classes, in any order, with doubles.

    Returns:
        dict[str, int]: Name to label, in alphabetical order.
    """
    return {name: label for label, name in enumerate(sorted(set(names)))}
