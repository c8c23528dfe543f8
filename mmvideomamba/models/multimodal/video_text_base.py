"""What all models of videos and texts share."""
from typing import Any, Dict, List, Optional, Sequence, Tuple

from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmvideomamba.checkpoints import (Change, fit_multimodal, init_from_file,
                                      register_load_hook)
from mmvideomamba.registry import MODELS
from mmvideomamba.upload import upload
from ..masking import merge_single_view
from .tokenizer import TextBatch, TextTokenizer
from .vision_tower import VisionOutput


class VideoTextBase(BaseModel):
    """A visual and a text tower, and files of published models.

    Args:
        vision_encoder (dict): ``VisionTower``.
        text_encoder (dict): ``TextTower``.
        tokenizer (dict): Arguments of ``TextTokenizer``.
        data_preprocessor (dict, optional): The host's. Defaults to None.
        init_cfg (dict, optional): mmengine's initialisation config. Defaults
            to None.

    Raises:
        ValueError: If an argument is not allowed.
    """

    # Why a step cannot be captured as a CUDA graph.
    not_capturable = 'the host turns the texts of each batch into tokens'

    def __init__(self,
                 vision_encoder: dict,
                 text_encoder: dict,
                 tokenizer: dict,
                 data_preprocessor: Optional[dict] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.vision_encoder = MODELS.build(vision_encoder)
        self.text_encoder = MODELS.build(text_encoder)
        width = self.text_encoder.config.encoder_width
        if width != self.vision_encoder.embed_dims:
            raise ValueError(
                f'encoder_width of the text_encoder is {width}, but the '
                f'vision_encoder has {self.vision_encoder.embed_dims} '
                'channels; set it to these')
        self.tokenizer = self.build_tokenizer(tokenizer)
        register_load_hook(self)

    def build_tokenizer(self, cfg: dict) -> TextTokenizer:
        """Build a tokenizer that knows the limits of the text tower.

        Args:
            cfg (dict): Arguments of ``TextTokenizer``.

        Returns:
            TextTokenizer: For the text tower.
        """
        limits = self.text_encoder.config
        return TextTokenizer(
            vocab_size=limits.vocab_size,
            positions=limits.max_position_embeddings,
            **cfg)

    def init_weights(self) -> None:
        """Initialise, from the file of ``init_cfg`` if there is one.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If the file cannot be used.
        """
        init_from_file(self, super().init_weights)

    def fit_state_dict(self, state_dict: Dict[str, Tensor],
                       prefix: str) -> Tuple[Dict[str, Tensor], List[Change]]:
        """Fit weights that are about to be loaded; see ``Loads``.

        Args:
            state_dict (dict[str, Tensor]): A published file, or one of ours.
            prefix (str): Name of the model in a larger one, or ''.

        Returns:
            tuple: Weights of the model, and every change made.
        """
        return fit_multimodal(state_dict, self.state_dict(),
                              self.complete_state)

    def complete_state(self, state: Dict[str, Any]) -> Dict[str, Any]:
        """Add what a file of another model lacks, before it is loaded.

        Args:
            state (dict): Weights of the file, published or own names.

        Returns:
            dict: Here the same.
        """
        return state

    def forward(self,
                inputs: Tensor,
                data_samples: Optional[List[BaseDataElement]] = None,
                mode: str = 'tensor') -> Any:
        """Compute losses, predictions, or features of the videos.

        Args:
            inputs (Tensor): Normalised clips (b, 3, frames, h, w), or with
                an axis of one clip per sample, (b, 1, 3, frames, h, w).
            data_samples (list[BaseDataElement], optional): See the class.
            mode (str): 'loss', 'predict' or 'tensor'. Defaults to 'tensor'.

        Returns:
            dict[str, Tensor] | list[BaseDataElement] | VisionOutput: By the
            mode.

        Raises:
            ValueError: If the mode is unknown, or the model has none such.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.encode_videos(inputs)
        raise ValueError('mode must be loss, predict or tensor, but is '
                         f'{mode!r}')

    def encode_videos(self, inputs: Tensor) -> VisionOutput:
        """Encode unmasked videos.

        Args:
            inputs (Tensor): See ``forward``.

        Returns:
            VisionOutput: Tokens and pooled features.
        """
        return self.vision_encoder(merge_single_view(inputs))

    def tokenize(self, texts: Sequence[str]) -> TextBatch:
        """Turn texts into ids on the device of the model."""
        return self.uploaded(self.tokenizer(texts))

    def uploaded(self, tokens: TextBatch) -> TextBatch:
        """Take tokens to the device of the model, without waiting."""
        device = next(self.parameters()).device
        return TextBatch(*(upload(x, device) for x in tokens))
