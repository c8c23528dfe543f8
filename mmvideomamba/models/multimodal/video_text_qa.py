"""Answers to questions about videos."""
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmvideomamba.json_file import read_json
from mmvideomamba.registry import MODELS
from mmvideomamba.upload import upload
from .answer_decoder import (DECODER, RankedAnswers, answer_losses,
                             build_decoder, decoder_state, rank_answers)
from .equal_tokens import equal_groups, report_equal
from .scores import check_finite
from .tokenizer import TextBatch
from .video_text_base import VideoTextBase


@MODELS.register_module()
class VideoTextQA(VideoTextBase):
    """Answer questions about videos, from a list of answers.

    All layers of the text tower read a question, the upper ones look at the
    video. A decoder, which starts as these upper layers, says the answer
    word by word. Trained is the log-probability of the right answers, each
    with its weight; told is the most probable one of the list.

    A file of a pretrained video-text model starts the decoder as well, see
    ``decoder_state``.

    Data samples hold ``question`` (str), for training ``gt_answer``
    (list[str]) and ``gt_answer_weight`` (list[float]), see
    ``VideoQADataset``; ``pred_answer`` (str) is added. ``VQAAcc`` of mmaction2
    evaluates them.

    Args:
        vision_encoder (dict): ``VisionTower``.
        text_encoder (dict): ``TextTower``.
        tokenizer (dict): Arguments of ``TextTokenizer``, for questions.
        answer_file (str, optional): JSON list of all answers, read at the
            first use. Defaults to None, for training without validation.
        answer_length (int): Tokens of an answer, with start and end, longer
            ones are cut. Defaults to 5.
        topk (int): Answers to order, chosen by their first word. Defaults to
            128.
        pair_batch (int): Pairs of question and answer judged at a time.
            Defaults to 512.
        data_preprocessor (dict, optional): The host's. Defaults to None.
        init_cfg (dict, optional): mmengine's initialisation config. Defaults
            to None.

    Raises:
        ValueError: If an argument is not allowed.

    Source: Cheng et al., VindLU, arXiv:2212.05051; Li et al., ALBEF,
    arXiv:2107.07651, Section 4.
    """

    def __init__(self,
                 vision_encoder: dict,
                 text_encoder: dict,
                 tokenizer: dict,
                 answer_file: Optional[str] = None,
                 answer_length: int = 5,
                 topk: int = 128,
                 pair_batch: int = 512,
                 data_preprocessor: Optional[dict] = None,
                 init_cfg: Optional[dict] = None) -> None:
        for name, value in (('topk', topk), ('pair_batch', pair_batch)):
            if value < 1:
                raise ValueError(f'{name} of VideoTextQA must be at least 1, '
                                 f'but is {value}')
        super().__init__(vision_encoder, text_encoder, tokenizer,
                         data_preprocessor, init_cfg)
        self.answer_tokenizer = self.build_tokenizer({
            **tokenizer, 'max_length':
            answer_length
        })
        self.answer_file = answer_file
        self.topk, self.pair_batch = topk, pair_batch
        self._answers: List[str] = []
        self.text_decoder = build_decoder(self.text_encoder)

    def complete_state(self, state: Dict[str, Any]) -> Dict[str, Any]:
        """Start the decoder from a file of a model without one.

        Args:
            state (dict): Weights of the file.

        Returns:
            dict: With ``text_decoder.*``.
        """
        if any(key.startswith(DECODER) for key in state):
            return state
        own = {
            DECODER + k: v
            for k, v in self.text_decoder.state_dict().items()
        }
        start = decoder_state(state, self.text_encoder.config.fusion_layer,
                              own)
        return {**state, **start}

    @property
    def answers(self) -> List[str]:
        """All answers to choose from; of several of equal tokens the first.

        Answers of equal tokens are reported at the first use.

        Raises:
            ValueError: If there is no file, or it is not a list of texts.
        """
        if not self._answers:
            self._answers = self._distinct(read_answers(self.answer_file))
            if self.topk > len(self._answers):
                print_log(
                    f'topk={self.topk} is more than the '
                    f'{len(self._answers)} answers: all of them are ordered',
                    'current')
        return self._answers

    def _distinct(self, answers: List[str]) -> List[str]:
        """Leave out answers of the same tokens as one before, and say so."""
        groups = equal_groups(answers, self.answer_tokenizer(answers).ids)
        alike = [answers[i] for group in groups for i in group]
        if groups:
            remedy = 'The first of each is answered, the others never.'
            limits = self.text_encoder.config
            whole = self.build_tokenizer(
                dict(
                    folder=self.answer_tokenizer.folder,
                    max_length=limits.max_position_embeddings))(
                        alike)
            if equal_groups(alike, whole.ids) != equal_groups(
                    alike,
                    self.answer_tokenizer(alike).ids):
                remedy += (f' answer_length={int(whole.mask.sum(1).max())} '
                           'cuts none of them.')
            report_equal(answers, groups, f'answers of {self.answer_file}',
                         remedy)
        left_out = {i for group in groups for i in group[1:]}
        return [
            answer for i, answer in enumerate(answers) if i not in left_out
        ]

    def read_questions(
            self, inputs: Tensor,
            data_samples: List[BaseDataElement]) -> Tuple[Tensor, Tensor]:
        """Read questions, with a look at the videos.

        Args:
            inputs (Tensor): See ``forward``.
            data_samples (list[BaseDataElement]): With ``question``.

        Returns:
            tuple[Tensor, Tensor]: Tokens (b, l, width), and 1 for a token, 0
            for padding, (b, l).
        """
        vision = self.encode_videos(inputs).tokens
        return self._ask(vision, [s.question for s in data_samples])

    def _ask(self, vision: Tensor,
             questions: Sequence[str]) -> Tuple[Tensor, Tensor]:
        """Read questions, see ``read_questions`` and ``rank``."""
        tokens = self.tokenize(questions)
        text = self.text_encoder.encode(*tokens)
        return self.text_encoder.fuse(text, tokens.mask, vision), tokens.mask

    @torch.no_grad()
    def rank(self, vision: Tensor, questions: Sequence[str]) -> RankedAnswers:
        """Order the answers to questions, the most probable first.

        Args:
            vision (Tensor): Visual tokens of g videos, (g, v, c).
            questions (Sequence[str]): b questions, b / g in a row for each
                video.

        Returns:
            RankedAnswers: Places in ``answers``, and log-probabilities.

        Raises:
            ValueError: If a log-probability is not a number.
        """
        states, mask = self._ask(vision, questions)
        ranked = rank_answers(self.text_decoder,
                              self._answer_tokens(self.answers), states, mask,
                              self.answer_tokenizer.pad_id, self.topk,
                              self.pair_batch)
        check_finite(ranked.log_probs, 'log-probabilities of answers')
        return ranked

    def _answer_tokens(self, answers: List[str]) -> TextBatch:
        return self.uploaded(self.answer_tokenizer(answers))

    def loss(self, inputs: Tensor,
             data_samples: List[BaseDataElement]) -> Dict[str, Tensor]:
        """Compute the loss of the right answers.

        Args:
            inputs (Tensor): See ``forward``.
            data_samples (list[BaseDataElement]): See the class.

        Returns:
            dict[str, Tensor]: ``loss_answer``, the weighted sum over a
            question's answers, averaged over the questions.
        """
        if self.answer_file is not None:
            # Its faults should show now, not at the first validation.
            len(self.answers)
        states, mask = self.read_questions(inputs, data_samples)
        texts = [text for s in data_samples for text in s.gt_answer]
        # The question of each answer.
        owner = upload(
            torch.tensor(
                [i for i, s in enumerate(data_samples) for _ in s.gt_answer]),
            states.device)
        weights = upload(
            torch.tensor([w for s in data_samples
                          for w in s.gt_answer_weight]), states.device)
        losses = answer_losses(self.text_decoder, self._answer_tokens(texts),
                               states.index_select(0, owner),
                               mask.index_select(0, owner),
                               self.answer_tokenizer.pad_id)
        return dict(loss_answer=(weights * losses).sum() / len(data_samples))

    @torch.no_grad()
    def predict(self, inputs: Tensor,
                data_samples: List[BaseDataElement]) -> List[BaseDataElement]:
        """Choose an answer for each question.

        Args:
            inputs (Tensor): See ``forward``.
            data_samples (list[BaseDataElement]): With ``question``.

        Returns:
            list[BaseDataElement]: The same, with ``pred_answer``.

        Raises:
            ValueError: If a log-probability is not a number.
        """
        ranked = self.rank(
            self.encode_videos(inputs).tokens,
            [s.question for s in data_samples])
        for sample, best in zip(data_samples, ranked.ids[:, 0].tolist()):
            sample.pred_answer = self.answers[best]
        return data_samples


def read_answers(path: Optional[str]) -> List[str]:
    """Read the list of all answers.

    Args:
        path (str, optional): JSON file.

    Returns:
        list[str]: At least one; none is empty.

    Raises:
        ValueError: If there is no such file, or it holds something else.
    """
    if path is None or not Path(path).is_file():
        raise ValueError(
            f'answer_file of VideoTextQA: there is no {path}; set it to the '
            'JSON list of all answers to choose from')
    found = read_json(path, 'answer_file', 'write it as a JSON list')
    if not isinstance(found, list) or not found:
        raise ValueError(f'answer_file {path} must hold a list of texts with '
                         'at least one')
    wrong = [x for x in found if not isinstance(x, str) or not x.strip()]
    if wrong:
        raise ValueError(f'answer_file {path} has {len(wrong)} empty answers '
                         f'or entries that are not text, the first is '
                         f'{wrong[0]!r}; correct or remove them')
    return found
