"""Questions about videos, and captions to choose from."""
import os
from collections import Counter
from typing import Any, Dict, List

from mmaction.datasets import BaseActionDataset

from mmvideomamba.registry import DATASETS
from ..bad_media import BadMediaMixin
from .json_list import check_videos, read_json_entries
from .texts import captions_of, clean_caption, one_text, strings_of


class _CheckedJson(BadMediaMixin, BaseActionDataset):
    """A JSON list whose entries are read, and checked, all at once.

    Args:
        *args: Of the host's ``BaseActionDataset``, from ``ann_file``, the
            JSON file, and ``pipeline`` on. Samples have ``filename``.
        check_files (bool): Whether missing videos are errors. Defaults to
            True.
        **kwargs: Further arguments of ``BadMediaMixin``, such as
            ``bad_media``, and of ``BaseActionDataset``, such as
            ``data_prefix`` and ``test_mode``.
    """

    def __init__(self,
                 *args: Any,
                 check_files: bool = True,
                 **kwargs: Any) -> None:
        self.check_files = check_files
        super().__init__(*args, **kwargs)

    def _read(self, where: str, entry: Any) -> Dict[str, Any]:
        """Read an entry but for its video."""
        raise NotImplementedError

    def load_data_list(self) -> List[dict]:
        """Read and check the file.

        Returns:
            list[dict]: Samples; see the class.

        Raises:
            FileNotFoundError: See the class.
            ValueError: See the class.
        """
        folder = self.data_prefix.get('video') or ''

        def read(number: int, entry: Any) -> Dict[str, Any]:
            where = f'entry {number}'
            video = one_text(entry, 'video', where)
            return dict(
                filename=os.path.join(folder, video),
                **self._read(where, entry))

        samples = read_json_entries(self.ann_file, read)
        if self.check_files:
            videos = list(dict.fromkeys(s['filename'] for s in samples))
            check_videos(videos, self.ann_file, self.data_prefix,
                         self.allowed_missing(len(videos)))
        return samples


@DATASETS.register_module()
class VideoQADataset(_CheckedJson):
    """A JSON list of questions about videos.

    An entry is ``{"video": PATH, "question": TEXT, "question_id": ID,
    "answer": TEXT}``, where the answer may be a list, of several people. A
    sample has ``question`` (str, cleaned as a caption), ``question_id``,
    ``gt_answer`` (list[str], each once) and ``gt_answer_weight``
    (list[float], the share of the people), as mmaction2's ``MSRVTTVQA``,
    which does not check the file.

    Args:
        *args: Of the host's ``BaseActionDataset``, from ``ann_file``, the
            JSON file, and ``pipeline`` on. Samples have ``filename``.
        check_files (bool): Whether missing videos are errors. Defaults to
            True.
        **kwargs: Further arguments of ``BadMediaMixin``, such as
            ``bad_media``, and of ``BaseActionDataset``, such as
            ``data_prefix`` and ``test_mode``.

    Raises:
        FileNotFoundError: If the file does not exist, or more videos than
            ``bad_media`` allows.
        ValueError: If an entry cannot be read.
    """

    def _read(self, where: str, entry: Any) -> Dict[str, Any]:
        question = clean_caption(one_text(entry, 'question', where))
        if not question:
            raise ValueError(f'{where} has an empty question: '
                             f'{entry["question"]!r}')
        answers = strings_of(entry, 'answer', where)
        if not all(answer.strip() for answer in answers):
            raise ValueError(f'{where} has an empty answer: {answers!r}')
        if 'question_id' not in entry:
            raise ValueError(f"{where} has no 'question_id', only "
                             f'{sorted(entry)!r}')
        count = Counter(answers)
        return dict(
            question=question,
            question_id=entry['question_id'],
            gt_answer=list(count),
            gt_answer_weight=[n / len(answers) for n in count.values()])


@DATASETS.register_module()
class VideoMCDataset(_CheckedJson):
    """A JSON list of videos, each with a right and some wrong captions.

    An entry is ``{"video": PATH, "caption": [TEXT, ...], "answer": INDEX}``.
    A sample has ``caption_options`` (list[str], cleaned) and ``label``
    (int), as mmaction2's ``MSRVTTVQAMC``, which does not check the file.

    Args:
        *args: Of the host's ``BaseActionDataset``, from ``ann_file``, the
            JSON file, and ``pipeline`` on. Samples have ``filename``.
        num_options (int): Captions of each entry. Defaults to 5.
        check_files (bool): Whether missing videos are errors. Defaults to
            True.
        **kwargs: Further arguments of ``BadMediaMixin``, such as
            ``bad_media``, and of ``BaseActionDataset``, such as
            ``data_prefix`` and ``test_mode``.

    Raises:
        FileNotFoundError: If the file does not exist, or more videos than
            ``bad_media`` allows.
        ValueError: If an entry cannot be read, or ``num_options`` is below
            2.
    """

    def __init__(self,
                 *args: Any,
                 num_options: int = 5,
                 check_files: bool = True,
                 **kwargs: Any) -> None:
        if num_options < 2:
            raise ValueError('num_options of VideoMCDataset must be at least '
                             f'2, but is {num_options}')
        self.num_options = num_options
        super().__init__(*args, check_files=check_files, **kwargs)

    def _read(self, where: str, entry: Any) -> Dict[str, Any]:
        options = captions_of(entry, where)
        if len(options) != self.num_options:
            raise ValueError(f'{where} has {len(options)} options, but '
                             f'num_options is {self.num_options}')
        label = entry.get('answer')
        # By type, not isinstance: true of JSON is an int in Python.
        if type(label) is not int or not 0 <= label < len(options):
            raise ValueError(
                f"{where} has 'answer': {label!r}, which must be the number "
                f'of an option, from 0 to {len(options) - 1}')
        return dict(caption_options=options, label=label)
