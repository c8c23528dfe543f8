"""The caption of a video among several options."""
from typing import Any, List

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmvideomamba.registry import MODELS
from .equal_tokens import MAX_SHOWN, equal_groups, report_equal
from .losses import similarity
from .scores import check_finite
from .tokenizer import TextBatch
from .video_text_model import VideoTextModel

# The weights of the published evaluation.
MATCH_WEIGHT, SIMILARITY_WEIGHT = 0.7, 0.3


def option_scores(model: VideoTextModel,
                  features: Tensor,
                  vision: Tensor,
                  options: TextBatch,
                  match_weight: float = MATCH_WEIGHT,
                  similarity_weight: float = SIMILARITY_WEIGHT) -> Tensor:
    """Score the options of a video, see ``VideoTextMC``.

    Args:
        model (VideoTextModel): The model.
        features (Tensor): Of the video in the common space, (1, m, c).
        vision (Tensor): Visual tokens of the video, (1, v, channels).
        options (TextBatch): Tokens of n options.
        match_weight (float): Defaults to 0.7.
        similarity_weight (float): Defaults to 0.3.

    Returns:
        Tensor: Shape (n, ).
    """
    text = model.text_encoder.encode(*options)
    near = similarity(features, model.text_proj(text[:, 0]),
                      model.temp)[0].softmax(0)
    # One video for all options: its keys and values are made once.
    match = model.match_logit(text, options.mask, vision)
    match = match.float().softmax(1)[:, 1]
    return match_weight * match + similarity_weight * near


@MODELS.register_module()
class VideoTextMC(VideoTextModel):
    """Choose the caption of a video among options.

    The score of an option is ``match_weight`` times the judge's probability
    of a pair plus ``similarity_weight`` times the softmax, over the options,
    of the encoders' similarity over the temperature.

    It is trained as ``VideoTextModel`` on pairs. In evaluation data samples
    hold ``caption_options`` (list[str], as many in each), see
    ``VideoMCDataset``; ``pred_label`` (int) and ``score`` (np.ndarray, one
    per option) are added. ``VQAMCACC`` of mmaction2 evaluates them.

    Args:
        *args: See ``VideoTextModel``.
        match_weight (float): Defaults to 0.7.
        similarity_weight (float): Defaults to 0.3.
        **kwargs: See ``VideoTextModel``.

    Source: Cheng et al., VindLU, arXiv:2212.05051.
    """

    def __init__(self,
                 *args: Any,
                 match_weight: float = MATCH_WEIGHT,
                 similarity_weight: float = SIMILARITY_WEIGHT,
                 **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.match_weight = match_weight
        self.similarity_weight = similarity_weight
        self._questions_with_equal = 0

    @torch.no_grad()
    def predict(self, inputs: Tensor,
                data_samples: List[BaseDataElement]) -> List[BaseDataElement]:
        """Choose an option for each video.

        Args:
            inputs (Tensor): See ``forward``.
            data_samples (list[BaseDataElement]): With ``caption_options``.

        Returns:
            list[BaseDataElement]: The same, with ``pred_label`` and
            ``score``. The first of options of equal tokens is chosen.

        Raises:
            ValueError: If a score is not a number.
        """
        vision = self.encode_videos(inputs)
        features = self.vision_proj(vision.pooled)
        for i, sample in enumerate(data_samples):
            tokens = self.tokenize(sample.caption_options)
            self._report_equal(sample.caption_options, tokens.ids)
            score = option_scores(self, features[i:i + 1],
                                  vision.tokens[i:i + 1], tokens,
                                  self.match_weight, self.similarity_weight)
            check_finite(score, 'scores of options')
            sample.pred_label = int(score.argmax())
            sample.score = score.float().cpu().numpy()
        return data_samples

    def _report_equal(self, options: List[str], ids: Tensor) -> None:
        """Warn of options of equal tokens, of a few questions."""
        groups = equal_groups(options, ids)
        self._questions_with_equal += bool(groups)
        if groups and self._questions_with_equal <= MAX_SHOWN:
            remedy = 'Raise max_length of the tokenizer, or reword them.'
            if self._questions_with_equal == MAX_SHOWN:
                remedy += ' Further questions like this are not listed.'
            report_equal(options, groups, 'options of a question', remedy)
