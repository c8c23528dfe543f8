"""The class of a video, by texts about the classes."""
import itertools
from typing import Any, List, NamedTuple, Optional, Sequence

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmvideomamba.registry import MODELS
from .equal_tokens import equal_groups, report_equal
from .losses import similarity
from .prompts import PLACE, ClassName, Prompts, class_prompts
from .scores import REDUCTIONS, check_finite, class_scores
from .video_text_model import VideoTextModel


class ClassTexts(NamedTuple):
    """The encoded prompts of all classes, one class after the other.

    Args:
        sizes (list[int]): Prompts of each of c classes; the sum is n.
        starts (list[int]): First prompt of each class.
        hidden (Tensor): From ``text_encoder.encode``, (n, l, width).
        mask (Tensor): 1 for a token, shape (n, l).
        features (Tensor): In the common space, shape (n, embed_dims).
    """
    sizes: List[int]
    starts: List[int]
    hidden: Tensor
    mask: Tensor
    features: Tensor


@MODELS.register_module()
class VideoTextClassifier(VideoTextModel):
    """Recognise videos by prompts, with no training on the classes.

    Each class is put into every template. The two encoders score all prompts
    by the cosine with a video, and a class by the mean over its prompts. The
    judge then scores all prompts of the ``topk`` best classes, by the logit
    of a pair, and makes their order; the other classes follow in the order
    of the encoders.

    It is trained as ``VideoTextModel`` on pairs. For evaluation,
    ``PromptValLoop`` and ``PromptTestLoop`` take the names of the classes
    from the data set, with names in ``metainfo`` and labels in the samples;
    elsewhere, call ``set_classes``. ``pred_score`` (one per class)
    and ``pred_label`` are added to data samples, and the scores of the
    encoders as ``emb_score`` where the judge is asked. ``PromptAccMetric``
    evaluates both, the host's ``AccMetric`` the former.

    Args:
        *args: See ``VideoTextModel``.
        prompts (str | Sequence[str] | dict): Templates with ``{}`` in the
            place of the class, or texts of each class, or a file of either;
            see ``class_prompts``. Defaults to '{}', the bare name.
        reduction (str): 'mean' or 'max' over the prompts of a class.
            Defaults to 'mean'.
        topk (int): Classes that the judge orders, 0 for none. Defaults to 8.
        pair_batch (int): Prompts judged at a time. Defaults to 128.
        text_batch (int): Prompts encoded at a time. Defaults to 256.
        **kwargs: See ``VideoTextModel``.

    Raises:
        ValueError: If an argument is not allowed.
    """

    def __init__(self,
                 *args: Any,
                 prompts: Prompts = PLACE,
                 reduction: str = 'mean',
                 topk: int = 8,
                 pair_batch: int = 128,
                 text_batch: int = 256,
                 **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if reduction not in REDUCTIONS:
            raise ValueError(f'reduction must be one of {list(REDUCTIONS)}, '
                             f'but is {reduction!r}')
        for name, value, least in (('topk', topk, 0), ('pair_batch',
                                                       pair_batch, 1),
                                   ('text_batch', text_batch, 1)):
            if value < least:
                raise ValueError(f'{name} of VideoTextClassifier must be at '
                                 f'least {least}, but is {value}')
        self.prompts, self.reduction, self.topk = prompts, reduction, topk
        self.pair_batch, self.text_batch = pair_batch, text_batch
        self._class_texts: Optional[ClassTexts] = None

    @torch.no_grad()
    def set_classes(self, classes: Sequence[ClassName]) -> List[List[str]]:
        """Encode the prompts of the classes, with the weights as they are.

        Args:
            classes (Sequence[str | Sequence[str]]): Names in the order of
                the labels; see ``class_prompts``.

        Returns:
            list[list[str]]: The prompts of each class.

        Raises:
            FileNotFoundError: See ``class_prompts``.
            ValueError: See ``class_prompts``.
        """
        prompts = class_prompts(classes, self.prompts)
        texts = list(itertools.chain.from_iterable(prompts))
        sizes = [len(of_class) for of_class in prompts]
        # Equal prompts of one class do no harm.
        owners = [i for i, size in enumerate(sizes) for _ in range(size)]
        tokens = self.tokenize(texts)
        report_equal(
            texts, equal_groups(texts, tokens.ids, owners), 'prompts',
            'Raise max_length of the tokenizer, or reword the prompts.')
        # Class names are short: most of the padding is of no use.
        longest = int(tokens.mask.sum(1).max())
        # In parts, for the memory of many prompts.
        parts = [x[:, :longest].split(self.text_batch) for x in tokens]
        hidden = torch.cat(
            [self.text_encoder.encode(*part) for part in zip(*parts)])
        self._class_texts = ClassTexts(sizes,
                                       [0, *itertools.accumulate(sizes)][:-1],
                                       hidden, tokens.mask[:, :longest],
                                       self.text_proj(hidden[:, 0]).float())
        return prompts

    @torch.no_grad()
    def predict(self, inputs: Tensor,
                data_samples: List[BaseDataElement]) -> List[BaseDataElement]:
        """Score the classes for each video.

        Args:
            inputs (Tensor): See ``forward``.
            data_samples (list[BaseDataElement]): One per video.

        Returns:
            list[BaseDataElement]: The same, with scores, see the class.

        Raises:
            ValueError: If no classes are set, or a score is not a number.
        """
        texts = self._class_texts
        if texts is None:
            raise ValueError(
                'VideoTextClassifier knows no classes; evaluate with '
                'mmvideomamba.PromptTestLoop, which takes those of the data '
                'set, or call set_classes')
        vision = self.encode_videos(inputs)
        cosines = similarity(self.vision_proj(vision.pooled), texts.features)
        check_finite(cosines, 'similarities of videos and prompts')
        near = class_scores(cosines, texts.sizes, self.reduction)
        for i, sample in enumerate(data_samples):
            score = near[i]
            if self.topk:
                sample.emb_score = near[i]
                score = self._judge(near[i], texts, vision.tokens[i:i + 1])
            sample.pred_score = score
            sample.pred_label = score.argmax(keepdim=True)
        return data_samples

    def _judge(self, near: Tensor, texts: ClassTexts,
               vision: Tensor) -> Tensor:
        """Order the nearest classes of a video by the judge.

        Args:
            near (Tensor): Scores of the encoders, shape (c, ).
            texts (ClassTexts): Of the classes.
            vision (Tensor): Visual tokens, shape (1, v, channels).

        Returns:
            Tensor: Scores, shape (c, ).
        """
        chosen = near.topk(min(self.topk, len(near))).indices
        sizes = [texts.sizes[i] for i in chosen.tolist()]
        places = torch.cat([
            torch.arange(texts.starts[i], texts.starts[i] + texts.sizes[i])
            for i in chosen.tolist()
        ]).to(near.device)
        logits = torch.cat([
            self.match_logit(texts.hidden[part], texts.mask[part],
                             vision)[:, 1].float()
            for part in places.split(self.pair_batch)
        ])
        check_finite(logits, 'logits of the judge')
        judged = class_scores(logits, sizes, self.reduction)
        # The others come behind the last one, in the order of the encoders.
        score = near - near.max() + judged.min() - 1
        score[chosen] = judged
        return score
