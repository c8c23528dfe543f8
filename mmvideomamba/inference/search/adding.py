"""New videos of an index."""
import os
from typing import Any, Callable, Dict, List, NamedTuple, Optional

import numpy as np

from .planning import Place, Plan
from .records import Stamp, VideoRecord, digest_of, stamp_of
from .settings import Settings
from .store import StoreWriter

Progress = Callable[[VideoRecord], None]


class Added(NamedTuple):
    """Work done by an index.

    Args:
        plan (Plan): The work planned.
        windows (int): New windows.
        errors (list[str]): Of unreadable inputs, with inputs
            unreadable before and unchanged.
        notes (list[str]): Further events.
    """
    plan: Plan
    windows: int
    errors: List[str]
    notes: List[str]


def check_embedding(one: Any, settings: Settings) -> str:
    """Look for a fault in the results of a predictor.

    Args:
        one (VideoEmbedding): Of a video.
        settings (Settings): Of the index.

    Returns:
        str: The fault, '' for none.
    """
    vectors = np.asarray(one.vectors)
    count, shape = len(one.starts), settings.token_shape
    if not count:
        return 'has no window'
    if vectors.shape != (count, settings.embed_dim):
        return (f'has vectors of shape {vectors.shape} in place of '
                f'{(count, settings.embed_dim)}')
    # Rows are only appended: a bad vector would be part of each later search.
    if not np.isfinite(vectors).all():
        return 'has vectors with infinite numbers or numbers that are none'
    if shape is not None:
        found = np.shape(one.tokens)
        if found != (count, *shape):
            return (f'has tokens of shape {found} in place of '
                    f'{(count, *shape)}')
        if not np.isfinite(np.asarray(one.tokens, np.float16)).all():
            return 'has tokens beyond half precision'
    return ''


def move_videos(plan: Plan, writer: StoreWriter) -> None:
    """Give moved videos new paths, and drop removed ones.

    Args:
        plan (Plan): The work to do.
        writer (StoreWriter): Of the index.
    """
    for record, place in plan.moved:
        # The new path comes first: a crash between loses no rows.
        writer.append(record._replace(root=place.root, name=place.name))
        writer.drop(record)
    for record in plan.removed:
        writer.drop(record)
    writer.commit()


def _record_of(place: Place, stamp: Stamp, **values: Any) -> VideoRecord:
    """Make the record of a video."""
    return VideoRecord(place.root, place.name, *stamp, digest_of(place.path),
                       **values)


def _add_one(place: Place, one: Any, settings: Settings,
             writer: StoreWriter) -> VideoRecord:
    """Add a video, or the record of its error."""
    error = one.error
    if error is None:
        fault = check_embedding(one, settings)
        error = f'{place.path} {fault}' if fault else None
    if error is not None:
        # Kept, so that later calls try again after a change, or with --retry,
        # alone.
        return writer.append(_record_of(place, place.stamp, error=str(error)))
    record = _record_of(
        place, place.stamp, duration=float(one.duration), fps=float(one.fps))
    windows = np.stack([one.starts, one.ends], 1)
    return writer.append(record, one.vectors, windows, one.tokens)


def add_videos(plan: Plan,
               settings: Settings,
               predictor: Any,
               writer: StoreWriter,
               progress: Optional[Progress] = None) -> Added:
    """Read the videos of a plan into an index.

    Args:
        plan (Plan): The work to do.
        settings (Settings): Of the index.
        predictor (VideoTextPredictor): The model.
        writer (StoreWriter): Of the index.
        progress (Callable, optional): Takes the record of each video just
            read. Defaults to None.

    Returns:
        Added: The work done. An error or a signal on the way keeps the videos
        so far.
    """
    errors = [*plan.errors, *(str(record.error) for record in plan.failed)]
    count = 0
    places: Dict[str, Place] = {place.path: place for place in plan.todo}
    try:
        move_videos(plan, writer)
        for one in _embed(predictor, list(places), settings):
            place = places.pop(os.fspath(one.input))
            stamp = stamp_of(place.path)
            if stamp != place.stamp:
                # The rows could be of either content.
                errors.append(f'{place.path} was changed or removed while it '
                              'was read; repeat the command')
                continue
            record = _add_one(place, one, settings, writer)
            count += record.windows
            if record.error is not None:
                errors.append(record.error)
            if progress is not None:
                progress(record)
    finally:
        # After Ctrl-C and errors too: the videos so far count.
        writer.commit()
    errors += [f'{path} was passed over by the model' for path in places]
    return Added(plan, count, errors, [])


def _embed(predictor: Any, paths: List[str], settings: Settings) -> Any:
    """Yield the embeddings of videos."""
    if not paths:
        return ()
    return predictor.embed_videos(
        paths,
        window=settings.window,
        stride=settings.stride,
        tokens=settings.token_shape is not None)
