"""Videos and descriptions of videos, for retrieval."""
import logging
import os
import random
from collections import Counter
from typing import Any, Dict, List, NamedTuple, Tuple

from mmaction.datasets import BaseActionDataset
from mmengine.logging import print_log

from mmvideomamba.registry import DATASETS
from ..bad_media import BadMediaMixin
from .json_list import check_videos, read_json_entries
from .linked_groups import linked_groups
from .texts import captions_of, clean_caption, strings_of

TRAIN_TEXTS = ('each', 'random')
PAIR_IDS = ('video', 'caption')


class _Entry(NamedTuple):
    """Videos and texts; each text describes each video."""
    videos: List[str]
    texts: List[str]


@DATASETS.register_module()
class RetrievalDataset(BadMediaMixin, BaseActionDataset):
    """A JSON list of videos and captions, for fine-tuning and evaluation.

    An entry is ``{"video": PATH, "caption": TEXT}``, where ``image`` may
    stand for ``video``, and each may be a list: all captions of
    an entry describe all videos of the entry. A path in several entries is
    the same video, also where the path is spelt in another way, such as
    ``./a.mp4`` for ``a.mp4``.

    In ``test_mode`` a video is a sample, with ``video_index``, and the set
    tells ``texts``, ``videos_of_text`` and ``texts_of_video`` to the
    retrieval loops. Else a sample is a video with ``text`` (str) and
    ``pair_id`` (int); the losses take samples of equal id for positives.
    All samples of a video have the same id, and so have the videos of
    an entry: no video is a negative of an own caption. A pair of a video and
    a caption trains once, however often the file holds the pair; doubles are
    counted in the log.

    Args:
        *args: Of the host's ``BaseActionDataset``, from ``ann_file``, the
            JSON file, and ``pipeline`` on. Samples have ``filename``.
        paragraph (bool): Whether the captions of an entry are the sentences
            of a single text. Defaults to False.
        train_texts (str): 'each' for a training sample per video and
            caption, 'random' for a sample per video, with a caption drawn
            each time from Python's generator. Defaults to 'each'.
        pair_ids (str): 'video' tells videos apart by path, also videos of
            the same name in several folders; 'caption' gives videos
            of an equal cleaned caption the same id, as in the published runs
            on Something-Something V2. Defaults to 'video'.
        check_files (bool): Whether missing videos are errors. Defaults to
            True.
        **kwargs: Further arguments of ``BadMediaMixin``, such as
            ``bad_media``, and of ``BaseActionDataset``, such as
            ``data_prefix`` and ``test_mode``.

    Raises:
        FileNotFoundError: If the file does not exist, or more videos than
            ``bad_media`` allows.
        ValueError: If an entry cannot be read, or an argument is not
            allowed.
    """

    def __init__(self,
                 *args: Any,
                 paragraph: bool = False,
                 train_texts: str = 'each',
                 pair_ids: str = 'video',
                 check_files: bool = True,
                 **kwargs: Any) -> None:
        for name, value, allowed in (('train_texts', train_texts, TRAIN_TEXTS),
                                     ('pair_ids', pair_ids, PAIR_IDS)):
            if value not in allowed:
                raise ValueError(f'{name} of RetrievalDataset must be one of '
                                 f'{list(allowed)}, but is {value!r}')
        self.paragraph, self.train_texts = paragraph, train_texts
        self.pair_ids = pair_ids
        self.check_files = check_files
        self._spelling: Dict[str, str] = {}
        self.texts: List[str] = []
        self.videos_of_text: List[List[int]] = []
        self.texts_of_video: List[List[int]] = []
        super().__init__(*args, **kwargs)

    def _read(self, number: int, entry: Any) -> _Entry:
        """Read an entry."""
        where = f'entry {number}'
        key = 'video'
        if isinstance(entry, dict) and 'video' not in entry and ('image'
                                                                 in entry):
            key = 'image'
        folder = self.data_prefix.get('video') or ''
        videos = [
            self._same_spelling(os.path.join(folder, v))
            for v in strings_of(entry, key, where)
        ]
        texts = captions_of(entry, where)
        if self.paragraph:
            texts = [clean_caption(' '.join(texts))]
        return _Entry(videos, texts)

    def _same_spelling(self, path: str) -> str:
        """Return the first spelling of a path in the file."""
        if '://' in path:
            return path
        return self._spelling.setdefault(os.path.abspath(path), path)

    def load_data_list(self) -> List[dict]:
        """Read and check the file.

        Returns:
            list[dict]: Samples; see the class.

        Raises:
            FileNotFoundError: See the class.
            ValueError: See the class.
        """
        entries = read_json_entries(self.ann_file, self._read)
        # Of use while the list is read; later each worker would hold the
        # table.
        self._spelling.clear()
        numbers: Dict[str, int] = {}
        for entry in entries:
            for video in entry.videos:
                numbers.setdefault(video, len(numbers))
        if self.check_files:
            check_videos(
                list(numbers), self.ann_file, self.data_prefix,
                self.allowed_missing(len(numbers)))
        if self.test_mode:
            self._relate(entries, numbers)
            return [
                dict(filename=video, video_index=i)
                for video, i in numbers.items()
            ]
        return self._training_samples(entries, numbers)

    def _relate(self, entries: List[_Entry], numbers: Dict[str, int]) -> None:
        """Note the texts of each video and the videos of each text."""
        self.texts, self.videos_of_text = [], []
        self.texts_of_video = [[] for _ in numbers]
        for entry in entries:
            videos = sorted({numbers[v] for v in entry.videos})
            for text in entry.texts:
                for video in videos:
                    self.texts_of_video[video].append(len(self.texts))
                self.texts.append(text)
                self.videos_of_text.append(videos)

    def _training_samples(self, entries: List[_Entry],
                          numbers: Dict[str, int]) -> List[dict]:
        """Make a sample of each pair, or of each video."""
        # A dict keeps the order of the file and drops doubles.
        pairs = list(
            dict.fromkeys((video, text) for entry in entries
                          for video in entry.videos for text in entry.texts))
        doubles = sum(len(e.videos) * len(e.texts) for e in entries)
        doubles -= len(pairs)
        if doubles:
            print_log(
                f'caption file {self.ann_file}: {doubles} of '
                f'{doubles + len(pairs)} pairs of a video and a caption are '
                'doubles; a pair is trained once an epoch', 'current')
        groups = self._groups(entries, numbers, pairs)
        if self.train_texts == 'each':
            texts_of = [(video, [text]) for video, text in pairs]
        else:
            gathered: Dict[str, List[str]] = {}
            for video, text in pairs:
                gathered.setdefault(video, []).append(text)
            texts_of = list(gathered.items())
        return [
            dict(
                filename=video,
                texts=tuple(texts),
                pair_id=groups[numbers[video]]) for video, texts in texts_of
        ]

    def _groups(self, entries: List[_Entry], numbers: Dict[str, int],
                pairs: List[Tuple[str, str]]) -> List[int]:
        """Number the groups of videos whose pairs are positives."""
        if self.pair_ids == 'video':
            return linked_groups(
                len(numbers), ((numbers[entry.videos[0]], numbers[video])
                               for entry in entries
                               for video in entry.videos[1:]))
        videos_of: Dict[str, int] = {}  # the first video of each text
        groups = linked_groups(
            len(numbers),
            ((videos_of.setdefault(text, numbers[video]), numbers[video])
             for video, text in pairs))
        size = max(Counter(groups[numbers[v]] for v, _ in pairs).values())
        if size > len(pairs) / 2 and len(videos_of) > 1:
            print_log(
                f"caption file {self.ann_file}: pair_ids='caption' makes "
                f'{size} of {len(pairs)} pairs positives of each other, '
                'joined by shared captions and by videos of several captions;'
                " pair_ids='video' tells videos apart", 'current',
                logging.WARNING)
        return groups

    def get_data_info(self, idx: int) -> dict:
        """Return a sample, in training with a single text.

        Args:
            idx (int): Number of the sample.

        Returns:
            dict: Sample for the pipeline.
        """
        info = super().get_data_info(idx)
        if 'texts' in info:
            info['text'] = random.choice(info.pop('texts'))
        return info
