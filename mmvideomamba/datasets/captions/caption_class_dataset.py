"""Videos with a class for a caption."""
from typing import Dict, List, Optional, Tuple

from mmvideomamba.registry import DATASETS
from ..annotation_faults import fault_list
from ..class_names import clean_class_names
from .json_list import check_videos, read_json_entries
from .retrieval_dataset import RetrievalDataset
from .texts import clean_caption


@DATASETS.register_module()
class CaptionClassDataset(RetrievalDataset):
    """A JSON list of videos and captions, each caption being a class.

    The list is one for ``RetrievalDataset``: an entry is ``{"video": PATH,
    "caption": TEXT}``, where the value of ``video`` may be a list of videos.
    A list of captions has the wordings of a single class, the name first.

    The classes are the distinct captions in alphabetical order, or those of
    ``metainfo=dict(classes=...)``, a list or a file with a name a line, where
    the list of videos has not all of them. The set tells them in
    ``metainfo``: ``classes`` (list[str]), and ``wordings`` (list[list[str]])
    for the prompts. A sample is a video with ``label`` (int).

    Args:
        *args: See ``RetrievalDataset``.
        **kwargs: See ``RetrievalDataset``, such as ``metainfo``,
            ``data_prefix`` and ``test_mode``.

    Raises:
        FileNotFoundError: If the file does not exist, or more videos than
            ``bad_media`` allows.
        ValueError: If an entry cannot be read, has an unknown class, or a
            video has two classes.
    """

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
        wordings = self._wordings(entries)
        labels = {words[0]: label for label, words in enumerate(wordings)}
        found: Dict[str, int] = {}
        faults = []
        for number, (videos, words) in enumerate(entries):
            label = labels.get(words[0])
            if label is None:
                faults.append(f'entry {number} has the class {words[0]!r}, '
                              'which is not in metainfo.classes')
                continue
            for video in videos:
                other = found.setdefault(video, label)
                if other != label:
                    faults.append(
                        f'entry {number} has {video} of class {words[0]!r}, '
                        f'which is of class {wordings[other][0]!r} before')
        if faults:
            raise ValueError(
                fault_list(
                    f'caption file {self.ann_file}: {len(faults)} videos or '
                    'entries have no class, or two', faults,
                    'Correct these entries, or metainfo.classes.'))
        if self.check_files:
            check_videos(
                list(found), self.ann_file, self.data_prefix,
                self.allowed_missing(len(found)))
        self._metainfo.update(
            classes=[words[0] for words in wordings],
            wordings=[list(words) for words in wordings])
        return [
            dict(filename=video, label=label)
            for video, label in found.items()
        ]

    def _wordings(self, entries: list) -> List[Tuple[str, ...]]:
        """Return the wordings of each class, in the order of the labels."""
        wordings: Dict[str, Dict[str, None]] = {}
        for entry in entries:
            known = wordings.setdefault(entry.texts[0], {})
            known.update(dict.fromkeys(entry.texts))
        names = self._given_names()
        names = sorted(wordings) if names is None else names
        return [tuple(wordings.get(name, (name, ))) for name in names]

    def _given_names(self) -> Optional[List[str]]:
        """Return the classes of ``metainfo``, cleaned as captions are."""
        names = self._metainfo.get('classes')
        if names is None:
            return None
        if isinstance(names, str):
            raise ValueError(f'metainfo.classes: there is no file {names}; '
                             'give a text with a name a line, or a list')
        return [clean_caption(name) for name in clean_class_names(names)]
