"""A model in torch, from files to probabilities."""
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.dataset import default_collate, pseudo_collate

from ..class_names import num_classes_of
from ..pipeline import Chosen
from ..predict import predict
from ..video_inference import tell_views
from ..views import Views, count_views

IMAGES = 'image-classification'
SCORED = ('video-classification', 'video-regression', IMAGES,
          'prompt-classification')


class LoadedModel:
    """Read and score with a model of ``mmvideomamba.load``.

    Args:
        model (nn.Module): With ``description`` and ``pipeline``.
        views (str | int): See ``VideoPipeline``.

    Attributes:
        description (dict): See ``inference.saved.describe``.
        images (bool): Whether the model takes images.
        num_classes (int, optional): Classes of the model, None where
            unknown.

    Raises:
        ValueError: If the model has no test pipeline, or ``views`` does not
            fit.
    """

    def __init__(self, model: Any, views: Views) -> None:
        self.model, self.description = model, model.description
        self.images = self.description['task'] == IMAGES
        self.num_classes = num_classes_of(model)
        if model.pipeline is None:
            raise ValueError(
                'the model has no test pipeline, which says how a file is '
                'read; load a checkpoint with its config, or a folder saved '
                'from one')
        self.pipeline: Any = model.pipeline.read
        if not self.images:
            self.pipeline.set_views(views)
        elif views != 'all':
            raise ValueError(f"views={views!r}: an image has one view; leave "
                             'views out')

    def check(self) -> None:
        """Refuse a model without probabilities.

        Raises:
            ValueError: If the model is for another task, or keeps the views
                of a video apart.
        """
        task = self.description['task']
        if task not in SCORED:
            raise ValueError(f'the model is for {task} and gives no classes; '
                             f'prediction takes models for '
                             f'{", ".join(SCORED)}')
        average = self.description.get('average')
        if task == 'video-classification' and average is None:
            raise ValueError(
                'average_clips of the head is None, so the views of a video '
                "have no common result; set model.cls_head.average_clips="
                "'prob' in the config")
        if not self.images and self.pipeline.views == 'all':
            tell_views(*count_views(self.pipeline.steps))

    def read(self, item: Any) -> Tuple[dict, Chosen]:
        """Read an input.

        Args:
            item (Any): Of ``list_inputs`` or ``list_images``.

        Returns:
            tuple[dict, Chosen]: The packed sample, and the frames.

        Raises:
            MediaError: If the input cannot be read.
        """
        if self.images:
            return self.pipeline(item), Chosen([[0]])
        return self.pipeline.read(item)

    def score(self, samples: Sequence[dict]) -> np.ndarray:
        """Score packed samples, as the test of the host does.

        Args:
            samples (Sequence[dict]): From ``read``.

        Returns:
            np.ndarray: Probabilities (n, k), or numbers (n, 1), float32.
        """
        task = self.description['task']
        results: List[Any]
        with torch.no_grad():
            if self.images:
                results = self.model.test_step(default_collate(samples))
            elif task == 'prompt-classification':
                results = self.model.test_step(pseudo_collate(samples))
            else:
                results = predict(self.model, samples)
        scores = torch.stack([r.pred_score.float().cpu() for r in results])
        # With average_clips='score' the head returns the mean of the logits.
        if (task == 'video-classification'
                and self.description.get('average') == 'score'):
            kind: Optional[str] = self.description.get('probability')
            scores = (
                scores.sigmoid() if kind == 'sigmoid' else scores.softmax(-1))
        return scores.flatten(1).numpy()
