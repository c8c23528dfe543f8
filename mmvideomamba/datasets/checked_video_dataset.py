"""Video data set that checks its annotation file when it is loaded."""
import os
import re
from typing import Any, Dict, Iterable, List, Set

from mmaction.datasets import VideoDataset
from mmengine.fileio import list_from_file

from mmvideomamba.registry import DATASETS
from .transforms.decode import LOCAL_BACKENDS, video_path

MAX_SHOWN = 10  # faults that an error lists one by one
# A path with an extension, then another separator and labels.
_OTHER_SEPARATOR = re.compile(r'\.\w+([,;\t ]+)-?\d+([,;\t ]+-?\d+)*$')


def _quote(line: str) -> str:
    """Quote a line, or the start of a long one."""
    return repr(line if len(line) <= 100 else line[:97] + '...')


def _names_in(folder: str) -> Set[str]:
    """List a folder; one that cannot be listed has no names."""
    try:
        return set(os.listdir(folder or '.'))
    except OSError:
        return set()


def find_missing(paths: Iterable[str]) -> List[int]:
    """Find the paths of files that do not exist.

    Each folder is listed once, since asking a network file system for each
    of some 100 000 files takes minutes.

    Args:
        paths (Iterable[str]): Local paths; URLs count as existing.

    Returns:
        list[int]: Positions of the missing ones.
    """
    listed: Dict[str, Set[str]] = {}
    missing = []
    for index, path in enumerate(paths):
        if '://' in path:
            continue
        folder, name = os.path.split(path)
        if folder not in listed:
            listed[folder] = _names_in(folder)
        # A file system may know a name that it lists in another spelling.
        if name not in listed[folder] and not os.path.exists(path):
            missing.append(index)
    return missing


@DATASETS.register_module()
class CheckedVideoDataset(VideoDataset):
    """The host's ``VideoDataset``, which refuses a faulty annotation file.

    The host finds a bad line late or never: a missing video after some hours,
    a label out of range in the loss, a wrong separator as a missing file
    named like the line. Here the file is checked as a whole when it is
    loaded, and one error lists what is wrong with it. No line is skipped but
    blank ones.

    A line is ``PATH LABEL``, with ``multi_class`` ``PATH LABEL LABEL ...``.
    In ``test_mode`` a file may leave out all labels.

    Args:
        ann_file (str): Path of the annotation file.
        pipeline (list[dict]): Transforms.
        check_files (bool): Whether to check that the videos exist. Only
            local files are checked: not URLs, nor those of a pipeline whose
            ``io_backend`` is another than 'disk'. Defaults to True.
        **kwargs: Further arguments of ``VideoDataset``, such as
            ``data_prefix``, ``delimiter`` and ``test_mode``. With
            ``num_classes`` each label must be below it.

    Raises:
        FileNotFoundError: If the annotation file or a video does not exist.
        ValueError: If the file is empty or a line of it has another form or
            a label that is out of range.
    """

    def __init__(self,
                 ann_file: str,
                 pipeline: List[Any],
                 check_files: bool = True,
                 **kwargs: Any) -> None:
        if kwargs.get('multi_class') and kwargs.get('num_classes') is None:
            raise ValueError('multi_class=True needs num_classes, the length '
                             'of the label vector')
        self.check_files = check_files
        super().__init__(ann_file, pipeline, **kwargs)

    def load_data_list(self) -> List[dict]:
        """Read and check the annotation file.

        Returns:
            list[dict]: Samples with ``filename`` (str) and ``label`` (int,
            -1 for none; list[int] with ``multi_class``).

        Raises:
            FileNotFoundError: See the class.
            ValueError: See the class.
        """
        samples, numbers, faults = [], [], []
        for number, line in enumerate(self._read_lines(), 1):
            if not line.strip():
                continue
            numbers.append(number)
            try:
                samples.append(self._parse(line.strip()))
            except ValueError as error:
                faults.append(f'line {number}: {error}')
        if not numbers:
            raise ValueError(
                f'annotation file {self.ann_file} is empty. Write a line '
                f'{self._form()} for each video.')
        if faults:
            labels = '' if self.num_classes is None else (
                f' and labels from 0 to {self.num_classes - 1}')
            raise ValueError(
                self._report(
                    f'{len(faults)} of {len(numbers)} lines cannot be used',
                    faults, f'A line is {self._form()}{labels}. Correct the '
                    'file, delimiter or num_classes.'))
        self._check_unlabelled(samples, numbers)
        if self.check_files and self._is_local():
            self._check_exist(samples, numbers)
        return samples

    def _read_lines(self) -> List[str]:
        """Read the annotation file; a byte order mark is taken off."""
        try:
            return list_from_file(self.ann_file, encoding='utf-8-sig')
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'annotation file {self.ann_file} does not exist. Correct '
                'ann_file and data_root, or write the file first.') from error
        except UnicodeDecodeError as error:
            raise ValueError(f'annotation file {self.ann_file} is no UTF-8 '
                             f'text: {error}') from error

    def _form(self) -> str:
        """Return the form of a line."""
        return self.delimiter.join(['PATH', 'LABEL', 'LABEL',
                                    '...'][:4 if self.multi_class else 2])

    def _parse(self, line: str) -> dict:
        """Read a line.

        Args:
            line (str): A line that is not blank, stripped.

        Returns:
            dict: The sample.

        Raises:
            ValueError: If the line has another form or a bad label.
        """
        path, *labels = line.split(self.delimiter)
        if not labels:
            self._check_alone(line)
        elif len(labels) > 1 and not self.multi_class:
            raise ValueError(f'{_quote(line)} has {len(labels) + 1} columns '
                             'instead of 2')
        values = [self._parse_label(label) for label in labels]
        path = os.path.join(self.data_prefix['video'] or '', path)
        if self.multi_class:
            return dict(filename=path, label=values)
        return dict(filename=path, label=values[0] if values else -1)

    def _check_alone(self, line: str) -> None:
        """Raise ValueError if a line should have had a label."""
        other = _OTHER_SEPARATOR.search(line)
        if other:
            raise ValueError(f'{_quote(line)} is not separated by '
                             f'{self.delimiter!r} but by {other.group(1)!r}; '
                             f'set delimiter={other.group(1)!r}')
        if not (self.multi_class or self.test_mode):
            raise ValueError(f'{_quote(line)} has no label')

    def _parse_label(self, text: str) -> int:
        """Read a label and check its range."""
        try:
            label = int(text)
        except ValueError:
            raise ValueError(f'label {text!r} is no integer') from None
        if label < 0:
            raise ValueError(f'label {label} is negative')
        if self.num_classes is not None and label >= self.num_classes:
            raise ValueError(f'label {label} is out of range for num_classes='
                             f'{self.num_classes}')
        return label

    def _check_unlabelled(self, samples: List[dict],
                          numbers: List[int]) -> None:
        """Raise ValueError if some lines have a label and some have none."""
        bare = [n for s, n in zip(samples, numbers) if s['label'] == -1]
        if 0 < len(bare) < len(samples):
            raise ValueError(
                f'annotation file {self.ann_file}: {len(bare)} of '
                f'{len(samples)} lines have no label, the first is line '
                f'{bare[0]}. Give a label to all of them or to none.')

    def _is_local(self) -> bool:
        """Tell whether the pipeline reads from a local disk."""
        backends = (
            getattr(step, 'io_backend', 'disk')
            for step in self.pipeline.transforms)
        return all(backend in LOCAL_BACKENDS for backend in backends)

    def _check_exist(self, samples: List[dict], numbers: List[int]) -> None:
        """Raise FileNotFoundError if a video does not exist."""
        paths = [video_path(sample['filename']) for sample in samples]
        faults = [
            f'line {numbers[i]}: {paths[i]}' for i in find_missing(paths)
        ]
        if faults:
            raise FileNotFoundError(
                self._report(
                    f'{len(faults)} of {len(paths)} videos do not exist',
                    faults, 'Correct the file or data_prefix (now video='
                    f'{self.data_prefix["video"]!r}); check_files=False '
                    'leaves this to the training.'))

    def _report(self, summary: str, faults: List[str], remedy: str) -> str:
        """Put the faults of some lines into one message."""
        shown = faults[:MAX_SHOWN]
        if len(faults) > MAX_SHOWN:
            shown.append(f'and {len(faults) - MAX_SHOWN} more')
        head = f'annotation file {self.ann_file}: {summary}'
        return '\n'.join([head, *(f'  {fault}' for fault in shown), remedy])
