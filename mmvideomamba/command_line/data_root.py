"""``--data-root``: put a folder of videos, with classes, into a config."""
from collections import Counter
from pathlib import Path
from typing import Any, Iterator, List, NamedTuple, Optional, Tuple

from mmengine.config import Config

from mmvideomamba.datasets.class_names import read_class_names
from mmvideomamba.datasets.preparation.list_lines import (cut_line,
                                                          guess_delimiter,
                                                          is_number)

CLASSES = 'classes.txt'
SPLITS = ('train', 'val', 'test')
BUILD = 'python tools/data/build_annotations.py'
# Data sets for the lists of build_annotations.py.
_VIDEOS = ('mmvideomamba.CheckedVideoDataset', 'VideoDataset')
# Data sets of recognizers with lists of another form.
_OTHER_LISTS = ('mmvideomamba.WindowVideoDataset',
                'mmvideomamba.ShardVideoDataset',
                'mmvideomamba.CheckedRawframeDataset', 'RawframeDataset')
_BALANCED = 'ClassBalancedDataset'


class DataSet(NamedTuple):
    """A data set of a config, inside of any wrappers.

    Args:
        split (str): Of ``SPLITS``.
        node (dict): Part of the config, changed in place.
    """
    split: str
    node: Any

    @property
    def listed(self) -> bool:
        """Whether lines are a path and labels."""
        return self.node.get('type') in _VIDEOS


def _inside(node: Any) -> Iterator[Any]:
    """Yield the data sets inside of wrappers, ConcatDataset for instance."""
    inner = node.get('datasets') or [node.get('dataset')]
    for one in inner:
        if isinstance(one, dict):
            yield from _inside(one)
        else:
            yield node


def _data_sets(cfg: Config) -> List[DataSet]:
    """List the data sets of all loaders."""
    return [
        DataSet(split, node) for split in SPLITS
        for loader in [cfg.get(f'{split}_dataloader')]
        if isinstance(loader, dict) and loader.get('dataset')
        for node in _inside(loader['dataset'])
    ]


def _dicts(node: Any) -> Iterator[Any]:
    """Yield a node and all dicts inside."""
    if isinstance(node, dict):
        yield node
    if isinstance(node, (dict, list, tuple)):
        items = node.values() if isinstance(node, dict) else node
        for item in list(items):
            yield from _dicts(item)


def _refuse_kind(cfg: Config, sets: List[DataSet]) -> None:
    """Refuse a config whose data are not videos with labels."""
    known = (*_VIDEOS, *_OTHER_LISTS)
    other = [one for one in sets if one.node.get('type') not in known]
    if other or not sets:
        kind = other[0].node.get('type') if other else 'no data set'
        place = f'{other[0].split if other else "train"}_dataloader.dataset'
        raise ValueError(
            f'--data-root: {cfg.filename} reads {kind}, not a folder of '
            f'videos with lists of classes; name the data by --cfg-options '
            f'{place}.data_root=FOLDER and so on, or take a recipe of '
            'configs/recognition')


def _choose_list(one: DataSet, root: Path) -> str:
    """Choose the list of a data set: the recipe's, else the split's.

    Args:
        one (DataSet): The data set.
        root (Path): Folder of the lists.

    Returns:
        str: Name of the file, perhaps of none.
    """
    own = str(one.node.get('ann_file') or '')
    plain = f'{one.split}.txt'
    # A recipe for data without a test split tests on val.txt; the folder has a
    # test split.
    if one.split == 'test' and own == 'val.txt' and (root / plain).is_file():
        return plain
    if own and (root / own).is_file() or not one.listed:
        return own
    if one.split == 'test' and not (root / plain).is_file():
        return 'val.txt'
    return plain


def _require_lists(cfg: Config, sets: List[DataSet], root: Path) -> None:
    """Refuse a folder without the lists of a run."""
    lacking = {
        name: one
        for one in sets
        for name in [_choose_list(one, root)] if not (root / name).is_file()
    }
    if not lacking:
        return
    text = f'--data-root {root}: there is no {" and no ".join(lacking)} in it'
    one = next(iter(lacking.values()))
    if not one.listed:
        raise FileNotFoundError(
            f'{text}; {cfg.filename} reads lists of its own form '
            f'({one.node.get("type")}), see the README next to the config')
    if list(lacking) == ['val.txt'] and (root / 'test.txt').is_file():
        raise FileNotFoundError(
            f'{text}, but a test.txt. Make a folder val next to train and '
            f'test and run {BUILD} {root} again, or train with --no-validate')
    raise FileNotFoundError(f'{text}; write the lists first: '
                            f'{_how_to_list(one, root)}')


def _how_to_list(one: DataSet, root: Path) -> str:
    """Say how the lists of a data set are written."""
    if one.node.get('regression'):
        return ('a line "PATH NUMBER" for each video, see "A number instead '
                'of a class" in docs/your_own_videos.md')
    if one.node.get('multi_class'):
        return ('a line "PATH LABEL LABEL ..." for each video, and '
                f'{CLASSES}, see "Several classes of a video" in '
                'docs/adaptation.md')
    return f'{BUILD} {root}'


def _read_names(cfg: Config, sets: List[DataSet],
                root: Path) -> Optional[List[str]]:
    """Read the names of the classes, None for data without classes."""
    path = root / CLASSES
    if any(one.node.get('regression') for one in sets):
        if path.is_file():
            raise ValueError(
                f'--data-root {root}: {path} names classes, but '
                f'{cfg.filename} predicts a number; take a recipe for '
                f'classes, or remove {path} if the lists hold numbers')
        return None
    if not path.is_file():
        if not any('num_classes' in node for node in _dicts(cfg.model)):
            return None  # a pretraining
        names = [_choose_list(one, root) for one in sets]
        if not any(
                name in ('train.txt', 'val.txt', 'test.txt')
                for name in names):
            return None  # the layout and the classes of the recipe
        how = _how_to_list(sets[0], root)
        raise FileNotFoundError(
            f'--data-root {root}: there is no {CLASSES} in it, a name a line '
            f'in the order of the labels; write it first: {how}')
    found = read_class_names(path)
    if len(found) < 2 and not any(x.node.get('multi_class') for x in sets):
        raise ValueError(f'{path} names {len(found)} class, and a classifier '
                         'needs two; add videos of another class')
    twice = [name for name, times in Counter(found).items() if times > 1]
    if twice:
        raise ValueError(
            f'{path} names {twice[0]!r} {found.count(twice[0])} times, and '
            'predictions would not tell the labels apart; give each class a '
            'name of its own')
    return found


def _read_list(path: Path) -> List[Tuple[int, str]]:
    """Read the lines of a list with line numbers, without blank lines."""
    try:
        text = path.read_text('utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not UTF-8 text: {error}') from error
    return [(number, line.strip())
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip()]


def _delimiter_of(lines: List[str], path: Path, present: str) -> str:
    """Find the delimiter of a list, in doubt the config's delimiter."""
    cut = [line.split(present)[1:] for line in lines]
    if all(columns and all(map(is_number, columns)) for columns in cut):
        return present
    try:
        return guess_delimiter(lines, str(path))
    except ValueError:  # the data set lists the faults
        return present


def _check_labels(path: Path, lines: List[Tuple[int, str]], delimiter: str,
                  count: int) -> None:
    """Refuse labels without a class; other faults are the data set's."""
    wrong = [(number, label) for number, line in lines
             for label in cut_line(line, delimiter).columns
             if is_number(label, int) and int(label) >= count]
    if wrong:
        number, label = wrong[0]
        raise ValueError(
            f'{path}, line {number}: label {label}, but {CLASSES} next to it '
            f'names {count} classes, 0 to {count - 1} ({len(wrong)} such '
            'labels). The files are of different runs of '
            f'build_annotations.py: {BUILD} {path.parent}')


def _name_classes(node: Any, names: Optional[List[str]]) -> None:
    """Set number and names of the classes; names of other data go."""
    info = dict(node.get('metainfo') or {})
    if names is not None:
        node['num_classes'] = len(names)
        node['metainfo'] = {**info, 'classes': names}
    elif isinstance(info.get('classes'), str):
        node['num_classes'] = None
        node['metainfo'] = {k: v for k, v in info.items() if k != 'classes'}


def _take_folder(one: DataSet, root: Path, names: Optional[List[str]],
                 check: bool) -> None:
    """Point a data set to a folder."""
    node = one.node
    name = _choose_list(one, root)
    if one.listed and name != node.get('ann_file'):
        if Path(name).suffix == '.txt' and name.split('.')[0] in SPLITS:
            # Paths in the lists of build_annotations.py begin at the folder.
            node.data_prefix = {k: '' for k in node.get('data_prefix') or {}}
        node.ann_file = name
    node.data_root = str(root)
    _name_classes(node, names)
    path = root / name
    if not one.listed or not path.is_file():
        return
    lines = _read_list(path)
    present = node.get('delimiter', ' ')
    found = _delimiter_of([line for _, line in lines], path, present)
    if found != present:
        node.delimiter = found
    if check and names is not None:
        _check_labels(path, lines, found, len(names))


def _set_count(cfg: Config, count: int) -> None:
    """Set the number of classes in all places of the config."""
    nodes = list(_dicts(cfg._cfg_dict))
    before = {
        1 / node['num_classes']
        for node in _dicts(cfg.model) if node.get('num_classes')
    }
    for node in nodes:
        if isinstance(node.get('num_classes'), int):
            node['num_classes'] = count
        # Rare is a class below an equal share, if the recipe says so.
        if node.get('type') == _BALANCED and node['oversample_thr'] in before:
            node['oversample_thr'] = 1 / count


def set_data_root(cfg: Config, folder: Optional[str], *splits: str) -> None:
    """Let a config take a folder of videos, with the classes of the folder.

    The folder comes from ``build_annotations.py``, or has the lists named by
    the recipe. All data sets of all loaders get folder, list, delimiter,
    number and names of the classes; so do the model and the evaluators.

    Args:
        cfg (Config): The config, changed in place.
        folder (str, optional): The folder; None changes nothing.
        *splits (str): Splits of the run, 'train', 'val' or 'test'; the lists
            of these splits must exist.

    Raises:
        FileNotFoundError: If the folder, a list or ``classes.txt`` is
            missing.
        ValueError: If the config is for other data, or labels and classes
            do not match.
    """
    if folder is None:
        return
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f'--data-root {folder}: there is no such '
                                'folder')
    sets = _data_sets(cfg)
    _refuse_kind(cfg, sets)
    used = [one for one in sets if one.split in splits]
    _require_lists(cfg, used, root)
    names = _read_names(cfg, used or sets, root)
    if names is not None:
        _set_count(cfg, len(names))
    for one in sets:
        _take_folder(one, root, names, one in used)
    # Variables of the file, for whoever reads the dumped config.
    for node in (cfg, cfg.get('data') or {}):
        if 'data_root' in node:
            node['data_root'] = str(root)
        if 'metainfo' in node:
            _name_classes(node, names)
