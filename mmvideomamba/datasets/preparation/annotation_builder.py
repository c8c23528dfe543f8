"""From class folders to annotation files; each file left out is named."""
from collections import Counter, defaultdict
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from mmvideomamba.datasets.class_names import read_class_names
from .annotation_files import EXTENSIONS
from .class_folders import (ClassFolders, Videos, find_videos, name_faults,
                            split_folders)
from .list_faults import duplicate_faults
from .media_check import CheckSettings, FileCheck, add_digests
from .media_list import Entry, Fault, MediaList

MAX_SHOWN = 10  # paths of a reason


class Tree(NamedTuple):
    """The videos below a folder.

    Args:
        splits (dict[str, dict]): Name of a split, '' for videos
            not yet split, to the videos of each class. Paths are below
            the folder, with forward slashes.
        left_out (dict[str, str]): Paths of everything else, and why.
    """
    splits: Dict[str, Videos]
    left_out: Dict[str, str]

    def paths(self) -> List[str]:
        """Return the paths of all videos."""
        return [
            path for videos in self.splits.values()
            for group in videos.values() for path in group
        ]


def find_tree(root: Path,
              layout: str = 'auto',
              extensions: Sequence[str] = EXTENSIONS) -> Tree:
    """Find the videos below a folder of classes, or of splits with classes.

    Args:
        root (Path): The folder.
        layout (str): 'classes' for ``ROOT/CLASS/``, 'splits' for
            ``ROOT/train/CLASS/`` and so on. Defaults to 'auto', by the
            names of the folders.
        extensions (Sequence[str]): File name endings of videos.

    Returns:
        Tree: Videos and the rest. All splits have the same classes, some
        perhaps without videos.

    Raises:
        FileNotFoundError: If the folder is missing.
        ValueError: If the layout is not clear, or there are fewer than two
            classes.
    """
    folders = {} if layout == 'classes' else split_folders(root)
    if layout == 'splits' and not folders:
        raise ValueError(f'{root} holds no folders of splits (train, val, '
                         'test) with class folders')
    if len(folders) == 1:
        split, folder = next(iter(folders.items()))
        raise ValueError(
            f'{root} holds the split {split} only. To split its videos name '
            f'{folder}; if it is a class, pass --layout classes')
    if not folders:
        tree = Tree(*_numbered({'': find_videos(root, extensions)}, {}))
    else:
        found = {s: find_videos(f, extensions) for s, f in folders.items()}
        tree = Tree(*_numbered(found, {s: f.name for s, f in folders.items()}))
        tree.left_out.update(_outside(root, folders))
    names = next(iter(tree.splits.values()))
    if len(names) < 2:
        raise ValueError(
            f'{root} must hold one folder of videos per class, at least two, '
            f'but holds {sorted(names) or "no folder"}')
    return tree


def _numbered(
        found: Dict[str, ClassFolders],
        folders: Dict[str, str]) -> Tuple[Dict[str, Videos], Dict[str, str]]:
    """Give all splits the same classes, and put folders before paths."""
    # A label is the place of a name: a class absent from a split keeps the
    # place.
    names = sorted({name for table in found.values() for name in table.videos})
    splits: Dict[str, Videos] = {}
    left_out: Dict[str, str] = {}
    for split, table in found.items():
        start = f'{folders[split]}/' if split in folders else ''
        splits[split] = {
            name: [start + path for path in table.videos.get(name, [])]
            for name in names
        }
        left_out.update((start + p, why) for p, why in table.left_out.items())
    return splits, left_out


def _outside(root: Path, folders: Dict[str, Path]) -> Dict[str, str]:
    """Name the files next to the folders of splits."""
    # Without a known ending, every file counts as left out.
    beside = find_videos(root, ()).left_out
    inside = tuple(f'{folder.name}/' for folder in folders.values())
    return {p: why for p, why in beside.items() if not p.startswith(inside)}


def number_classes(tree: Tree, names_file: Optional[Path]) -> Tree:
    """Bring the classes into the order of a file of names.

    Args:
        tree (Tree): The videos.
        names_file (Path, optional): A name a line, in the order of the
            labels; None leaves the alphabetical order.

    Returns:
        Tree: The videos; classes of the file without a folder are empty.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If a name stands twice, or the name of a class folder is
            missing.
    """
    if names_file is None:
        return tree
    names = read_class_names(names_file)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f'{names_file} names {", ".join(twice)} twice; the '
                         'label of a class must be unique')
    found = next(iter(tree.splits.values()))
    unknown = [name for name in found if name not in names]
    if unknown:
        raise ValueError(
            f'{names_file} does not name the class folders '
            f'{", ".join(map(repr, unknown))}. Add the names at the end, '
            'which keeps the labels of the others, or move the folders away.')
    return tree._replace(
        splits={
            split: {
                name: videos.get(name, [])
                for name in names
            }
            for split, videos in tree.splits.items()
        })


def bad_videos(tree: Tree, root: Path, checks: Dict[str,
                                                    FileCheck], delimiter: str,
               min_frames: int) -> Tuple[Dict[str, str], Dict[str, str]]:
    """Find the videos not fit for a list.

    Args:
        tree (Tree): The videos.
        root (Path): Folder of the paths.
        checks (dict[str, FileCheck]): Path on this machine to the result.
        delimiter (str): Between the columns of the annotation files.
        min_frames (int): Fewest frames of a video.

    Returns:
        tuple[dict, dict]: Path below ``root`` and fault of each bad video;
        and the faults to be told, each faulty folder once.
    """
    bad, told = name_faults(tree.paths(), delimiter)
    for path in tree.paths():
        check = checks[str(root / path)]
        fault = check.text
        if not check.kind and check.frames < min_frames:
            fault = (f'has {check.frames} frame(s), fewer than --min-frames '
                     f'{min_frames}')
        if fault:
            bad[path] = '; '.join(filter(None, [bad.get(path), fault]))
            told[path] = bad[path] if path in told else fault
    return bad, told


def drop(tree: Tree,
         bad: Dict[str, str],
         least: int,
         drop_classes: bool,
         numbered: bool = False) -> Tuple[Tree, Dict[str, str]]:
    """Take bad videos out, and refuse to lose a class without a word.

    Args:
        tree (Tree): The videos.
        bad (dict[str, str]): Paths that cannot be used.
        least (int): Fewest videos of a class not yet split.
        drop_classes (bool): Whether classes with too few videos may be left
            out.
        numbered (bool): Whether the classes come from a file, so that some
            may have had no video at all. Defaults to False.

    Returns:
        tuple[Tree, dict[str, str]]: The rest, and the classes with too
        few videos, with the reason.

    Raises:
        ValueError: If a class is too small and must not be left out.
    """
    kept = {
        split: {
            name: [path for path in paths if path not in bad]
            for name, paths in videos.items()
        }
        for split, videos in tree.splits.items()
    }
    small: Dict[str, str] = {}
    for split, videos in tree.splits.items():
        for name, paths in videos.items():
            left = len(kept[split][name])
            # A given split may lack a class, but must not lose a class.
            needed = 1 if split else least
            if left < needed and (paths or not split and not numbered):
                place = f' of {split}' if split else ''
                small[name] = (f'{left} of {len(paths)} videos{place} can be '
                               'used' if paths else 'no video in the folder')
    if small and not drop_classes:
        listed = '\n'.join(f'  {name}: {why}' for name, why in small.items())
        raise ValueError(
            f'these classes have too few usable videos (each needs {least}):'
            f'\n{listed}\nAdd or repair videos, or pass --drop-classes to '
            'leave these classes out. Nothing was written.')
    return tree._replace(splits=kept), small


def without_classes(tree: Tree, names: Set[str], numbered: bool) -> Tree:
    """Take classes out.

    Args:
        tree (Tree): The videos.
        names (set[str]): The classes.
        numbered (bool): Whether the labels are fixed, so that the classes
            stay without videos; else the others move up.

    Returns:
        Tree: The rest.

    Raises:
        ValueError: If fewer than two classes are left.
    """
    splits = {
        split: {
            # With a file of names, the class stays without a video: the labels
            # of the other classes must not move.
            name: [] if name in names else paths
            for name, paths in videos.items() if numbered or name not in names
        }
        for split, videos in tree.splits.items()
    }
    left = {n for v in splits.values() for n, paths in v.items() if paths}
    if len(left) < 2:
        raise ValueError(f'fewer than two classes are left: '
                         f'{sorted(left) or "none"}. Nothing was written.')
    return tree._replace(splits=splits)


def missing_classes(tree: Tree) -> List[str]:
    """Name the classes without a video in a split, or anywhere."""
    told = []
    for split, videos in tree.splits.items():
        names = [name for name, paths in videos.items() if not paths]
        if names:
            place = f'the split {split}' if split else 'the folders'
            told.append(f'warning: {len(names)} of {len(videos)} classes '
                        f'without a video in {place}: {", ".join(names)}')
    return told


def same_videos(tree: Tree, root: Path, checks: Dict[str, FileCheck],
                settings: CheckSettings) -> List[Fault]:
    """Find videos with the same content.

    Args:
        tree (Tree): The videos.
        root (Path): Folder of the paths.
        checks (dict[str, FileCheck]): Path on this machine to the result.
        settings (CheckSettings): For the reading of files of equal size.

    Returns:
        list[Fault]: See ``duplicate_faults``.
    """
    lists = []
    for split, videos in tree.splits.items():
        media = MediaList(split or str(root), form='folders', root=str(root))
        for label, paths in enumerate(videos.values()):
            media.entries += [
                Entry(-1, path, str(root / path), [label]) for path in paths
            ]
        lists.append(media)
    used = {e.file: checks[e.file] for media in lists for e in media.entries}
    return duplicate_faults(lists, add_digests(used, settings))


def group_reasons(left_out: Dict[str, str]) -> str:
    """Name the files left out, the first of each reason.

    Args:
        left_out (dict[str, str]): Path to reason.

    Returns:
        str: A line per reason, and the paths below it.
    """
    groups: Dict[str, List[str]] = defaultdict(list)
    for path, reason in left_out.items():
        groups[reason].append(path)
    lines = []
    for reason, paths in groups.items():
        lines.append(f'  {len(paths)}: {reason}')
        lines += [f'    {path}' for path in sorted(paths)[:MAX_SHOWN]]
        if len(paths) > MAX_SHOWN:
            lines.append(f'    and {len(paths) - MAX_SHOWN} more')
    return '\n'.join(lines)
