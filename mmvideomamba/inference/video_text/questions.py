"""Answers to questions about a video, and choices among options."""
from typing import Any, List, NamedTuple, Sequence

import torch
from torch import Tensor

from mmvideomamba.models.multimodal.equal_tokens import equal_groups
from mmvideomamba.models.multimodal.scores import check_finite
from mmvideomamba.models.multimodal.video_text_mc import (MATCH_WEIGHT,
                                                          SIMILARITY_WEIGHT,
                                                          option_scores)


class Answer(NamedTuple):
    """An answer or an option.

    Args:
        text (str): As in the list of answers, or as the user gave the option.
        probability (float): From 0 to 1, see ``VideoTextPredictor.answer``
            and ``VideoTextPredictor.choose``.
    """
    text: str
    probability: float


@torch.no_grad()
def answer_all(model: Any, clip: Tensor, questions: Sequence[str],
               topk: int) -> List[List[Answer]]:
    """Answer questions about a clip.

    Args:
        model (VideoTextQA): In evaluation mode.
        clip (Tensor): Normalised, (1, 1, 3, t, h, w).
        questions (Sequence[str]): Cleaned questions.
        topk (int): Answers of each.

    Returns:
        list[list[Answer]]: The best answers of each question, the best first.
    """
    ranked = model.rank(model.encode_videos(clip).tokens, questions)
    shares = ranked.log_probs.float().softmax(1)
    return [[
        Answer(model.answers[i], p)
        for i, p in zip(ids[:topk].tolist(), row[:topk].tolist())
    ] for ids, row in zip(ranked.ids, shares)]


@torch.no_grad()
def choose_option(model: Any, clip: Tensor, options: Sequence[str],
                  clean: Sequence[str]) -> List[Answer]:
    """Score the options of a clip.

    Args:
        model (VideoTextModel): In evaluation mode.
        clip (Tensor): Normalised, (1, 1, 3, t, h, w).
        options (Sequence[str]): As the user gave the options.
        clean (Sequence[str]): The same, cleaned.

    Returns:
        list[Answer]: The options, the best first.

    Raises:
        ValueError: If two options are the same to the model.
    """
    tokens = model.tokenize(clean)
    # By place, as an option may also be given twice in the same words.
    groups = equal_groups(clean, tokens.ids, range(len(clean)))
    if groups:
        first, other = (options[i] for i in groups[0][:2])
        raise ValueError(f'the options {first!r} and {other!r} are the same '
                         'to the model; leave one out, or reword it')
    vision = model.encode_videos(clip)
    scores = option_scores(
        model, model.vision_proj(vision.pooled), vision.tokens, tokens,
        getattr(model, 'match_weight', MATCH_WEIGHT),
        getattr(model, 'similarity_weight', SIMILARITY_WEIGHT))
    check_finite(scores, 'scores of options')
    order = scores.argsort(descending=True, stable=True).tolist()
    return [Answer(options[i], float(scores[i])) for i in order]
