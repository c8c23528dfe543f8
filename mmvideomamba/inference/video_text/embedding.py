"""Embeddings of videos, window by window."""
from typing import Any, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmvideomamba.models.multimodal.scores import check_finite
from ..inputs import input_name
from ..predictor.streams import in_order, read_streams
from .clips import ClipReader, Cut, VideoHead


class Judgement(NamedTuple):
    """Pairs of windows and texts, as the judge sees them.

    Attributes:
        probabilities (np.ndarray): Of a pair, (n, m), float32.
        logits (np.ndarray): Of a pair, (n, m), float32; the order of
            ``tools/test.py``.
    """
    probabilities: np.ndarray
    logits: np.ndarray


class VideoEmbedding(NamedTuple):
    """Embeddings of the windows of a video.

    Args:
        input (str): Path of the file, or the shape of an array.
        error (str, optional): Why the video could not be read; all else is
            then empty or 0.
        starts (np.ndarray): Starts of the windows in seconds, (n, ), float64.
        ends (np.ndarray): Ends of the windows in seconds, (n, ), float64; 0
            without a frame rate.
        vectors (np.ndarray): Unit vectors, (n, embed_dim), float32.
        tokens (np.ndarray, optional): Visual tokens for the judge,
            (n, tokens, channels), float16; None if not asked for.
        duration (float): Seconds of the video; 0 where unknown.
        fps (float): Frames per second on average; 0 where unknown.
    """
    input: str
    error: Optional[str]
    starts: np.ndarray
    ends: np.ndarray
    vectors: np.ndarray
    tokens: Optional[np.ndarray]
    duration: float
    fps: float


def completed(vectors: Tensor) -> Tensor:
    """Complete vectors to unit length by a further channel.

    The test compares a text with the mean of the unit vectors of all frames,
    a vector of at most unit length. A last channel, 0 for texts, makes the
    video a unit vector and leaves each product with a text as in the test.

    Args:
        vectors (Tensor): Of at most unit length, (n, c), float32.

    Returns:
        Tensor: Shape (n, c + 1).
    """
    # In double, as near unit length both numbers of the difference agree in
    # most digits.
    square = (vectors.double()**2).sum(1, keepdim=True)
    rest = (1 - square).clamp_min(0).sqrt().to(vectors.dtype)
    return torch.cat([vectors, rest], 1)


def read_clips(model: Any, clips: Sequence[Tensor]) -> Tensor:
    """Normalise clips on the device of the model, as its test does.

    Args:
        model (VideoTextBase): The model.
        clips (Sequence[Tensor]): Each (1, 3, t, h, w), uint8.

    Returns:
        Tensor: Shape (b, 1, 3, t, h, w).
    """
    data = dict(inputs=list(clips), data_samples=[])
    return model.data_preprocessor(data, False)['inputs']


class _Video:
    """A video with its results so far."""

    def __init__(self, number: int, name: str) -> None:
        self.number, self.name = number, name
        self.head: Optional[VideoHead] = None
        self.error: Optional[str] = None
        self.ended = False
        self.vectors: List[np.ndarray] = []
        self.tokens: List[np.ndarray] = []

    @property
    def done(self) -> bool:
        """Whether all windows are embedded."""
        count = len(self.head.spans) if self.head else 0
        return self.ended and (self.error is not None
                               or len(self.vectors) == count)


class VideoEmbedder:
    """Embed the windows of videos, the windows of several videos together.

    Args:
        model (VideoTextModel): In evaluation mode.
        reader (ClipReader): Of the model.
        batch_size (int): Windows at a time.
        workers (int): Videos read side by side.
        cut (Callable): Places the windows of a video.
        tokens (bool): Whether to keep visual tokens.
    """

    def __init__(self, model: Any, reader: ClipReader, batch_size: int,
                 workers: int, cut: Cut, tokens: bool) -> None:
        self.model, self.reader, self.cut = model, reader, cut
        self.batch_size, self.workers = batch_size, workers
        self.keep_tokens = tokens
        self.size = model.vision_proj.out_features + 1
        self._pending: List[Tuple[_Video, Tensor]] = []

    def run(self, items: Sequence[Any]) -> Iterator[VideoEmbedding]:
        """Embed videos.

        Args:
            items (Sequence): Of ``expand_inputs``.

        Yields:
            VideoEmbedding: One for each video, in order.
        """
        found = in_order(self._run(items), lambda video: video.number)
        yield from map(self._finish, found)

    def _run(self, items: Sequence[Any]) -> Iterator[_Video]:
        """Embed videos, in the order of the ends."""
        active: List[_Video] = []
        videos: dict = {}
        ahead = self.workers + self.batch_size
        for part in read_streams(items, self._read, self.workers, ahead):
            if part.number not in videos:
                videos[part.number] = _Video(part.number,
                                             input_name(items[part.number]))
                active.append(videos[part.number])
            self._take(videos[part.number], part)
            while len(self._pending) >= self.batch_size:
                self._embed()
            yield from _done(active, videos)
        while self._pending:
            self._embed()
        yield from _done(active, videos)

    def _read(self, item: Any) -> Iterator[Any]:
        return self.reader.read(item, self.cut)

    def _take(self, video: _Video, part: Any) -> None:
        """Take a part of a video: the head, clips, or the end."""
        if isinstance(part.value, VideoHead):
            video.head = part.value
        elif part.value is not None:
            self._pending += [(video, clip) for clip in part.value]
        else:
            video.ended = True
            if part.error is not None:
                # Of the file; all else is a fault of the package.
                if not isinstance(part.error, (ValueError, OSError)):
                    raise part.error
                # Bad as a whole: vectors up to the damage would pass for a
                # shorter video.
                video.error = str(part.error)
                self._pending = [
                    one for one in self._pending if one[0] is not video
                ]

    @torch.no_grad()
    def _embed(self) -> None:
        """Embed a batch of windows."""
        batch = self._pending[:self.batch_size]
        self._pending = self._pending[self.batch_size:]
        clips = read_clips(self.model, [clip for _, clip in batch])
        vision = self.model.encode_videos(clips)
        features = self.model.vision_proj(vision.pooled).float()
        # (b, m, c) to (b, c), as ``similarity`` of the model does.
        vectors = completed(F.normalize(features, dim=-1).mean(1))
        check_finite(vectors, 'values of embeddings')
        for i, (video, _) in enumerate(batch):
            video.vectors.append(vectors[i].cpu().numpy())
            if self.keep_tokens:
                video.tokens.append(vision.tokens[i].half().cpu().numpy())

    def _finish(self, video: _Video) -> VideoEmbedding:
        """Gather the results of a video."""
        if video.error is not None or video.head is None:
            none = np.zeros(0)
            return VideoEmbedding(video.name, video.error or 'holds nothing',
                                  none, none,
                                  np.zeros((0, self.size),
                                           np.float32), None, 0., 0.)
        spans = video.head.spans
        tokens = np.stack(video.tokens) if self.keep_tokens else None
        return VideoEmbedding(video.name, None, spans[:, 0], spans[:, 1],
                              np.stack(video.vectors), tokens,
                              video.head.duration, video.head.fps)


def _done(active: List[_Video], videos: dict) -> Iterator[_Video]:
    """Take the finished videos out of the active ones."""
    for video in [one for one in active if one.done]:
        active.remove(video)
        del videos[video.number]
        yield video
