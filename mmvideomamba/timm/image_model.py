"""VideoMamba under timm's protocol for image models."""
import copy
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple, Union

from timm.layers import global_pool_nlc
from timm.models._features import feature_take_indices
from torch import Tensor, nn

from ..models.backbones import VideoMamba
from .weights import TEMPORAL, rename

POOLS = ('token', 'avg', 'max', 'avgmax', '')


class TimmVideoMamba(nn.Module):
    """VideoMamba as an image model of timm.

    Args:
        arch (str | dict): As in ``VideoMamba``. Defaults to 'tiny'.
        img_size (int | tuple[int, int]): Height and width of the images, in
            pixels, multiples of ``patch_size``. Defaults to 224.
        patch_size (int): Side of a patch, in pixels. Defaults to 16.
        in_chans (int): Channels of the images. Defaults to 3.
        num_classes (int): Classes; 0 leaves the head out. Defaults to 1000.
        global_pool (str): 'token', the class token; 'avg', 'max' or 'avgmax'
            of the patch tokens; '' returns all tokens. Defaults to 'token'.
        drop_rate (float): Dropout before the head. Defaults to 0.
        pos_drop_rate (float): Dropout of the embedded tokens. Defaults to 0.
        drop_path_rate (float): Stochastic depth of the last block, rising
            from 0. Defaults to 0.
        num_frames (int): Above 1 a model of clips (b, c, t, h, w). Defaults
            to 1.
        **kwargs: Further arguments of ``VideoMamba``.

    Raises:
        ValueError: If an argument is not allowed; the message names the
            argument.

    Source: VideoMamba, arXiv:2403.06977, Section 3.
    """

    def __init__(self,
                 arch: Union[str, dict] = 'tiny',
                 img_size: Union[int, Tuple[int, int]] = 224,
                 patch_size: int = 16,
                 in_chans: int = 3,
                 num_classes: int = 1000,
                 global_pool: str = 'token',
                 drop_rate: float = 0.,
                 pos_drop_rate: float = 0.,
                 drop_path_rate: float = 0.,
                 num_frames: int = 1,
                 **kwargs: Any) -> None:
        super().__init__()
        for name in ('out_type', 'out_indices', 'stream_indices'):
            if name in kwargs:
                raise ValueError(f'{name} is set by forward_intermediates of '
                                 'the model; leave the argument out')
        # All tokens: timm pools in the head, by global_pool.
        self.backbone = VideoMamba(
            arch,
            img_size=img_size,
            patch_size=patch_size,
            num_frames=num_frames,
            in_channels=in_chans,
            out_type='raw',
            drop_rate=pos_drop_rate,
            drop_path_rate=drop_path_rate,
            **kwargs)
        dims = self.backbone.embed_dims
        self.num_features = self.head_hidden_size = self.embed_dim = dims
        self.num_prefix_tokens = 1
        self.in_chans = in_chans
        self.drop_rate = drop_rate
        self.grad_checkpointing = False
        reduction = self.backbone.patch_embed.stride[-1]
        self.feature_info: List[Dict[str, Any]] = [
            dict(
                module=f'backbone.layers.{i}',
                num_chs=dims,
                reduction=reduction) for i in range(self.backbone.num_layers)
        ]
        self.head_drop = nn.Dropout(drop_rate)
        self.head: nn.Module = nn.Identity()
        self.reset_classifier(num_classes, global_pool)
        self.register_load_state_dict_pre_hook(rename)

    def no_weight_decay(self) -> Set[str]:
        """Name the parameters that do not decay, besides all 1-D ones.

        Returns:
            set[str]: The class token and the position embeddings.
        """
        return {'backbone.cls_token', 'backbone.pos_embed', TEMPORAL}

    def group_matcher(self, coarse: bool = False) -> Dict[str, Any]:
        """Return the patterns for groups of parameters by depth.

        Args:
            coarse (bool): Makes no difference here. Defaults to False.

        Returns:
            dict: Patterns of the stem, and of the blocks and the final norm.
        """
        stem = r'^backbone\.(?:cls_token|pos_embed|temporal_pos|patch_embed)'
        # 99999 is timm's mark of the group after all blocks.
        return dict(
            stem=stem,
            blocks=[(r'^backbone\.layers\.(\d+)', None),
                    (r'^backbone\.norm_f', (99999, ))])

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the mixers in backward, to save memory.

        Args:
            enable (bool): Whether to. Defaults to True.
        """
        self.grad_checkpointing = enable
        for layer in self.backbone.layers:
            layer.with_cp = enable

    def get_classifier(self) -> nn.Module:
        """Return the head.

        Returns:
            nn.Module: ``nn.Linear``, or ``nn.Identity`` without classes.
        """
        return self.head

    def reset_classifier(self,
                         num_classes: int,
                         global_pool: Optional[str] = None) -> None:
        """Put a fresh head in the place of the present one.

        Args:
            num_classes (int): Classes; 0 leaves the head out.
            global_pool (str, optional): Name of a pooling. Defaults to None,
                the present pooling.

        Raises:
            ValueError: If the pooling is unknown.
        """
        if global_pool is not None:
            if global_pool not in POOLS:
                raise ValueError(
                    f'unknown global_pool {global_pool!r}; choose '
                    f'one of {list(POOLS)}')
            self.global_pool = global_pool
        self.num_classes = num_classes
        if num_classes <= 0:
            self.head = nn.Identity()
            return
        # A head may be exchanged after the model has moved to a device.
        like = self.backbone.pos_embed
        head = nn.Linear(
            self.num_features,
            num_classes,
            device=like.device,
            dtype=like.dtype)
        nn.init.trunc_normal_(head.weight, std=0.02)
        nn.init.zeros_(head.bias)
        self.head = head

    def _with_outputs(self, normed: Sequence[int],
                      streams: Sequence[int]) -> VideoMamba:
        """Return the backbone with other blocks to return features of."""
        body = self.backbone
        if (list(normed), list(streams)) == (body.out_indices,
                                             body.stream_indices):
            return body
        # Shares all modules and parameters with the backbone.
        view = copy.copy(body)
        view.out_indices, view.stream_indices = list(normed), list(streams)
        view.last_index = max(*normed, *streams, -1)
        return view

    def forward_intermediates(
        self,
        x: Tensor,
        indices: Optional[Union[int, List[int]]] = None,
        return_prefix_tokens: bool = False,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = 'NCHW',
        intermediates_only: bool = False
    ) -> Union[List[Any], Tuple[Tensor, List[Any]]]:
        """Extract features after several blocks.

        Args:
            x (Tensor): Images (b, in_chans, h, w), normalised.
            indices (int | list[int], optional): Last n blocks, or blocks.
                Defaults to None, all.
            return_prefix_tokens (bool): Return pairs of features and class
                token (b, 1, c). Defaults to False.
            norm (bool): Take features after the final norm, not the residual
                stream. Defaults to False.
            stop_early (bool): Run no block after the last of ``indices``;
                the final features are taken there. Defaults to False.
            output_fmt (str): 'NCHW', or 'NLC', which clips need. Defaults to
                'NCHW'.
            intermediates_only (bool): Leave the final features out. Defaults
                to False.

        Returns:
            tuple | list: Final features (b, 1 + tokens, c), and a list with
            (b, c, h, w) or (b, tokens, c) for each block in order.

        Raises:
            ValueError: If the format is unknown, or does not fit clips.
        """
        if output_fmt not in ('NCHW', 'NLC'):
            raise ValueError("output_fmt must be 'NCHW' or 'NLC', but got "
                             f'{output_fmt!r}')
        maps = output_fmt == 'NCHW'
        if maps and self.backbone.num_frames > 1:
            raise ValueError('a model of clips has no feature maps (b, c, h, '
                             "w); set output_fmt to 'NLC'")
        take, last = feature_take_indices(len(self.feature_info), indices)
        take = sorted(set(take))
        final = last if stop_early else self.backbone.num_layers - 1
        normed = set(take) if norm else set()
        if not intermediates_only:
            normed.add(final)
        outs = self._with_outputs(sorted(normed), [] if norm else take)(x)
        # The backbone returns normed outputs first, streams after.
        found = outs[:len(take)] if norm else outs[len(normed):]
        grid = self.backbone.grid[1:]
        features: List[Any] = [y[:, 1:] for y in found]  # (b, n, c)
        if maps:
            features = [
                y.transpose(1, 2).unflatten(2, grid).contiguous()
                for y in features
            ]
        if return_prefix_tokens:
            features = list(zip(features, (y[:, :1] for y in found)))
        if intermediates_only:
            return features
        return outs[len(normed) - 1], features

    def prune_intermediate_layers(self,
                                  indices: Union[int, List[int]] = 1,
                                  prune_norm: bool = False,
                                  prune_head: bool = True) -> List[int]:
        """Remove what the features of some blocks do not need.

        Args:
            indices (int | list[int]): Last n blocks, or blocks. Defaults
                to 1.
            prune_norm (bool): Remove the final norm as well. Defaults to
                False.
            prune_head (bool): Remove the head as well. Defaults to True.

        Returns:
            list[int]: The blocks, counted from the first.
        """
        body = self.backbone
        take, last = feature_take_indices(len(self.feature_info), indices)
        take = sorted(set(take))
        if last + 1 < body.num_layers:
            # A block drops the branch of the block before.
            body.drop_path = body.layers[last + 1].drop_path
            body.layers = body.layers[:last + 1]
            body.num_layers = last + 1
        body.out_indices = [] if prune_norm else take
        body.stream_indices = take if prune_norm else []
        body.last_index = last
        if prune_norm:
            body.norm_f = nn.Identity()
        if prune_head:
            self.reset_classifier(0, '')
        return take

    def forward_features(self, x: Tensor) -> Tensor:
        """Return all tokens after the final norm.

        Args:
            x (Tensor): Images (b, in_chans, h, w), or clips (b, in_chans, t,
                h, w) for ``num_frames`` above 1.

        Returns:
            Tensor: Class token and patch tokens, shape (b, 1 + tokens, c).

        Raises:
            ValueError: If the input does not fit.
        """
        return self.backbone(x)[0]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Pool tokens and classify.

        Args:
            x (Tensor): Tokens, shape (b, 1 + tokens, c).
            pre_logits (bool): Leave the head out. Defaults to False.

        Returns:
            Tensor: Logits (b, num_classes), or features (b, c).
        """
        pooled = self.head_drop(
            global_pool_nlc(x, self.global_pool, self.num_prefix_tokens))
        return pooled if pre_logits else self.head(pooled)

    def forward(self, x: Tensor) -> Tensor:
        """Classify images.

        Args:
            x (Tensor): See ``forward_features``.

        Returns:
            Tensor: Logits (b, num_classes), or features (b, c) without
            classes.

        Raises:
            ValueError: If the input does not fit.
        """
        return self.forward_head(self.forward_features(x))
