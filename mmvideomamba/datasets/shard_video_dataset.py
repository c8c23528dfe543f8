"""Video data set that reads tar shards instead of single files."""
import logging
import os
import re
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from mmengine import dist
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmvideomamba.registry import DATASETS
from .annotation_faults import fault_list, quote_line
from .captions.shard_counts import count_path
from .captions.shard_records import ShardEntry, ShardRecords
from .captions.tar_shard import ShardCutError
from .checked_video_dataset import CheckedVideoDataset
from .video.errors import MediaError, MissingMediaError

HOST_OPENERS = ('DecordInit', 'OpenCVInit', 'PIMSInit', 'PyAVInit')
REMEDY = 'Copy the shard again, or leave the video out.'
# Shard, and the number of a sample within.
_PLACE = re.compile(r'(.+?\.tar)/(\d+)/.')


@DATASETS.register_module()
class ShardVideoDataset(CheckedVideoDataset):
    """The ``CheckedVideoDataset`` of videos in tar shards.

    ``ann_file`` is a list that ``write_video_shards`` wrote, with shards
    next to the list, or a pattern such as ``shards/*.tar`` for shards of
    another origin. A line of the list is ``SHARD.tar/NUMBER/NAME LABEL``;
    lines may be left out or change places. Shards of a pattern have a medium
    and a ``.txt`` with labels, or a ``.json`` with the key ``label``, for
    each sample; each start reads all labels.

    The pipeline opens the videos by ``mmvideomamba.OpenVideo``, from the
    ``content`` (bytes) of a sample. ``ShardSampler`` orders the samples so
    that a worker reads on in a few shards; with any other sampler reading
    jumps from shard to shard, at a header or two a sample.

    The name of a video and the labels in the shard are compared with the
    list each time. Videos in shards that are gone or end early, with
    ``on_short='skip'``, and samples without label or medium are bad media:
    more than ``bad_media`` allows are an error at the start.

    Args:
        *args: See ``CheckedVideoDataset``; ``check_files`` and
            ``data_prefix`` have no meaning here.
        on_short (str): For a shard that ends early or is gone, 'raise' or
            'skip', see ``ShardRecords``. Defaults to 'raise'.
        count_file (str, optional): See ``ShardRecords``; '' for none.
            Defaults to None, the file of ``write_video_shards`` next to a
            list, and none for a pattern.
        **kwargs: See ``CheckedVideoDataset``.

    Raises:
        FileNotFoundError: If the list or all shards do not exist.
        ShardCutError: If a shard ends early or is gone.
        ValueError: As for ``CheckedVideoDataset``; if the pipeline opens
            files by a step of the host.
    """

    def __init__(self,
                 *args: Any,
                 on_short: str = 'raise',
                 count_file: Optional[str] = None,
                 **kwargs: Any) -> None:
        self.on_short, self.count_file = on_short, count_file
        self._ends: Optional[np.ndarray] = None
        # The videos are not files: _judge counts missing samples.
        kwargs['check_files'] = False
        super().__init__(*args, **kwargs)
        for step in self.pipeline.transforms:
            if type(step).__name__ in HOST_OPENERS:
                raise ValueError(
                    f'{type(step).__name__} in the pipeline of '
                    'ShardVideoDataset opens files, not shards; take '
                    'mmvideomamba.OpenVideo and mmvideomamba.DecodeFrames')

    @property
    def _by_pattern(self) -> bool:
        """Whether the labels are in the shards alone."""
        return self.ann_file.endswith('.tar')

    def load_data_list(self) -> List[dict]:
        """Read and check the list and the shards.

        Returns:
            list[dict]: Samples as in ``CheckedVideoDataset``, with ``place``
            (int), the number over all shards, -1 for a missing sample.

        Raises:
            FileNotFoundError: See the class.
            ShardCutError: See the class.
            ValueError: See the class.
        """
        counts = self.count_file
        if counts is None:
            counts = '' if self._by_pattern else count_path(self.ann_file)
        elif counts:
            counts = os.path.join(self.data_root or '', counts)
        if self._by_pattern:
            # A character that no path and no label has.
            self.data_prefix, self.delimiter = dict(video=''), '\0'
            self.reader = ShardRecords(
                self.ann_file,
                on_short=self.on_short,
                count_file=counts,
                any_order=True)
            places, self._lines = self._lines_of_shards()
            samples = super().load_data_list()
            # Else each worker would hold the lines.
            del self._lines
        else:
            self.data_prefix = dict(video=os.path.dirname(self.ann_file))
            samples = super().load_data_list()
            found = [self._split(sample['filename']) for sample in samples]
            self.reader = ShardRecords(
                list(dict.fromkeys(shard for shard, _ in found)),
                on_short=self.on_short,
                count_file=counts,
                any_order=True)
            places = self._places_of(found)
        self.reader.faults.clear()  # else each worker would hold them
        return [dict(one, place=at) for one, at in zip(samples, places)]

    def _read_lines(self) -> List[str]:
        """Return the lines of the list."""
        return self._lines if self._by_pattern else super()._read_lines()

    def _parse_line(self, number: int, line: str) -> dict:
        """Read a line; the error names the line, or the sample."""
        if not self._by_pattern:
            return super()._parse_line(number, line)
        try:
            return self._parse(line)
        except ValueError as error:
            name = line.split(self.delimiter)[0]
            raise ValueError(f'{name}: {error}') from error

    def _parse(self, line: str) -> dict:
        """Read a line; the path must name a place in a shard."""
        sample = super()._parse(line)
        if not self._by_pattern and not self._split(sample['filename'])[0]:
            raise ValueError(f'{quote_line(line)} does not begin with '
                             'SHARD.tar/NUMBER/NAME')
        return sample

    def _form(self) -> str:
        """Return the form of a line."""
        form = super()._form().replace('PATH', 'SHARD.tar/NUMBER/NAME')
        return form.replace('\0', ' ')

    def _split(self, path: str) -> Tuple[str, int]:
        """Return shard and number of a sample, or ('', -1)."""
        folder = os.path.join(self.data_prefix['video'], '')
        place = _PLACE.match(path, len(folder))
        return (folder + place[1], int(place[2])) if place else ('', -1)

    def _lines_of_shards(self) -> Tuple[List[int], List[str]]:
        """Read the labels of all shards, in the first process."""
        found: List[Any] = [None]
        if dist.is_main_process():
            try:
                found = [self._scan()]
            except (OSError, ValueError) as error:
                # Broadcast like a result: the other processes would wait for
                # ever.
                found = [error]
        dist.broadcast_object_list(found)
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    def _scan(self) -> Tuple[List[int], List[str]]:
        """Read the labels of all shards."""
        places, lines, faults = [], [], []
        for place in range(len(self.reader)):
            try:
                entry = self.reader.entry(place)
                labels = labels_of(entry)
            except ShardCutError:
                raise
            except ValueError as error:
                faults.append(str(error))
                continue
            lines.append(self.delimiter.join([entry.name, *labels]))
            places.append(place)
        self._judge(faults, len(self.reader))
        return places, lines

    def _places_of(self, found: List[Tuple[str, int]]) -> List[int]:
        """Find listed samples in the shards."""
        ends = self.reader.shard_ends.tolist()
        spans: Dict[str, Tuple[int, int]] = {
            shard: (start, end)
            for shard, start, end in zip(self.reader.shards, [0, *ends], ends)
        }
        places, faults = [], list(self.reader.faults)
        for shard, number in found:
            start, end = spans.get(shard, (0, 0))
            places.append(start + number if start + number < end else -1)
            if places[-1] < 0:
                faults.append(f'shard {shard}: there is no sample {number}')
        self._judge(faults, len(found))
        return places

    def _judge(self, faults: List[str], samples: int) -> None:
        """Refuse faulty samples found at the start, or log them."""
        if not faults:
            return
        allowed = self.allowed_missing(samples)
        message = fault_list(
            f'{self.ann_file}: {len(faults)} of {samples} samples cannot be '
            'used', faults, REMEDY)
        if len(faults) > allowed:
            limit = (f' bad_media and max_bad_share allow {allowed}.'
                     if allowed else '')
            raise ValueError(message + limit)
        print_log(message, 'current', logging.WARNING)

    def get_data_info(self, idx: int) -> dict:
        """Return a sample before its pipeline.

        Args:
            idx (int): Number of the sample.

        Returns:
            dict: See ``CheckedVideoDataset``, with ``content`` (bytes).

        Raises:
            MediaError: If the sample cannot be read, or the decoder hung on
                the video before.
            ShardCutError: If the shard ends early or is gone.
            ValueError: If the shard holds another video or other labels.
        """
        info = super().get_data_info(idx)
        path, place = info['filename'], info.pop('place')
        if place < 0:
            raise MissingMediaError(path, 'is missing in the shard', REMEDY)
        try:
            entry = self.reader.entry(place)
            labels, info['content'] = labels_of(entry), entry.medium()
        # A ValueError as well, but not the fault of a sample: on_short
        # decides.
        except ShardCutError:
            raise
        except (OSError, ValueError) as error:
            raise MediaError(path, f'cannot be read: {error}', REMEDY) \
                from error
        self._compare(idx, path, entry, labels)
        return info

    def _compare(self, idx: int, path: str, entry: ShardEntry,
                 labels: List[str]) -> None:
        """Raise ValueError if list and shard do not belong together."""
        if entry.name != path:
            raise ValueError(
                f'{entry.where} stands where {self.ann_file} has {path}; take '
                'the list that was written with the shards')
        # As in the list, not a vector of 0 and 1.
        listed = BaseDataset.get_data_info(self, idx)['label']
        expected = listed if isinstance(listed, list) else [listed]
        # A test may be without labels.
        if not labels or expected == [-1] and not self.regression:
            return
        if expected != [self._parse_label(label) for label in labels]:
            raise ValueError(f'{entry.where} has the label {" ".join(labels)},'
                             f' but {self.ann_file} {listed}; take the list '
                             'that was written with the shards')

    def stretches(self) -> np.ndarray:
        """Return the ends of stretches of samples that share a shard.

        Returns:
            np.ndarray: Positions, int64, rising up to the number of samples.
        """
        size = len(self)
        if self._ends is None or self._ends[-1] != size:
            places = np.array([
                BaseDataset.get_data_info(self, i)['place']
                for i in range(size)
            ])
            # An end is the number after the last sample: a sample at an end is
            # the first of the next shard.
            shards = np.searchsorted(
                self.reader.shard_ends, places, side='right')
            self._ends = np.append(np.flatnonzero(np.diff(shards)) + 1, size)
        return self._ends


def labels_of(entry: ShardEntry) -> List[str]:
    """Read the labels of a sample.

    Args:
        entry (ShardEntry): Of a shard.

    Returns:
        list[str]: Words of the ``.txt``, or what the key ``label`` of the
        ``.json`` holds.

    Raises:
        ValueError: If the labels cannot be read.
    """
    found = entry.caption()
    if not entry.place.is_json:
        return found['caption'].split()
    if not isinstance(found, dict) or 'label' not in found:
        raise ValueError(f"{entry.where} has a .json without the key 'label'")
    labels = found['label']
    return [str(x) for x in (labels if isinstance(labels, list) else [labels])]
