"""Videos and texts of a user, by any form of a trained model."""
import functools
import math
import os
from typing import Any, Dict, FrozenSet, Iterator, List, Optional, Sequence

import numpy as np
import torch

from mmvideomamba.models import VideoTextModel, VideoTextQA
from mmvideomamba.models.multimodal.prompts import (PLACE, Prompts,
                                                    class_prompts)
from mmvideomamba.models.multimodal.scores import check_finite
from ..inputs import input_name
from ..predictor.exported_file import ENDINGS
from ..predictor.input_lists import expand_inputs
from ..predictor.loaded_model import LoadedModel
from ..predictor.predictor import choose_device
from ..saved import load
from . import texts as text_tools
from .clips import ClipReader
from .embedding import Judgement, VideoEmbedder, VideoEmbedding, read_clips
from .fingerprint import fingerprint
from .questions import Answer, answer_all, choose_option
from .windows import check_part, check_windows, cut_video

_RETRIEVAL = ('search', 'rerank', 'choose')
_QUESTIONS = ('answer', )
# What a model without the ability needs instead.
_REMEDIES = dict(
    search='a retrieval model (configs/retrieval)',
    rerank='a retrieval model (configs/retrieval)',
    choose='a retrieval or multiple-choice model (configs/retrieval, '
    'configs/question_answering)',
    answer='a model with a decoder of answers (configs/question_answering)')


class VideoTextPredictor:
    """Embed, compare and ask about videos, with no config.

    Args:
        model (str | Path | nn.Module): As ``Predictor`` takes it, of
            retrieval, questions, multiple choice or recognition by prompts.
        device (str): 'auto' takes a GPU if there is one. Defaults to 'auto'.
        config (str | Path | Config, optional): Config for a checkpoint
            without one. Defaults to None.
        batch_size (int): Windows at a time. Defaults to 8.
        workers (int): Videos read side by side, at least 1. Defaults to 2.

    Attributes:
        can (frozenset[str]): Of 'search' (embeddings), 'rerank' (``match``),
            'choose' and 'answer'.
        description (dict): See ``inference.saved.describe``, and besides
            ``embed_dim``, ``token_shape``, ``num_frames``, ``max_tokens`` of
            a text, and ``can``.
        embed_dim (int): Channels of embeddings; 0 for a model without. The
            last channel completes the mean of the frames to unit length.
        token_shape (tuple[int, int], optional): Visual tokens of a window,
            and channels; None for a model without a judge.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If an argument is not allowed, or the model cannot be
            loaded, is for another task or lacks its vocabulary.
    """

    def __init__(self,
                 model: Any,
                 device: str = 'auto',
                 *,
                 config: Any = None,
                 batch_size: int = 8,
                 workers: int = 2) -> None:
        for name, value in dict(
                batch_size=batch_size, workers=workers).items():
            if value < 1:
                raise ValueError(f'{name} must be at least 1, but is {value}')
        self.batch_size, self.workers = batch_size, workers
        if isinstance(model, (str, os.PathLike)):
            model = os.fspath(model)
            if model.endswith(ENDINGS):
                raise ValueError(f'{model} is an exported file, which reads '
                                 'no texts; give the checkpoint or the saved '
                                 'folder')
            model = load(model, choose_device(device), config)
        self.model: Any = model
        questions = isinstance(model, VideoTextQA)
        if not questions and not isinstance(model, VideoTextModel):
            task = getattr(model, 'description', {}).get('task')
            raise ValueError(
                f'the model is for {task or type(model).__name__} and reads '
                'no texts; take a model of configs/retrieval or '
                'configs/question_answering')
        if not hasattr(model, 'pipeline'):
            raise ValueError(f'a bare {type(model).__name__} does not say how '
                             'videos are read; give the file, or a model of '
                             'mmvideomamba.load')
        self.can: FrozenSet[str] = frozenset(
            _QUESTIONS if questions else _RETRIEVAL)
        self.reader = ClipReader(
            LoadedModel(model, 'all').pipeline, batch_size)
        model.tokenizer.word_pieces  # a missing vocabulary shows now
        backbone = model.vision_encoder.backbone
        self.embed_dim = 0 if questions else model.vision_proj.out_features + 1
        self.token_shape = None if questions else (math.prod(backbone.grid),
                                                   backbone.embed_dims)
        self.description: Dict[str, Any] = dict(
            model.description,
            embed_dim=self.embed_dim,
            token_shape=self.token_shape,
            num_frames=backbone.num_frames,
            max_tokens=model.tokenizer.max_length,
            can=sorted(self.can))

    @functools.cached_property
    def fingerprint(self) -> str:
        """Digest of weights, sampling, pixels and tokenizer, hexadecimal."""
        return fingerprint(self.model)

    def embed_videos(self,
                     inputs: Any,
                     *,
                     window: Optional[float] = None,
                     stride: Optional[float] = None,
                     tokens: bool = False) -> Iterator[VideoEmbedding]:
        """Embed videos of any length.

        The product of a video's vector and a text's is the cosine of
        ``tools/test.py``, for a window that of a video of the window's frames.
        Videos are read by threads while the model computes; a thread holds
        128 MiB of decoded frames at most.

        Args:
            inputs (Any): See ``expand_inputs``: files, folders, lists,
                arrays.
            window (float, optional): Length of a window in seconds. Defaults
                to None: one window, the whole video.
            stride (float, optional): Distance of the starts in seconds.
                Defaults to None: each window begins where the one before
                ends. The last window ends with the video.
            tokens (bool): Whether to return the visual tokens, for ``match``.
                Defaults to False.

        Returns:
            Iterator[VideoEmbedding]: One for each video, in order; a video
            that cannot be read has an ``error``.

        Raises:
            ValueError: If there is no input, an argument is not allowed, or
                the model cannot search.
        """
        self._need('search')
        check_windows(window, stride)
        items = expand_inputs(inputs, self.reader.images)

        def cut(duration: float) -> np.ndarray:
            if window is not None and not duration:
                raise ValueError('without a frame rate there are no windows '
                                 'in seconds; leave window out, or give '
                                 'dict(array=FRAMES, fps=25)')
            return cut_video(duration, window, stride)

        return VideoEmbedder(self.model, self.reader, self.batch_size,
                             self.workers, cut, tokens).run(items)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embed texts, cleaned as captions are.

        Args:
            texts (Sequence[str]): n texts.

        Returns:
            np.ndarray: Unit vectors, (n, embed_dim), float32.

        Raises:
            TextTooLong: If a text is longer than the model reads.
            ValueError: If a text is empty, or the model cannot search.
        """
        self._need('search')
        clean = text_tools.clean_texts(self.model, texts)
        return text_tools.embed_texts(self.model, clean)

    def unknown_words(self, texts: Sequence[str]) -> List[str]:
        """List the words that the vocabulary lacks, read as a single token.

        Args:
            texts (Sequence[str]): Texts.

        Returns:
            list[str]: Each word once, in order.
        """
        found = [text_tools.unknown_words(self.model, one) for one in texts]
        return list(dict.fromkeys(word for words in found for word in words))

    def embed_class(self,
                    name: str,
                    templates: Optional[Prompts] = None) -> np.ndarray:
        """Embed the prompts of a class, see ``class_prompts``.

        Args:
            name (str): Name of the class.
            templates (str | Sequence[str] | dict, optional): Templates with
                ``{}`` in the place of the class, or a file of templates.
                Defaults to None: those of the model, else the bare name.

        Returns:
            np.ndarray: Mean of the prompts, a unit vector, (embed_dim, ),
            float32.

        Raises:
            FileNotFoundError: See ``class_prompts``.
            ValueError: See ``class_prompts`` and ``embed_texts``.
        """
        if templates is None:
            templates = getattr(self.model, 'prompts', PLACE)
        prompts, = class_prompts([name], templates)
        mean = self.embed_texts(prompts).mean(0)
        return mean / np.linalg.norm(mean)

    def match(self, tokens: Any, texts: Sequence[str]) -> np.ndarray:
        """Judge all pairs of windows and texts.

        Args:
            tokens (np.ndarray | Tensor): See ``judge``.
            texts (Sequence[str]): m texts.

        Returns:
            np.ndarray: Probabilities of a pair, (n, m), float32.

        Raises:
            TextTooLong: See ``embed_texts``.
            ValueError: See ``judge``.
        """
        return self.judge(tokens, texts).probabilities

    def judge(self, tokens: Any, texts: Sequence[str]) -> Judgement:
        """Judge all pairs of windows and texts, for an order of them.

        ``tools/test.py`` orders candidates by the logit of a pair. The
        probability is a softmax of this logit and the logit of no pair.

        Args:
            tokens (np.ndarray | Tensor): Visual tokens of n windows, see
                ``VideoEmbedding``, ``(n, *token_shape)``, float16 or float32.
            texts (Sequence[str]): m texts.

        Returns:
            Judgement: Probabilities and logits, (n, m), float32.

        Raises:
            TextTooLong: See ``embed_texts``.
            ValueError: See ``embed_texts``; also if the tokens are of another
                shape.
        """
        self._need('rerank')
        shape = tuple(np.shape(tokens))
        channels = self.token_shape[1] if self.token_shape else 0
        if len(shape) != 3 or shape[2] != channels:
            raise ValueError(
                f'tokens have the shape {shape}, but the model takes (n, '
                f't, {channels}); they are of another model')
        clean = text_tools.clean_texts(self.model, texts)
        found = text_tools.judge(self.model, tokens, clean)
        return Judgement(
            found.softmax(2)[..., 1].numpy(), found[..., 1].numpy())

    def answer(self,
               video: Any,
               question: str,
               topk: int = 5,
               *,
               start: Optional[float] = None,
               end: Optional[float] = None) -> List[Answer]:
        """Answer a question about a video, from the answers of the model.

        The best answer is that of ``tools/test.py``. A probability is the
        share of an answer among all answers that the model has put in order.

        Args:
            video (Any): A video, see ``expand_inputs``.
            question (str): The question.
            topk (int): Answers to return, at most. Defaults to 5.
            start (float, optional): Seconds where the part of the video
                begins. Defaults to None, the start.
            end (float, optional): Seconds where the part ends. Defaults to
                None, the end.

        Returns:
            list[Answer]: The best first.

        Raises:
            MediaError: If the video cannot be read.
            TextTooLong: If the question is longer than the model reads.
            ValueError: If the question is empty, the part is not in the
                video, or the model cannot answer.
        """
        return self.answer_all(
            video, [question], topk, start=start, end=end)[0]

    def answer_all(self,
                   video: Any,
                   questions: Sequence[str],
                   topk: int = 5,
                   *,
                   start: Optional[float] = None,
                   end: Optional[float] = None) -> List[List[Answer]]:
        """Answer questions about a video, which is read once.

        Args:
            video (Any): See ``answer``.
            questions (Sequence[str]): The questions.
            topk (int): Answers of each. Defaults to 5.
            start (float, optional): See ``answer``. Defaults to None.
            end (float, optional): See ``answer``. Defaults to None.

        Returns:
            list[list[Answer]]: For each question, the best first.

        Raises:
            MediaError: See ``answer``.
            TextTooLong: See ``answer``.
            ValueError: See ``answer``.
        """
        self._need('answer')
        if topk < 1:
            raise ValueError(f'topk must be at least 1, but is {topk}')
        clean = text_tools.clean_texts(self.model, questions, 'question')
        if not clean:
            raise ValueError('no question is given')
        self.model.answers  # a missing list shows before the video is read
        return answer_all(self.model, self._clip(video, start, end), clean,
                          topk)

    def choose(self,
               video: Any,
               options: Sequence[str],
               *,
               start: Optional[float] = None,
               end: Optional[float] = None) -> List[Answer]:
        """Order options by how well each describes a video.

        The ``probability`` is the score of ``VideoTextMC``: 0.7 times the
        judge's probability of a pair and 0.3 times the share of the option by
        the two encoders. So options that all fail get low values.

        Args:
            video (Any): A video, see ``expand_inputs``.
            options (Sequence[str]): Two or more.
            start (float, optional): See ``answer``. Defaults to None.
            end (float, optional): See ``answer``. Defaults to None.

        Returns:
            list[Answer]: All options, the best first.

        Raises:
            MediaError: If the video cannot be read.
            TextTooLong: If an option is longer than the model reads.
            ValueError: If there are fewer than two options, an option is
                empty, two are the same to the model, the part is not in the
                video, or the model cannot choose.
        """
        self._need('choose')
        clean = text_tools.clean_texts(self.model, options, 'option')
        if len(clean) < 2:
            raise ValueError(f'a choice needs two options or more, but '
                             f'{len(clean)} is given')
        return choose_option(self.model, self._clip(video, start, end),
                             options, clean)

    def _need(self, ability: str) -> None:
        """Refuse what the model cannot do."""
        if ability not in self.can:
            raise ValueError(
                f'the model is for {self.description["task"]} and can '
                f'{", ".join(sorted(self.can))}, but not {ability}; for that, '
                f'take {_REMEDIES[ability]}')

    def _clip(self, video: Any, start: Optional[float],
              end: Optional[float]) -> torch.Tensor:
        """Read a part of one video, normalised, (1, 1, 3, t, h, w)."""
        items = expand_inputs([video], self.reader.images)
        if len(items) != 1:
            raise ValueError(f'{len(items)} videos are given, but one video '
                             'is asked about at a time')
        name = input_name(items[0])

        def cut(duration: float) -> np.ndarray:
            if start is None and end is None:
                return cut_video(duration)
            if not duration:
                raise ValueError(f'{name} has no frame rate, which start and '
                                 'end in seconds need')
            return np.array([check_part(start, end, duration, name)])

        # A single window: the head, and a list with a clip.
        _, clips = self.reader.read(items[0], cut)
        return check_finite(read_clips(self.model, clips), 'values of pixels')
