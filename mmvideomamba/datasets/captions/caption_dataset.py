"""Images or videos with captions, of several sources, for pretraining."""
import logging
import os
import random
from bisect import bisect_right
from itertools import accumulate
from typing import Any, Dict, List, Sequence, Union

import numpy as np
from mmengine.dataset import Compose
from mmengine.logging import print_log
from torch.utils.data import Dataset

from mmvideomamba.registry import DATASETS
from ..annotation_faults import fault_list
from ..bad_media import BadMediaMixin
from ..video.errors import MediaError
from .formats import CaptionReader, open_captions
from .record import Record
from .tar_shard import ShardCutError

MODALITIES = ('video', 'image')
PAIR_IDS = ('source', 'global')
STRETCH = 1000  # entries of other sources than shards


@DATASETS.register_module()
class CaptionDataset(BadMediaMixin, Dataset):
    """Pairs of a medium and a caption, of one modality.

    Samples of the pipeline have ``filename`` (str), ``text`` (str, drawn by
    Python's generator where an entry has several), ``pair_id`` (int) and,
    for shards, ``content`` (bytes), see ``OpenClip`` and ``ReadImage``.

    With ``bad_media='replace'`` another pair takes the place of a pair whose
    medium or entry cannot be read; the published training keeps the text and
    takes another video. Faulty entries that are known at the start, those of
    a '.json' list and parts missing in shards, are counted there: 'raise'
    refuses them all at once, the other policies log them and go on within
    their bound. A shard that ends early is another matter, see
    ``ShardRecords``.

    Args:
        sources (Sequence[dict]): Each with ``ann_file``, by its ending a
            '.json' list, '.jsonl', '.sqlite' or '.db', or '.tar' shards (a
            pattern of the shell), see ``FORMATS``, and optionally
            ``media_root``. Further keys are arguments of the reader, for
            example ``on_short``.
        pipeline (Sequence[dict]): Transforms.
        modality (str): 'video' or 'image', the key of the media in JSON.
            Defaults to 'video'.
        data_root (str): Start of relative paths, ``count_file`` of shards
            among them. Defaults to ''.
        pair_ids (str): 'source' for the place of an entry within the source,
            as published: pairs of different sources can have the same id
            and then count as positives; 'global' for unequal ids.
            Defaults to 'source'.
        **kwargs: Arguments of ``BadMediaMixin``, such as ``bad_media``.

    Raises:
        FileNotFoundError: If a source does not exist.
        ShardCutError: If a shard ends early or is gone, see
            ``ShardRecords``.
        ValueError: If a source cannot be read or has more faulty entries
            than ``bad_media`` allows, or an argument is not allowed.
    """

    def __init__(self,
                 sources: Sequence[dict],
                 pipeline: Sequence[Union[dict, Any]],
                 modality: str = 'video',
                 data_root: str = '',
                 pair_ids: str = 'source',
                 **kwargs: Any) -> None:
        for name, value, allowed in (('modality', modality, MODALITIES),
                                     ('pair_ids', pair_ids, PAIR_IDS)):
            if value not in allowed:
                raise ValueError(f'{name} of CaptionDataset must be one of '
                                 f'{list(allowed)}, but is {value!r}')
        if not sources:
            raise ValueError('CaptionDataset needs at least one source')
        super().__init__(**kwargs)
        self.modality, self.pair_ids = modality, pair_ids
        self.pipeline = Compose(pipeline)
        self.metainfo: Dict[str, Any] = {}
        self.readers: List[CaptionReader] = []
        self.roots: List[str] = []
        self.names: List[str] = []
        for source in sources:
            self._add(dict(source), data_root)
        self.ends = list(accumulate(len(reader) for reader in self.readers))
        self._judge_faults()

    def _add(self, source: dict, data_root: str) -> None:
        """Open a source."""
        if 'ann_file' not in source:
            raise ValueError('each of the sources of CaptionDataset needs an '
                             f'ann_file, but one is {source}')
        path = os.path.join(data_root, source.pop('ann_file'))
        root = os.path.join(data_root, source.pop('media_root', ''))
        if source.get('count_file'):
            source['count_file'] = os.path.join(data_root,
                                                source['count_file'])
        self.readers.append(open_captions(path, self.modality, **source))
        self.roots.append(root)
        self.names.append(path)

    def _judge_faults(self) -> None:
        """Refuse faulty entries found at the start, or log them."""
        faults: List[str] = []
        for path, reader in zip(self.names, self.readers):
            found = getattr(reader, 'faults', [])
            faults += [f'{path}: {fault}' for fault in found]
            found.clear()  # else each worker would hold them
        if not faults:
            return
        allowed = self.allowed_missing(len(self))
        message = fault_list(
            f'{self.source}: {len(faults)} of {len(self)} entries cannot be '
            'used', faults, 'Correct these entries, or leave them out.')
        if len(faults) > allowed:
            limit = (f' bad_media and max_bad_share allow {allowed}.'
                     if allowed else '')
            raise ValueError(message + limit)
        print_log(message, 'current', logging.WARNING)

    @property
    def source(self) -> str:
        """The caption files, for messages."""
        return ', '.join(self.names)

    def __len__(self) -> int:
        return self.ends[-1]

    def stretches(self) -> np.ndarray:
        """Return the ends of stretches of samples that share a disk area.

        Returns:
            np.ndarray: Shards, or thousands of entries, int64, rising up to
            the number of samples.
        """
        ends = []
        for last, reader in zip(self.ends, self.readers):
            count = len(reader)
            parts = getattr(reader, 'shard_ends', None)
            if parts is None:
                parts = np.append(np.arange(STRETCH, count, STRETCH), count)
            ends.append(parts + (last - count))
        return np.concatenate(ends)

    def get_data_info(self, idx: int) -> dict:
        """Read an entry.

        Args:
            idx (int): Number of the sample, over all sources.

        Returns:
            dict: Sample for the pipeline.

        Raises:
            MediaError: If the entry cannot be read, or the decoder hung on
                the medium before.
            ShardCutError: If a shard ends early or is gone, see
                ``ShardRecords``.
        """
        source = bisect_right(self.ends, idx)
        place = idx - (self.ends[source - 1] if source else 0)
        record = self._read(source, place)
        info: Dict[str, Any] = dict(
            filename=record.name,
            # Of the frames, for the host's Flip.
            modality='RGB',
            text=random.choice(record.captions),
            # As published: the number within the source's file.
            pair_id=place if self.pair_ids == 'source' else idx)
        if record.content is None:
            info['filename'] = os.path.join(self.roots[source], record.name)
        else:
            info['content'] = record.content
        self.refuse_hung(info['filename'])
        return info

    def _read(self, source: int, place: int) -> Record:
        """Read an entry of a source."""
        try:
            return self.readers[source][place]
        # A ValueError as well, but not the fault of an entry: on_short
        # decides.
        except ShardCutError:
            raise
        except (OSError, ValueError) as error:
            raise MediaError(
                f'{place} of {self.names[source]}',
                f'cannot be read: {error}',
                'Correct the entry or leave it out.',
                kind='entry') from error

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on a sample.

        Args:
            idx (int): Number of the sample.

        Returns:
            dict: The result of the pipeline.
        """
        return self.pipeline(self.get_data_info(idx))

    def _strict(self, idx: int) -> Any:
        return self.prepare_data(idx)
