"""An index of videos on the disk, searched by words or by videos."""
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence, Union

import numpy as np

from ..video_text.windows import check_windows
from .adding import Added, Progress, add_videos
from .folder import check_empty, compact, locked, remove_rests
from .hits import Hits, unknown_note
from .judging import judge
from .planning import Plan, add_sizes, make_plan
from .ranking import Owners, Ranking
from .records import VideoRecord
from .searchers import EXACT, build_searcher, load_searcher
from .settings import PRECISIONS, Settings, read_settings
from .store import Store, StoreWriter, create_store, folder_name

PathLike = Union[str, 'os.PathLike[str]']


def _of_model(model: Any, name: str) -> Any:
    """Return an attribute of a predictor, or an entry of a description."""
    return model[name] if isinstance(model, dict) else getattr(model, name)


class VideoIndex:
    """Vectors of the windows of videos, kept in a folder.

    Any number of processes read, one writes. Whenever a process ends, the
    folder holds whole videos only. ``create`` and ``open`` make objects.

    Args:
        folder (Path): The index.
        searcher (str): 'exact', or 'package.module:Class' as described by
            ``Searcher``. Defaults to 'exact'.

    Attributes:
        folder (Path): The index.
        settings (Settings): Of the index.
        store (Store): Rows and records at the last reading or writing.
    """

    settings: Settings

    def __init__(self, folder: Path, searcher: str = EXACT) -> None:
        self.folder = folder
        load_searcher(searcher)  # a wrong name shows now
        self._searcher_name = searcher
        self._ranking_parts: Any = None
        self.store: Store
        self.reload()

    @classmethod
    def create(cls,
               folder: PathLike,
               model: Any,
               *,
               window: Optional[float] = None,
               stride: Optional[float] = None,
               tokens: bool = False,
               precision: str = 'float32',
               source: str = '',
               config: Optional[str] = None) -> 'VideoIndex':
        """Make an empty index.

        Args:
            folder (str | os.PathLike): An empty or a new folder.
            model (VideoTextPredictor | dict): The model, or
                ``fingerprint``, ``embed_dim``, ``token_shape`` and
                ``description``.
            window (float, optional): Length of a window, in seconds. Defaults
                to None, one window, the whole video.
            stride (float, optional): Distance of the windows, in seconds.
                Defaults to None, the length.
            tokens (bool): Keep visual tokens for the judge. Defaults to
                False.
            precision (str): Of the vectors, 'float32' or 'float16'. Defaults
                to 'float32'.
            source (str): Name of the model, to load the model again. Defaults
                to ''.
            config (str, optional): Config, for a checkpoint without one.
                Defaults to None.

        Returns:
            VideoIndex: Open.

        Raises:
            ValueError: If an argument is not allowed, or the folder holds
                other files.
        """
        check_windows(window, stride)
        if not _of_model(model, 'embed_dim'):
            raise ValueError('the model embeds no videos; take a model of '
                             'configs/retrieval')
        if precision not in PRECISIONS:
            raise ValueError(f'precision must be one of {list(PRECISIONS)}, '
                             f'but is {precision!r}')
        shape = _of_model(model, 'token_shape') if tokens else None
        if tokens and shape is None:
            raise ValueError('the model has no judge that could use visual '
                             'tokens; make the index without tokens')
        settings = Settings(
            fingerprint=_of_model(model, 'fingerprint'),
            embed_dim=int(_of_model(model, 'embed_dim')),
            window=window,
            stride=stride,
            token_shape=shape,
            precision=precision,
            model=source,
            config=config,
            description=dict(_of_model(model, 'description')))
        path = Path(folder)
        # Before the lock, which would make the folder, or a file in a folder
        # of others.
        check_empty(path)
        with locked(path):
            # Again, as another process may have made an index before the lock.
            check_empty(path)
            create_store(path / folder_name(1), settings)
            settings.write(path)
        return cls(path)

    @classmethod
    def open(cls,
             folder: PathLike,
             predictor: Any = None,
             searcher: str = EXACT) -> 'VideoIndex':
        """Open an index.

        Args:
            folder (str | os.PathLike): The index.
            predictor (VideoTextPredictor, optional): The model to expect
                of the index. Defaults to None, not compared.
            searcher (str): See the class. Defaults to 'exact'.

        Returns:
            VideoIndex: Open.

        Raises:
            FileNotFoundError: If the folder is not an index.
            ValueError: If the index is damaged, of another format or of
                another model.
        """
        path = Path(folder)
        index = cls(path, searcher)
        if predictor is not None:
            index.check_model(predictor)
        return index

    @property
    def videos(self) -> List[VideoRecord]:
        """Records of all videos, unreadable ones too, by path."""
        records = self.store.records
        return [records[path] for path in sorted(records)]

    @property
    def windows(self) -> int:
        """Number of the windows of all videos."""
        return self.store.live_rows

    def check_model(self, predictor: Any) -> None:
        """Refuse another model than the model of the index.

        Args:
            predictor (VideoTextPredictor): The model.

        Raises:
            ValueError: If the fingerprints differ.
        """
        known, given = self.settings.fingerprint, predictor.fingerprint
        if known != given:
            name = self.settings.model or 'an unnamed model'
            raise ValueError(
                f'{self.folder} is an index of another model: of {name} '
                f'(fingerprint {known[:16]}), and not of the given one '
                f'(fingerprint {given[:16]}); give the model of the index, or '
                'make another index')

    def check_settings(self,
                       window: Optional[float] = None,
                       stride: Optional[float] = None,
                       tokens: bool = False,
                       precision: Optional[str] = None) -> None:
        """Refuse settings other than the settings of the index.

        Args:
            window (float, optional): In seconds. Defaults to None, any.
            stride (float, optional): In seconds. Defaults to None, any.
            tokens (bool): Whether tokens are wanted. Defaults to False, any.
            precision (str, optional): Of the vectors. Defaults to None, any.

        Raises:
            ValueError: If a setting differs.
        """
        held = self.settings
        pairs = dict(
            window=(window, held.window),
            stride=(stride, held.stride or held.window),
            tokens=(tokens or None, held.token_shape is not None),
            precision=(precision, held.precision))
        wrong = [
            f'{name} {known!r} and not {given!r}'
            for name, (given, known) in pairs.items()
            if given is not None and given != known
        ]
        if wrong:
            raise ValueError(f'{self.folder} is an index of other settings '
                             f'({", ".join(wrong)}); leave them out, or make '
                             'another index')

    def plan(self, inputs: Any, retry: bool = False) -> Plan:
        """Announce the work of ``add``, and the room needed.

        Args:
            inputs (Any): Files, folders (with those inside) or lists.
            retry (bool): Read unreadable videos again. Defaults to False.

        Returns:
            Plan: With sizes.

        Raises:
            FileNotFoundError: If a list does not exist.
            ValueError: If a folder or list holds nothing.
        """
        plan = make_plan(self.store.records, inputs, retry)
        return add_sizes(plan, self.settings, self.store.rows, self.folder)

    def add(self,
            inputs: Any,
            predictor: Any,
            progress: Optional[Progress] = None,
            retry: bool = False) -> Added:
        """Bring the index up to date with given videos.

        New and changed videos are read, moved videos get a new path, and
        videos gone from the given folders are dropped. An error, a
        full disk or the end of the process keeps the videos so far, and the
        next call goes on.

        Args:
            inputs (Any): Files, folders (with those inside) or lists.
            predictor (VideoTextPredictor): The model of the index.
            progress (Callable, optional): Takes the ``VideoRecord`` of each
                video just read. Defaults to None.
            retry (bool): Read unreadable videos again, even without
                a change of the file. Defaults to False.

        Returns:
            Added: Counts, errors and notes.

        Raises:
            OSError: If the disk is full.
            ValueError: If the model is another, or another process writes.
        """
        self.check_model(predictor)
        with self._writing() as (writer, lock, notes):

            def step(record: VideoRecord) -> None:
                # A sign of life, for file systems without locks.
                lock.beat()
                if progress is not None:
                    progress(record)

            plan = make_plan(self.store.records, inputs, retry)
            added = add_videos(plan, self.settings, predictor, writer, step)
        return added._replace(notes=notes + added.notes)

    def remove_missing(self) -> List[str]:
        """Drop the videos gone from existing folders.

        Returns:
            list[str]: Paths of the dropped videos.

        Raises:
            ValueError: If another process writes.
        """
        with self._writing() as (writer, _, _):
            gone = [
                record for record in self.store.records.values() if
                os.path.isdir(record.root) and not os.path.exists(record.path)
            ]
            for record in gone:
                writer.drop(record)
            writer.commit()
        return [record.path for record in gone]

    def query(self,
              query: Union[str, np.ndarray],
              topk: int = 10,
              rerank: int = 0,
              predictor: Any = None,
              per_video: Optional[int] = None) -> Hits:
        """Find the windows for a sentence.

        Args:
            query (str | np.ndarray): A sentence, or a unit vector
                (embed_dim, ), say of a class.
            topk (int): Number of hits. Defaults to 10.
            rerank (int): Number of best windows for the judge to order;
                0 for none. Defaults to 0.
            predictor (VideoTextPredictor, optional): For a sentence. Defaults
                to None.
            per_video (int, optional): Hits of a video at most. Defaults to
                None, no limit.

        Returns:
            Hits: A list of ``Hit``, the best first. Videos removed since are
            left out, and named by ``missing``.

        Raises:
            ValueError: If the index is empty or of another model, the
                sentence is too long, or the model has no judge.
        """
        self.check_counts(topk, rerank, per_video)
        if predictor is not None:
            self.check_model(predictor)
        notes: List[str] = []
        if isinstance(query, str):
            if predictor is None:
                raise ValueError('a sentence needs predictor, the model')
            vector = predictor.embed_texts([query])
            notes = unknown_note(predictor.unknown_words([query]))
        else:
            vector = np.asarray(query, np.float32).reshape(1, -1)
        if rerank and not isinstance(query, str):
            raise ValueError('the judge needs a sentence; leave the '
                             're-ranking out')
        ranking = self._ranking()
        found = ranking.best(
            self._checked(vector), max(topk, rerank), per_video)
        if rerank:
            assert isinstance(query, str)
            judged, more = judge(found[:rerank], query, predictor, self.store)
            notes += more
            found = judged + found[rerank:]
        return ranking.hits(found[:topk], notes)

    def neighbours(self,
                   vectors: np.ndarray,
                   topk: int = 10,
                   per_video: Optional[int] = None,
                   leave_out: Optional[Sequence[str]] = None) -> Hits:
        """Find the nearest windows to windows of another video.

        Args:
            vectors (np.ndarray): Unit vectors, (n, embed_dim); a window of
                the index counts by its best cosine.
            topk (int): Number of hits. Defaults to 10.
            per_video (int, optional): Hits of a video at most. Defaults to
                None, no limit.
            leave_out (Sequence[str], optional): Paths of videos without hits,
                say the video itself. Defaults to None.

        Returns:
            Hits: A list of ``Hit``, the best first.

        Raises:
            ValueError: If the index is empty, or the vectors do not fit.
        """
        self.check_counts(topk, 0, per_video)
        ranking = self._ranking()
        paths = [os.path.abspath(path) for path in leave_out or ()]
        found = ranking.best(self._checked(vectors), topk, per_video, paths)
        return ranking.hits(found)

    def check_counts(self,
                     topk: int,
                     rerank: int = 0,
                     per_video: Optional[int] = None) -> None:
        """Refuse wrong numbers, and an index without windows.

        Args:
            topk (int): At least 1.
            rerank (int): At least 0. Defaults to 0.
            per_video (int, optional): At least 1. Defaults to None.

        Raises:
            ValueError: If a number is too small, or the index is empty.
        """
        for name, value, least in (('topk', topk, 1), ('rerank', rerank, 0),
                                   ('per_video', per_video, 1)):
            if value is not None and value < least:
                raise ValueError(f'{name} must be at least {least}, but is '
                                 f'{value}')
        if not self.windows:
            raise ValueError(f'{self.folder} is an empty index; fill it by: '
                             'mmvideomamba search index VIDEOS --model MODEL '
                             f'--out {self.folder}')

    def _checked(self, vectors: np.ndarray) -> np.ndarray:
        """Refuse vectors of another shape."""
        found = np.asarray(vectors, np.float32)
        if found.ndim != 2 or found.shape[1] != self.settings.embed_dim:
            raise ValueError(f'vectors of shape {found.shape} do not fit the '
                             f'index: (n, {self.settings.embed_dim})')
        return found

    def _ranking(self) -> Ranking:
        """Return a ranking; searcher and owners are made once."""
        if self._ranking_parts is None:
            store = self.store
            # Rows are only appended within a generation, so both numbers tell
            # the content.
            state = f'{self.settings.generation}-{store.rows}'
            searcher = build_searcher(self._searcher_name, store.vectors(),
                                      self.folder, state)
            self._ranking_parts = Owners(store), searcher
        owners, searcher = self._ranking_parts
        return Ranking(self.store, owners, searcher)

    def reload(self) -> None:
        """Take notice of the writing of other processes.

        Raises:
            ValueError: If the index is damaged.
        """
        while True:
            settings = read_settings(self.folder)
            name = folder_name(settings.generation)
            try:
                self.store = Store(self.folder / name, settings)
            except (OSError, ValueError):
                # A writer has just put another data folder in place.
                if read_settings(self.folder) != settings:
                    continue
                raise
            self.settings, self._ranking_parts = settings, None
            return

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        """Hold the lock; yield the writer, the lock, and notes."""
        with locked(self.folder) as lock:
            # Under the lock, as another process may have written since.
            self.reload()
            notes = remove_rests(self.folder, self.settings)
            writer = StoreWriter(self.store)
            if writer.removed:
                notes.append(f'{writer.removed} bytes of a video half '
                             'written are removed')
            try:
                yield writer, lock, notes
            finally:
                writer.close()
                self._ranking_parts = None
            if compact(self.folder, self.store, notes):
                self.reload()
