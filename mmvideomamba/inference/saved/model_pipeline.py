"""The pipeline of a loaded model: from a file to a batch."""
import threading
from typing import Any, Optional

from mmengine.config import Config
from mmengine.dataset import Compose, default_collate, pseudo_collate
from mmengine.registry import DefaultScope

from ..image_inference import LOADERS, ImageInference, list_images
from ..inputs import list_inputs
from ..pipeline import VideoPipeline
from ..recognize import test_data_set
from ..views import Views, step_name

# The default scope of mmengine belongs to the process, not to a thread.
SCOPE_LOCK = threading.RLock()


class ModelPipeline:
    """Read a video or image for ``model.test_step``.

    Args:
        model (nn.Module): The model.
        cfg (Config): With ``test_dataloader``.
        images (bool): Whether the model takes images.
        views (str | int): Views of a video, see ``VideoPipeline``. Defaults
            to 'all'.
    """

    def __init__(self,
                 model: Any,
                 cfg: Config,
                 images: bool,
                 views: Views = 'all') -> None:
        data_set = test_data_set(cfg)
        steps = data_set['pipeline']
        self.images = images
        if images:
            rest = [s for s in steps if step_name(s) not in LOADERS]
            with SCOPE_LOCK, DefaultScope.overwrite_default_scope(
                    'mmpretrain'):
                self.read: Any = ImageInference(model, cfg, Compose(rest)).read
        else:
            self.read = VideoPipeline(steps, views, data_set)

    def sample(self, item: Any) -> dict:
        """Read an input.

        Args:
            item (Any): A video, see ``list_inputs``; or an image, see
                ``list_images``.

        Returns:
            dict: The packed sample: ``inputs`` (Tensor, uint8), of a video
            (views, 3, t, h, w), of an image (3, h, w); and ``data_samples``.

        Raises:
            MediaError: If the input cannot be read.
            ValueError: If the input is none, or several.
        """
        inputs: Any = list_images(item) if self.images else list_inputs(item)
        if len(inputs) != 1:
            raise ValueError(f'{len(inputs)} inputs are given, but a pipeline '
                             'reads one at a time')
        return self.read(inputs[0])

    def __call__(self, item: Any) -> dict:
        """Read an input as a batch of one.

        Args:
            item (Any): See ``sample``.

        Returns:
            dict: For ``model.test_step``.

        Raises:
            MediaError: See ``sample``.
            ValueError: See ``sample``.
        """
        collate = default_collate if self.images else pseudo_collate
        return collate([self.sample(item)])


def build_pipeline(model: Any, cfg: Config,
                   task: str) -> Optional[ModelPipeline]:
    """Build the pipeline of a model.

    Args:
        model (nn.Module): The model.
        cfg (Config): The config.
        task (str): Of the description.

    Returns:
        ModelPipeline, optional: None without a test pipeline in the config.
    """
    if not test_data_set(cfg).get('pipeline'):
        return None
    return ModelPipeline(model, cfg, task == 'image-classification')
