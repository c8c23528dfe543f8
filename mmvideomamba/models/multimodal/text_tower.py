"""BERT with fusion layers, from a local folder or by size."""
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Optional, Union

from mmengine.model import BaseModule
from torch import Tensor

from mmvideomamba.checkpoints import fit_bert
from mmvideomamba.json_file import read_json
from mmvideomamba.registry import MODELS
from .bert import Bert, WordHead, padding_bias
from .bert_config import BertConfig


@MODELS.register_module()
class TextTower(BaseModule):
    """BERT, whose last layers look at the tokens of a video.

    The layers below ``fusion_layer`` encode a text alone; from there on each
    layer has a cross-attention to visual tokens after its self-attention.

    Args:
        arch (str | dict): 'base' or 'large' for the sizes of BERT, a dict of
            BERT's config, or a folder with its ``config.json``. Defaults to
            'base'.
        fusion_layer (int, optional): First layer with cross-attention.
            Defaults to None: 9 for 'base', 19 for 'large', else three
            quarters of the layers.
        encoder_width (int): Channels of the visual tokens. Defaults to 576.
        with_mlm (bool): Whether there is a head that says masked words.
            Defaults to True.
        with_cp (bool): Recompute layers in backward, to save memory.
            Defaults to False.
        weights (str, optional): File or folder with the weights of a BERT;
            all must fit, and so must a ``config.json`` next to it.
            Cross-attention starts fresh, and the word head where the file
            has none. Defaults to None.
        init_cfg (dict, optional): mmengine's initialisation config. Defaults
            to None.

    Raises:
        ValueError: If an argument is not allowed, or a folder lacks a file.

    Source: Devlin et al., arXiv:1810.04805; Li et al., arXiv:2303.16058.
    """

    arch_zoo: Dict[str, dict] = {
        'base':
        dict(),
        'large':
        dict(
            hidden_size=1024,
            num_hidden_layers=24,
            num_attention_heads=16,
            intermediate_size=4096)
    }
    # As published: layers 9 to 11, or 19 to 23, look at the video.
    fusion_zoo = dict(base=9, large=19)

    def __init__(self,
                 arch: Union[str, dict] = 'base',
                 fusion_layer: Optional[int] = None,
                 encoder_width: int = 576,
                 with_mlm: bool = True,
                 with_cp: bool = False,
                 weights: Optional[str] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        config = self._config(
            arch, encoder_width=encoder_width, gradient_checkpointing=with_cp)
        layers = config.num_hidden_layers
        if fusion_layer is None:
            fusion_layer = layers * 3 // 4
            if isinstance(arch, str):
                fusion_layer = self.fusion_zoo.get(arch, fusion_layer)
        if not 0 < fusion_layer < layers:
            raise ValueError(f'fusion_layer must lie in [1, {layers - 1}] for '
                             f'{layers} layers, but is {fusion_layer}')
        config.fusion_layer = fusion_layer
        self.config, self.with_mlm = config, with_mlm
        self.bert = Bert(config)
        if with_mlm:
            self.cls = WordHead(config, self.bert.embeddings.word_embeddings)
        if weights is not None:
            self._load(weights)

    @classmethod
    def _config(cls, arch: Union[str, dict], **kwargs: Any) -> BertConfig:
        if isinstance(arch, dict):
            return BertConfig.of(arch, **kwargs)
        if arch in cls.arch_zoo:
            return BertConfig.of(cls.arch_zoo[arch], **kwargs)
        path = Path(arch) / 'config.json'
        if not path.is_file():
            raise ValueError(
                f'arch of TextTower must be one of {list(cls.arch_zoo)}, a '
                f'dict, or a folder with config.json, but there is no {path}')
        try:
            return BertConfig.of(
                dict(read_json(path, 'config', 'get it anew')), **kwargs)
        except (TypeError, ValueError) as error:
            raise ValueError(f'{path} is not a config of a BERT: {error}; get '
                             'it anew') from error

    @property
    def width(self) -> int:
        """Channels of the text tokens."""
        return self.config.hidden_size

    def _load(self, path: str) -> None:
        """Fill the tower from a file of a BERT."""
        try:
            weights = fit_bert(path, self.state_dict(), asdict(self.config))
        except FileNotFoundError as error:
            raise ValueError(f'weights of TextTower: {error}; put the files '
                             'of a BERT there, or set weights=None') from error
        except ValueError as error:
            raise ValueError(f'weights of TextTower: {error}') from error
        # fit_bert has named all that starts fresh, such as the
        # cross-attention.
        self.load_state_dict(weights, strict=False)

    def encode(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Encode texts alone.

        Args:
            ids (Tensor): Token ids, int64, shape (b, l).
            mask (Tensor): 1 for a token, 0 for padding, shape (b, l).

        Returns:
            Tensor: Shape (b, l, width).
        """
        bert = self.bert
        return bert.run(bert.layers[:self.config.fusion_layer],
                        bert.embeddings(ids), padding_bias(mask))

    def attend(self, text: Tensor, mask: Tensor) -> Tensor:
        """Run the part of the fusion that no video changes.

        A text with many videos needs the first self-attention only once.

        Args:
            text (Tensor): From ``encode``, shape (b, l, width).
            mask (Tensor): As in ``encode``.

        Returns:
            Tensor: Shape (b, l, width), for ``fuse_first``.
        """
        layer: Any = self.bert.layers[self.config.fusion_layer]
        return layer.attention(text, text, padding_bias(mask))

    def fuse(self, text: Tensor, mask: Tensor, vision: Tensor) -> Tensor:
        """Let encoded texts look at visual tokens.

        Args:
            text (Tensor): From ``encode``, shape (b, l, width).
            mask (Tensor): As in ``encode``.
            vision (Tensor): Of g videos, shape (g, v, encoder_width). b is a
                multiple of g: the first b / g texts look at the first video,
                and so on.

        Returns:
            Tensor: Shape (b, l, width).

        Raises:
            ValueError: If b is not a multiple of g.
        """
        return self._fuse(text, mask, vision, False)

    def fuse_first(self,
                   text: Tensor,
                   mask: Tensor,
                   vision: Tensor,
                   attended: bool = False) -> Tensor:
        """Fuse as ``fuse``, for the first token of each text alone.

        The last layer is computed for the first tokens only.

        Args:
            text (Tensor): See ``fuse``.
            mask (Tensor): See ``fuse``.
            vision (Tensor): See ``fuse``.
            attended (bool): Whether ``text`` comes from ``attend``. Defaults
                to False.

        Returns:
            Tensor: Shape (b, width).

        Raises:
            ValueError: See ``fuse``.
        """
        return self._fuse(text, mask, vision, True, attended)[:, 0]

    def _fuse(self,
              text: Tensor,
              mask: Tensor,
              vision: Tensor,
              first: bool,
              attended: bool = False) -> Tensor:
        return self.bert.run(
            self.bert.layers[self.config.fusion_layer:],
            text,
            padding_bias(mask),
            vision,
            first=first,
            attended=attended)

    def word_logits(self, fused: Tensor) -> Tensor:
        """Say the words at the places of fused tokens.

        Args:
            fused (Tensor): From ``fuse``, shape (..., width).

        Returns:
            Tensor: Shape (..., vocabulary).
        """
        return self.cls(fused)
