"""Videos and descriptions of videos, for retrieval."""
import os
import random
from typing import Any, Dict, List, NamedTuple, Tuple

from mmaction.datasets import BaseActionDataset

from mmvideomamba.registry import DATASETS
from ..bad_media import BadMediaMixin
from .json_list import check_videos, read_json_entries
from .texts import captions_of, clean_caption, strings_of

TRAIN_TEXTS = ('each', 'random')


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
    the same video.

    In ``test_mode`` a video is a sample, with ``video_index``, and the set
    tells ``texts``, ``videos_of_text`` and ``texts_of_video`` to the
    retrieval loops. Else a sample is a video with ``text`` (str) and
    ``pair_id`` (int), the number of the video, or of the entry where an
    entry has several videos.

    Args:
        *args: Of the host's ``BaseActionDataset``, from ``ann_file``, the
            JSON file, and ``pipeline`` on. Samples have ``filename``.
        paragraph (bool): Whether the captions of an entry are the sentences
            of a single text. Defaults to False.
        train_texts (str): 'each' for a training sample per video and
            caption, 'random' for a sample per video, with a caption drawn
            each time from Python's generator. Defaults to 'each'.
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
                 check_files: bool = True,
                 **kwargs: Any) -> None:
        if train_texts not in TRAIN_TEXTS:
            raise ValueError(f'train_texts must be one of {list(TRAIN_TEXTS)}'
                             f', but is {train_texts!r}')
        self.paragraph, self.train_texts = paragraph, train_texts
        self.check_files = check_files
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
            os.path.join(folder, v) for v in strings_of(entry, key, where)
        ]
        texts = captions_of(entry, where)
        if self.paragraph:
            texts = [clean_caption(' '.join(texts))]
        return _Entry(videos, texts)

    def load_data_list(self) -> List[dict]:
        """Read and check the file.

        Returns:
            list[dict]: Samples; see the class.

        Raises:
            FileNotFoundError: See the class.
            ValueError: See the class.
        """
        entries = read_json_entries(self.ann_file, self._read)
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
        samples = []
        for number, (videos, texts) in enumerate(entries):
            several = len(videos) > 1
            for video in videos:
                # No number of an entry may be the number of a video.
                pair_id = len(numbers) + number if several else numbers[video]
                groups: List[Tuple[str, ...]] = [tuple(texts)]
                if self.train_texts == 'each':
                    groups = [(text, ) for text in texts]
                samples += [
                    dict(filename=video, texts=group, pair_id=pair_id)
                    for group in groups
                ]
        return samples

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
