"""Searches, labels and answers for the page, one at a time."""
import os
import threading
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from mmvideomamba.inference.predictor.explanation import check_explainable
from mmvideomamba.inference.search import Hit, Hits, VideoIndex, VideoRecord
from mmvideomamba.inference.search.hits import clock
from mmvideomamba.visualization import Clip, draw_frames
from .pictures import check_readable, to_data_url
from .videos import IndexedVideos

HITS = 12  # of a search, at most
JUDGED = 24  # best windows, put into order by the judge
NEIGHBOURS = 6
_ANSWERS = 5
_LABELS = 5

Values = Dict[str, Any]


def _state_of(folder: Path) -> List[tuple]:
    """Return sizes and times of the files of an index, to notice a change."""
    # Rows count by the journal, so the large files need no look.
    files = [
        one for one in sorted(folder.rglob('*'))
        if one.suffix in ('.json', '.jsonl')
    ]
    found = []
    for file in files:
        try:
            state = file.stat()
        except FileNotFoundError:  # removed in between
            continue
        found.append((str(file), state.st_size, state.st_mtime_ns))
    return found


class Service:
    """Searches, labels and answers; a model takes one call at a time.

    Args:
        index (VideoIndex): With videos.
        predictor (VideoTextPredictor): The model of the index.
        classifier (Predictor, optional): Labels a video. Defaults to None.
        qa (VideoTextPredictor, optional): Answers questions. Defaults to
            None.

    Attributes:
        videos (IndexedVideos): By number.

    Raises:
        ValueError: If the index is empty or of another model, or a model is
            for another task.
    """

    def __init__(self,
                 index: VideoIndex,
                 predictor: Any,
                 classifier: Any = None,
                 qa: Any = None) -> None:
        index.check_model(predictor)
        index.check_counts(HITS)
        if qa is not None and 'answer' not in qa.can:
            raise ValueError(
                f'the model of --qa is for {qa.description["task"]} and '
                'answers no questions; take a model of '
                'configs/question_answering')
        if classifier is not None:
            classifier.backend.check()
            if classifier.images:
                raise ValueError('the model of --classifier is for images; '
                                 'take a model of videos')
        self.index, self.predictor = index, predictor
        self.classifier, self.qa = classifier, qa
        self.videos = IndexedVideos(index.videos)
        self._state = _state_of(index.folder)
        self._one = threading.Lock()

    def about(self) -> Values:
        """Describe the index and the abilities of the models.

        Returns:
            dict: For the page.
        """
        videos = [one for one in self.index.videos if one.windows]
        return dict(
            name=Path(os.path.abspath(self.index.folder)).name,
            videos=len(videos),
            unreadable=len(self.index.videos) - len(videos),
            windows=self.index.windows,
            rerank=JUDGED if 'rerank' in self.predictor.can else 0,
            label=self.classifier is not None,
            ask=self.qa is not None)

    def search(self,
               text: str,
               rerank: bool = False,
               per_video: Optional[int] = None) -> Values:
        """Find the parts of videos for a sentence.

        Args:
            text (str): The sentence.
            rerank (bool): Whether the judge orders the best ones. Defaults to
                False.
            per_video (int, optional): Parts of a video at most. Defaults to
                None, no limit.

        Returns:
            dict: ``hits`` and ``notes``.

        Raises:
            ValueError: If the sentence is empty or too long.
        """
        with self._one:
            self._follow()
            return self._hits(
                self.index.query(text, HITS, JUDGED if rerank else 0,
                                 self.predictor, per_video))

    def ask(self, name: str, question: str, start: float,
            end: float) -> Values:
        """Answer a question about a part of an indexed video.

        Args:
            name (str): Of the video, see ``IndexedVideos``.
            question (str): The question.
            start (float): In seconds.
            end (float): In seconds.

        Returns:
            dict: ``answers``.

        Raises:
            ValueError: If the question is empty or too long, the video cannot
                be read, or there is no model for questions.
        """
        if self.qa is None:
            raise ValueError('no model answers questions; start the page with '
                             '--qa MODEL')
        video = self.videos.open(name)
        with self._one:
            found = self.qa.answer(
                video.path, question, _ANSWERS, start=start, end=end)
        return dict(answers=[one._asdict() for one in found])

    def look(self, path: str) -> Values:
        """Label a video of the user, and find its neighbours.

        Args:
            path (str): The file.

        Returns:
            dict: ``labels``, ``strip`` (a picture as an address, or None),
            ``hits`` and ``notes``.

        Raises:
            ValueError: If the video cannot be read.
        """
        check_readable(path)
        with self._one:
            self._follow()
            held = self.index.settings
            one, = self.predictor.embed_videos([path],
                                               window=held.window,
                                               stride=held.stride)
            if one.error is not None:
                raise ValueError(one.error)
            found = self._hits(
                self.index.neighbours(one.vectors, NEIGHBOURS, per_video=1))
            found.update(labels=[], strip=None)
            if self.classifier is not None:
                self._label(path, found)
        return found

    def finished(self, seconds: float) -> bool:
        """Wait for the call of a model under way.

        Args:
            seconds (float): To wait at most.

        Returns:
            bool: Whether no call is under way.
        """
        free = self._one.acquire(timeout=seconds)
        if free:
            self._one.release()
        return free

    def _label(self, path: str, found: Values) -> None:
        """Add labels and the strip of the relevance."""
        views: Sequence[Any] = ()
        try:
            check_explainable(self.classifier.backend)
        except ValueError as error:
            found['notes'].append(f'no strip: {error}')
            best, = self.classifier.predict([path], _LABELS)
        else:
            one, = self.classifier.explain([path])
            best, views = one.prediction, one.views
        if best.error is not None:
            raise ValueError(best.error)
        if best.value is not None:
            found['notes'].append(f'the model gives {best.value:.4g}')
        found['labels'] = [
            dict(name=name, probability=value)
            for name, value in zip(best.names, best.probabilities)
        ]
        if views:
            # The strip shows a single view: the view with the most relevant
            # place.
            view = max(views, key=lambda one: float(one.relevance.max()))
            clip = Clip(view.frames, view.numbers, view.times, view.relevance)
            found['strip'] = to_data_url(draw_frames(clip))

    def _follow(self) -> None:
        """Read the index again after a change."""
        state = _state_of(self.index.folder)
        if state != self._state:
            self.index.reload()
            self.videos.update(self.index.videos)
            self._state = state

    def _hits(self, hits: Hits) -> Values:
        """Describe hits for the page."""
        changed = set(hits.changed)
        rows = [self._row(hit, hit.video in changed) for hit in hits]
        return dict(hits=rows, notes=hits.messages())

    def _row(self, hit: Hit, changed: bool) -> Values:
        """Describe a hit."""
        record: VideoRecord = self.videos.record(hit.video)
        start, end = round(hit.start, 3), round(hit.end, 3)
        # Names of other bytes than UTF-8 hold surrogates, which no JSON takes.
        shown = record.name.encode('utf-8', 'backslashreplace').decode()
        return dict(
            video=self.videos.name(hit.video),
            title=shown,
            start=start,
            end=end,
            time=f'{clock(start)} – {clock(end)}',
            score=round(hit.score, 4),
            probability=hit.probability,
            changed=changed)
