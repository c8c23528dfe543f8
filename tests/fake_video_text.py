"""A stand-in for ``VideoTextPredictor``: numbers in files in place of films.

A file of lines 'x y' is a video with a window for each line; the window's
embedding has the direction (x, y). The judge prefers windows with few tokens.
"""
import os
import zlib
from typing import Any, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np

DIM, TOKENS = 4, (2, 3)
WORDS = dict(right=(1., 0.), up=(0., 1.), left=(-1., 0.))


class Embedding(NamedTuple):
    input: str
    error: Optional[str]
    starts: np.ndarray
    ends: np.ndarray
    vectors: np.ndarray
    tokens: Optional[np.ndarray]
    duration: float
    fps: float


class Judgement(NamedTuple):
    probabilities: np.ndarray
    logits: np.ndarray


def unit(points: Any) -> np.ndarray:
    """Return unit vectors with DIM channels."""
    points = np.asarray(points, float).reshape(-1, 2)
    found = np.zeros((len(points), DIM), np.float32)
    found[:, :2] = points / np.linalg.norm(points, axis=1, keepdims=True)
    return found


class FakePredictor:
    """Stand-in of the module; ``read`` lists the opened files."""

    embed_dim, token_shape = DIM, TOKENS
    can = frozenset(['search', 'rerank'])

    def __init__(self, model: str = 'fake', *_: Any, **__: Any) -> None:
        name = os.path.basename(model).encode()
        self.fingerprint = f'{zlib.crc32(name):08x}' * 8
        self.description = dict(task='video_text', embed_dim=DIM)
        self.read: List[str] = []

    def _points(self, path: str) -> np.ndarray:
        self.read.append(os.path.basename(path))
        with open(path, encoding='utf-8') as file:
            lines = file.read().split('\n')
        try:
            return np.array([[float(n) for n in line.split()] for line in lines
                             if line])
        except ValueError:
            raise ValueError(f'{path} is not a video') from None

    def embed_videos(self,
                     inputs: Sequence[str],
                     *,
                     window: Optional[float] = None,
                     stride: Optional[float] = None,
                     tokens: bool = False) -> Iterator[Embedding]:
        none = np.zeros(0)
        for path in inputs:
            try:
                vectors = unit(self._points(path))
            except (OSError, ValueError) as error:
                yield Embedding(path, str(error), none, none, np.zeros(
                    (0, DIM)), None, 0., 0.)
                continue
            n = len(vectors)
            starts = np.arange(n) * (stride or window or 10.)
            kept = None
            if tokens:
                kept = np.zeros((n, *TOKENS), np.float16)
                kept += np.arange(n)[:, None, None] / 100
            yield Embedding(path, None, starts, starts + (window or 10.),
                            vectors, kept, n * 10., 25.)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        for text in texts:
            if len(text.split()) > 5:
                raise ValueError(f'{text!r} has {len(text.split())} words, '
                                 'and the model reads 5; shorten it')
        return unit([WORDS[text] for text in texts])

    def unknown_words(self, texts: Sequence[str]) -> List[str]:
        return [text for text in texts if text == 'left']

    def embed_class(self, name: str, templates: Any = None) -> np.ndarray:
        return self.embed_texts([name])[0]

    def judge(self, tokens: np.ndarray, texts: Sequence[str]) -> Judgement:
        """Later windows are likelier; the logits say the contrary."""
        assert tokens.shape[1:] == TOKENS
        means = np.asarray(tokens, np.float32).mean((1, 2))
        found = np.repeat(means[:, None], len(texts), 1)
        return Judgement(1 - found, found)
