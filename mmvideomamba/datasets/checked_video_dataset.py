"""Video data set that checks its annotation file when it is loaded."""
import copy
import os
import re
from typing import Any, List, Optional, Sequence, Tuple, Union

import torch
from mmaction.datasets import VideoDataset
from mmengine.dataset import BaseDataset

from mmvideomamba.registry import DATASETS
from .annotation_faults import (check_exist, parse_number, quote_line,
                                read_all, read_lines)
from .bad_media import BadMediaMixin
from .class_names import clean_class_names
from .transforms.decode import LOCAL_BACKENDS, video_path
from .transforms.draw_clip import DrawClip

# A path with an extension, then another separator and labels.
_OTHER_SEPARATOR = re.compile(
    r'\.\w+([,;\t ]+)-?\d+(\.\d+)?([,;\t ]+-?\d+(\.\d+)?)*$')


@DATASETS.register_module()
class CheckedVideoDataset(BadMediaMixin, VideoDataset):
    """The host's ``VideoDataset``, which refuses a faulty annotation file.

    The host finds a bad line late or never: a missing video after some hours,
    a label out of range in the loss, a wrong separator as a missing file
    named like the line. Here the file is checked as a whole when it is
    loaded, and one error lists what is wrong with it. No line is skipped but
    blank ones.

    A line is ``PATH LABEL``, with ``multi_class`` ``PATH LABEL LABEL ...``,
    with ``regression`` ``PATH VALUE``. In ``test_mode`` a file of classes may
    leave out all labels.

    With ``num_repeats`` a sample is a list: the frames are chosen and decoded
    once, and what follows runs that many times on copies of them (repeated
    augmentation). Such a loader needs
    ``collate_fn=dict(type='repeat_pseudo_collate')``, which puts the copies
    next to each other. The host's ``RepeatAugDataset`` accepts no opening and
    decoding steps but its own, and neither numbers nor windows.

    Args:
        ann_file (str): Path of the annotation file.
        pipeline (list[dict]): Transforms.
        data_prefix (dict): Folder of the videos. Defaults to
            ``dict(video='')``.
        multi_class (bool): Whether a video has several labels. Defaults to
            False.
        num_classes (int, optional): Each label must be below; the names in
            ``metainfo.classes``, if any, must be as many. Defaults to None.
        start_index (int): Number of the first frame. Defaults to 0.
        modality (str): Kind of the frames. Defaults to 'RGB'.
        test_mode (bool): Whether the data are for a test. Defaults to False.
        delimiter (str): Between the columns. Defaults to ' '.
        check_files (bool): Whether to check that the videos exist. Only
            local files are checked: not URLs, nor those of a pipeline whose
            ``io_backend`` is another than 'disk'. Defaults to True.
        regression (bool): Whether labels are numbers instead of classes.
            Defaults to False.
        num_repeats (int): Copies of each video in a training batch.
            Defaults to 1, without the list.
        **kwargs: Further arguments of ``BadMediaMixin``, such as
            ``bad_media``, and of mmengine's ``BaseDataset``.

    Raises:
        FileNotFoundError: If the annotation file does not exist, or more
            videos than ``bad_media`` allows.
        ValueError: If the file is empty or a line of it has another form or
            a label that is out of range; if an argument is not allowed.
    """

    # Columns after the label, see subclasses.
    extra_columns: Tuple[str, ...] = ()
    needs_extra = True  # whether a line without them is an error

    def __init__(self,
                 ann_file: str,
                 pipeline: List[Any],
                 data_prefix: dict = dict(video=''),
                 multi_class: bool = False,
                 num_classes: Optional[int] = None,
                 start_index: int = 0,
                 modality: str = 'RGB',
                 test_mode: bool = False,
                 delimiter: str = ' ',
                 *,
                 check_files: bool = True,
                 regression: bool = False,
                 num_repeats: int = 1,
                 **kwargs: Any) -> None:
        # A call by position, written for an older order of the arguments,
        # would be misread without an error.
        if not isinstance(data_prefix, dict) or not isinstance(
                multi_class, bool):
            raise ValueError(
                'data_prefix must be a dict and multi_class True or False, '
                f'but they are {data_prefix!r} and {multi_class!r}; give by '
                'name what the host lacks, such as check_files')
        if multi_class and num_classes is None:
            raise ValueError('multi_class=True needs num_classes, the length '
                             'of the label vector')
        if num_repeats < 1 or num_repeats > 1 and test_mode:
            raise ValueError('num_repeats must be at least 1, and 1 in test '
                             f'mode, but is {num_repeats}')
        self.check_files = check_files
        self.regression = regression
        self.num_repeats = num_repeats
        super().__init__(ann_file, pipeline, data_prefix, multi_class,
                         num_classes, start_index, modality, test_mode,
                         delimiter, **kwargs)
        self._check_names()

    @classmethod
    def _load_metainfo(cls, metainfo: Any = None) -> dict:
        """Read the names of classes; blank lines do not shift labels."""
        info = super()._load_metainfo(metainfo)
        if metainfo and isinstance(metainfo.get('classes'), str) and \
                isinstance(info['classes'], list):
            # The host takes a blank line for a class, and later labels would
            # shift.
            info['classes'] = clean_class_names(info['classes'])
        return info

    def load_data_list(self) -> List[dict]:
        """Read and check the annotation file.

        Returns:
            list[dict]: Samples with ``filename`` (str) and ``label`` (int,
            -1 for none; list[int] with ``multi_class``; float with
            ``regression``).

        Raises:
            FileNotFoundError: See the class.
            ValueError: See the class.
        """
        lines = [(number, line.strip())
                 for number, line in enumerate(self._read_lines(), 1)
                 if line.strip()]
        if not lines:
            raise ValueError(
                f'annotation file {self.ann_file} is empty. Write a line '
                f'{self._form()} for each video.')
        limited = self.num_classes is not None and not self.regression
        labels = (f' and labels from 0 to {self.num_classes - 1}'
                  if limited else '')
        samples = read_all(
            lines, self._parse_line, f'annotation file {self.ann_file}',
            'lines', f'A line is {self._form()}{labels}. Correct the file, '
            'delimiter or num_classes.')
        numbers = [number for number, _ in lines]
        self._check_unlabelled(samples, numbers)
        if self.check_files and self._is_local():
            self._check_exist(samples, numbers)
        return samples

    def _read_lines(self) -> List[str]:
        """Read the annotation file."""
        return read_lines(
            self.ann_file,
            'Correct ann_file and data_root, or write the file first.')

    def _form(self) -> str:
        """Return the form of a line."""
        if self.multi_class:
            return self.delimiter.join(['PATH', 'LABEL', 'LABEL', '...'])
        label = 'VALUE' if self.regression else 'LABEL'
        form = self.delimiter.join(['PATH', label, *self.extra_columns])
        short = self.delimiter.join(['PATH', label])
        return form if self.needs_extra else f'{short} or {form}'

    def _parse_line(self, number: int, line: str) -> dict:
        """Read a line, whose number is in the error."""
        try:
            return self._parse(line)
        except ValueError as error:
            raise ValueError(f'line {number}: {error}') from error

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
        extra = labels[1:] if self.extra_columns else []
        columns = [2 + len(self.extra_columns)]
        if not self.needs_extra:
            columns.insert(0, 2)
        if not labels:
            self._check_alone(line)
        elif 1 + len(labels) not in columns and not self.multi_class:
            raise ValueError(
                f'{quote_line(line)} has {len(labels) + 1} columns '
                f'instead of {" or ".join(map(str, columns))}')
        values = [
            self._parse_label(label)
            for label in labels[:len(labels) - len(extra)]
        ]
        path = os.path.join(self.data_prefix['video'] or '', path)
        if self.multi_class:
            return dict(filename=path, label=values)
        sample = dict(filename=path, label=values[0] if values else -1)
        self._add_extra(sample, extra)
        return sample

    def _add_extra(self, sample: dict, extra: Sequence[str]) -> None:
        """Read the columns after the label into a sample, in place."""

    def _check_alone(self, line: str) -> None:
        """Raise ValueError if a line should have had a label."""
        other = _OTHER_SEPARATOR.search(line)
        if other:
            raise ValueError(f'{quote_line(line)} is not separated by '
                             f'{self.delimiter!r} but by {other.group(1)!r}; '
                             f'set delimiter={other.group(1)!r}')
        needed = self.multi_class or self.regression or self.extra_columns
        if needed or not self.test_mode:
            raise ValueError(f'{quote_line(line)} has no label')

    def _parse_label(self, text: str) -> Union[int, float]:
        """Read a label and check its range."""
        if self.regression:
            return parse_number(text, 'label')
        try:
            label = int(text)
        except ValueError:
            raise ValueError(f'label {text!r} is not an integer') from None
        if label < 0:
            raise ValueError(f'label {label} is negative')
        if self.num_classes is not None and label >= self.num_classes:
            raise ValueError(f'label {label} is out of range for num_classes='
                             f'{self.num_classes}')
        return label

    def _check_names(self) -> None:
        """Raise ValueError if there are more or fewer names than classes."""
        names = self.metainfo.get('classes')
        if self.num_classes is None or not isinstance(names, (list, tuple)):
            return
        if len(names) != self.num_classes:
            raise ValueError(
                f'metainfo.classes names {len(names)} classes, but '
                f'num_classes={self.num_classes}. Correct the list of names '
                'or num_classes, also that of the head.')

    def _check_unlabelled(self, samples: List[dict],
                          numbers: List[int]) -> None:
        """Raise ValueError if some lines have a label and some have none."""
        if self.regression:  # -1 is a value there
            return
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
        """Raise FileNotFoundError if too many videos do not exist."""
        paths = [video_path(sample['filename']) for sample in samples]
        check_exist(
            paths,
            f'annotation file {self.ann_file}',
            'Correct the file or data_prefix (now video='
            f'{self.data_prefix["video"]!r}); check_files=False leaves this '
            'to the training.',
            labels=[f'line {number}' for number in numbers],
            allowed=self.allowed_missing(len(paths)))

    def get_data_info(self, idx: int) -> dict:
        """Return a sample before its pipeline.

        Args:
            idx (int): Number of the sample.

        Returns:
            dict: With ``label``: int, for ``multi_class`` a vector of 0 and
            1, for ``regression`` a float32 tensor of shape (1, ).
        """
        info = super().get_data_info(idx)
        if self.regression:
            info['label'] = torch.tensor([info['label']])
        return info

    def get_cat_ids(self, idx: int) -> List[int]:
        """Return the classes of a sample, for ``ClassBalancedDataset``.

        Args:
            idx (int): Number of the sample.

        Returns:
            list[int]: None for a sample without a label.

        Raises:
            ValueError: If labels are numbers.
        """
        if self.regression:
            raise ValueError(
                f'annotation file {self.ann_file} holds numbers: there are no '
                'classes to balance; leave ClassBalancedDataset out')
        # As in the file: neither a vector of 0 and 1 nor a look at the video.
        label = BaseDataset.get_data_info(self, idx)['label']
        labels = label if isinstance(label, list) else [label]
        return [int(one) for one in labels if one >= 0]

    def prepare_data(self, idx: int) -> Union[dict, List[dict], None]:
        """Run the pipeline on a sample.

        Args:
            idx (int): Number of the sample.

        Returns:
            dict | list[dict] | None: The result, ``num_repeats`` of them if
            more than one; None where a step gives the sample up.
        """
        if self.num_repeats == 1:
            return super().prepare_data(idx)
        sample, steps = self.get_data_info(idx), self.pipeline.transforms
        shared = 0
        while 'imgs' not in sample and shared < len(steps):
            sample = steps[shared](sample)
            if sample is None:
                return None
            shared += 1
        if shared < len(steps) and isinstance(steps[shared], DrawClip):
            return steps[shared].transform_copies(sample, self.num_repeats)
        copies = [copy.deepcopy(sample) for _ in range(self.num_repeats - 1)]
        copies.append(sample)
        for step in steps[shared:]:
            # Step by step, not copy by copy: DrawClip draws in the same order.
            copies = [step(one) for one in copies]
            if any(one is None for one in copies):
                return None
        return copies
