"""VideoMamba: a bidirectional state-space backbone for images and clips."""
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import torch
from mmcv.cnn.bricks import DropPath
from mmengine.model import BaseModule, ModuleList
from mmengine.utils import to_2tuple
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensor

from mmvideomamba.checkpoints import (INFLATIONS, Change, adapt_all,
                                      init_from_file, register_load_hook)
from mmvideomamba.registry import MODELS
from ..layers import (MambaBlock, TubeletEmbed, block_orders, build_add_norm,
                      drop_add, drop_add_norm, temporal_order)
from .clip_input import add_places, as_clip, visible_tokens
from .cuda_graph import graphed
from .drop_draws import draw_drops
from .frozen_stages import check_stages, freeze_stages, frozen_modules
from .hub_backbone import HubBackbone

# torch.fx cannot follow branches inside functions: calls are recorded.
for _name in ('as_clip', 'add_places', 'temporal_order'):
    fx.wrap(_name)

OUT_TYPES = ('cls_token', 'avg_featmap', 'featmap', 'raw')


@MODELS.register_module()
class VideoMamba(BaseModule, HubBackbone):
    """The VideoMamba backbone.

    A clip is cut into tubelets; each tubelet becomes a token; a class token is
    put in front; a stack of blocks, each a norm and a bidirectional selective
    scan, mixes the tokens at a cost linear in the number of tokens. An image
    is a clip of a single frame.

    Parameter names are the names in the published checkpoints. Loading a state
    dict inflates 2-D patch kernels and resizes both position embeddings, so
    any published file fits any resolution and number of frames; each change
    is logged, and other differences of shape raise.

    Args:
        arch (str | dict): 'tiny', 'small', 'middle', 'base', or a dict with
            ``embed_dims`` and ``num_layers``. Defaults to 'tiny'.
        img_size (int | tuple[int, int]): Height and width of the frames, in
            pixels. Defaults to 224.
        patch_size (int): Side of a patch, in pixels. Defaults to 16.
        patch_stride (int, optional): Distance of neighbouring patches, in
            pixels; patches overlap below ``patch_size``. Defaults to None,
            ``patch_size``.
        num_frames (int): Frames of a clip; 1 makes an image model. Defaults
            to 8.
        tubelet_size (int): Frames of a tubelet. Defaults to 1.
        in_channels (int): Channels of the frames. Defaults to 3.
        out_indices (int | Sequence[int]): Blocks with returned features, after
            the final norm; negative numbers count from the end. May be empty
            if ``stream_indices`` is not. Defaults to -1.
        stream_indices (int | Sequence[int]): Blocks with a returned residual
            stream, float32 and without the final norm; the streams follow the
            features of ``out_indices``. Defaults to (), none.
        out_type (str): 'cls_token' (b, c); 'avg_featmap' (b, c), the mean of
            the patch tokens; 'featmap' (b, c, t, h, w), without t for an
            image model; 'raw' (b, 1 + tokens, c). Defaults to 'cls_token'.
        drop_rate (float): Dropout of the embedded tokens. Defaults to 0.
        drop_path_rate (float): Probability of dropping the last block's
            branch of a sample; the probability rises linearly from 0 over the
            blocks. Defaults to 0.1.
        norm_cfg (dict): ``type`` 'RMSNorm' or 'LN', and ``eps``. Defaults to
            ``dict(type='RMSNorm', eps=1e-5)``.
        scan_order (str): A name in ``SCAN_ORDERS``. Defaults to
            'spatial_first'.
        checkpoint_layers (int): Number of first blocks with mixers recomputed
            in backward, to save memory. Defaults to 0.
        mixer_cfg (dict, optional): Further arguments of ``BiMambaMixer``.
            Defaults to None.
        inflation (str): How a 2-D patch kernel gets a time axis: 'center'
            puts the kernel at the middle frame, 'average' spreads the kernel
            over all frames. Defaults to 'center'.
        cuda_graph (bool): Replay inference as a CUDA graph, for small
            batches; see ``graphed``. Defaults to False.
        frozen_stages (int): Stages that do not learn: 0 the embeddings, k
            also the first k blocks, ``num_layers`` also the final norm. No
            gradient is computed there, and nothing is dropped. Defaults to
            -1, none.
        init_cfg (dict, optional): mmengine's initialisation config.
            ``dict(type='Pretrained', checkpoint=FILE)`` takes any published
            file, with ``ema=True`` the EMA weights of the file. Defaults to
            None.

    Raises:
        ValueError: If an argument is not allowed; the message names the
            argument.

    Source: VideoMamba, arXiv:2403.06977, Section 3.
    """

    arch_zoo: Dict[str, Dict[str, int]] = {
        'tiny': dict(embed_dims=192, num_layers=24),
        'small': dict(embed_dims=384, num_layers=24),
        'middle': dict(embed_dims=576, num_layers=32),
        'base': dict(embed_dims=768, num_layers=24),
    }

    def __init__(self,
                 arch: Union[str, dict] = 'tiny',
                 img_size: Union[int, Tuple[int, int]] = 224,
                 patch_size: int = 16,
                 patch_stride: Optional[int] = None,
                 num_frames: int = 8,
                 tubelet_size: int = 1,
                 in_channels: int = 3,
                 out_indices: Union[int, Sequence[int]] = -1,
                 stream_indices: Union[int, Sequence[int]] = (),
                 out_type: str = 'cls_token',
                 drop_rate: float = 0.,
                 drop_path_rate: float = 0.1,
                 norm_cfg: dict = dict(type='RMSNorm', eps=1e-5),
                 scan_order: str = 'spatial_first',
                 checkpoint_layers: int = 0,
                 mixer_cfg: Optional[dict] = None,
                 inflation: str = 'center',
                 cuda_graph: bool = False,
                 frozen_stages: int = -1,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        self.embed_dims, self.num_layers = self._sizes(arch)
        # Configs may hold lists; inputs are compared with a tuple.
        self.img_size = tuple(to_2tuple(img_size))
        self.num_frames = num_frames
        self.in_channels = in_channels
        self.inflation = inflation
        self.frozen_stages = check_stages(frozen_stages, self.num_layers)
        self._check_sizes(patch_size, patch_stride, tubelet_size)
        if out_type not in OUT_TYPES:
            raise ValueError(f'unknown out_type {out_type!r}; choose one of '
                             f'{list(OUT_TYPES)}')
        self.out_type = out_type
        if not 0 <= drop_path_rate < 1:
            raise ValueError('drop_path_rate must lie in [0, 1), but got '
                             f'{drop_path_rate}')
        if inflation not in INFLATIONS:
            raise ValueError(f'inflation must be one of {list(INFLATIONS)}, '
                             f'but got {inflation!r}')
        self.out_indices = self._indices(out_indices, 'out_indices')
        self.stream_indices = self._indices(stream_indices, 'stream_indices')
        # Later blocks contribute to no output and do not run.
        self.last_index = max(
            self.out_indices + self.stream_indices, default=-1)
        if self.last_index < 0:
            raise ValueError('out_indices or stream_indices must name a '
                             'block, but got [] for both')
        orders = block_orders(scan_order, self.num_layers)
        # Spatial-first blocks need no index.
        self.needs_order = any(o != 'spatial_first' for o in orders)

        self.patch_embed = TubeletEmbed(in_channels, self.embed_dims,
                                        tubelet_size, patch_size, patch_stride)
        # Token grid of a full clip.
        self.grid = self.patch_embed.grid(num_frames, *self.img_size)
        t, h, w = self.grid
        self.cls_token = nn.Parameter(torch.zeros(1, 1, self.embed_dims))
        self.pos_embed = nn.Parameter(
            torch.zeros(1, 1 + h * w, self.embed_dims))
        if num_frames > tubelet_size:
            self.temporal_pos_embedding = nn.Parameter(
                torch.zeros(1, t, self.embed_dims))
        self.drop_after_pos = nn.Dropout(drop_rate)
        # The rate of the branch that leaves each block; a block drops the
        # branch that enters it, so the last rate belongs to the end.
        last = max(self.num_layers - 1, 1)
        rates = [drop_path_rate * i / last for i in range(self.num_layers)]
        self.layers = ModuleList([
            MambaBlock(
                self.embed_dims,
                norm_cfg=norm_cfg,
                drop_path_rate=rates[max(i - 1, 0)],
                mixer_cfg=dict(mixer_cfg or {}, scan_order=orders[i]),
                with_cp=i < checkpoint_layers) for i in range(self.num_layers)
        ])
        self.drop_path = DropPath(rates[-1])
        self.norm_f = build_add_norm(norm_cfg, self.embed_dims)
        self._reset()
        freeze_stages(self)
        register_load_hook(self)
        if cuda_graph:
            graphed(self)

    @classmethod
    def _sizes(cls, arch: Union[str, dict]) -> Tuple[int, int]:
        if isinstance(arch, str):
            if arch not in cls.arch_zoo:
                raise ValueError(
                    f'unknown arch {arch!r}; choose one of '
                    f'{list(cls.arch_zoo)}, or give a dict with embed_dims '
                    'and num_layers')
            arch = cls.arch_zoo[arch]
        needed = {'embed_dims', 'num_layers'}
        if set(arch) != needed or min(arch.values()) < 1:
            raise ValueError(
                'arch must hold exactly embed_dims and num_layers, both '
                f'positive, but got {dict(arch)}')
        return arch['embed_dims'], arch['num_layers']

    def _check_sizes(self, patch_size: int, patch_stride: Optional[int],
                     tubelet_size: int) -> None:
        sizes = dict(
            patch_size=patch_size,
            tubelet_size=tubelet_size,
            num_frames=self.num_frames)
        if patch_stride is not None:
            sizes['patch_stride'] = patch_stride
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f'{name} ({size}) must be at least 1')
        if len(self.img_size) != 2:
            raise ValueError('img_size must be a side or (height, width), but '
                             f'got {self.img_size}')
        if self.num_frames % tubelet_size:
            raise ValueError(f'num_frames ({self.num_frames}) must be a '
                             f'multiple of tubelet_size ({tubelet_size})')
        for side in self.img_size:
            if patch_stride is None and side % patch_size:
                raise ValueError(f'img_size ({side}) must be a multiple of '
                                 f'patch_size ({patch_size})')
            if side < patch_size:
                raise ValueError(f'img_size ({side}) is smaller than '
                                 f'patch_size ({patch_size})')

    def _indices(self, indices: Union[int, Sequence[int]],
                 name: str) -> List[int]:
        indices = [indices] if isinstance(indices, int) else list(indices)
        depth = self.num_layers
        if not all(-depth <= i < depth for i in indices):
            raise ValueError(f'{name} must lie in [-{depth}, {depth}), but '
                             f'got {indices}')
        return sorted({i % depth for i in indices})

    def _reset(self) -> None:
        """Start as the published training does.

        The class token and the temporal embedding start at zero; the output
        projections shrink with depth.
        """
        # torch draws truncated numbers by their values, which a fake lacks.
        if not isinstance(self.pos_embed, FakeTensor):
            nn.init.trunc_normal_(self.pos_embed, std=0.02)
        with torch.no_grad():
            # As in GPT-2 and Mamba: the branches of all blocks add up in the
            # stream, and the variance would grow with the depth.
            for layer in self.layers:
                layer.mixer.out_proj.weight /= self.num_layers**0.5

    def train(self, mode: bool = True) -> 'VideoMamba':
        """Set the mode; frozen stages stay in evaluation mode.

        Args:
            mode (bool): Whether to train. Defaults to True.

        Returns:
            VideoMamba: The backbone itself.
        """
        super().train(mode)
        for module in frozen_modules(self):
            module.train(False)
        return self

    def init_weights(self) -> None:
        """Initialise at random, or from the file named by ``init_cfg``.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If the file cannot be used; the message names the
                file and the remedy.
        """
        init_from_file(self, super().init_weights)

    def fit_state_dict(self, state_dict: Dict[str, Tensor],
                       prefix: str) -> Tuple[Dict[str, Tensor], List[Change]]:
        """Rename and resize weights before a load; see ``Loads``.

        Args:
            state_dict (dict[str, Tensor]): Any published file, or the
                backbone's part of a whole model.
            prefix (str): Name of the backbone in the whole model, or ''.

        Returns:
            tuple: Weights of the backbone, and every change made.

        Raises:
            ValueError: If the weights are of another model.
        """
        if prefix and not state_dict:
            raise ValueError(
                'the checkpoint does not fit this VideoMamba: it names no '
                f'tensor {prefix}*, as the whole model does. If it is a '
                'published file, or the backbone is below a LoRAModel, name '
                'it in the init_cfg of the backbone (not in load_from), or '
                'convert a published one: python '
                'tools/model_converters/videomamba_to_mm.py FILE OURS.pth')
        return adapt_all(state_dict, self.state_dict(), self.grid[1:],
                         self.inflation)

    def get_layer_depth(self,
                        param_name: str,
                        prefix: str = '') -> Tuple[int, int]:
        """Return the depth of a parameter, for layer-wise learning rates.

        Args:
            param_name (str): Name of the parameter in the whole model.
            prefix (str): Prefix of the backbone's parameters in the model,
                'backbone.' for instance. Defaults to ''.

        Returns:
            tuple[int, int]: Id of the layer (0 the embeddings, i + 1 block i,
            ``num_layers + 1`` the final norm and all parameters outside of
            the backbone) and number of layers.
        """
        last = self.num_layers + 1
        name = param_name[len(prefix):]
        if not param_name.startswith(prefix):
            return last, last + 1
        if name.startswith('layers.'):
            return int(name.split('.')[1]) + 1, last + 1
        embeddings = ('cls_token', 'pos_embed', 'temporal_pos_embedding',
                      'patch_embed.')
        return (0 if name.startswith(embeddings) else last), last + 1

    def forward(self,
                x: Tensor,
                mask: Optional[Tensor] = None) -> Tuple[Tensor, ...]:
        """Extract features of clips or images.

        Args:
            x (Tensor): Clips (b, channels, num_frames, h, w), or images
                (b, channels, h, w), normalised pixels.
            mask (Tensor, optional): True where a token is **dropped**, bool,
                shape (b, t * h * w) without the class token, as many dropped
                in each sample. Only visible tokens enter the mixers.
                Defaults to None.

        Returns:
            tuple[Tensor]: An entry per ``out_indices``, after the final
            norm, then an entry per ``stream_indices``, each in increasing
            depth; shapes under ``out_type``.

        Raises:
            ValueError: If the input or the mask does not fit.
        """
        x = as_clip(x, self.in_channels, self.num_frames,
                    self.patch_embed.kernel_size[0], self.img_size)
        if mask is not None and self.out_type == 'featmap':
            raise ValueError("out_type 'featmap' cannot leave tokens out; use "
                             "'raw' with a mask")
        n = self.grid[1] * self.grid[2]
        # A split has a single gradient of the table; two slices would each
        # get a gradient of the whole table.
        first, places = self.pos_embed.split([1, n], dim=1)
        x = add_places(
            self.patch_embed(x), places,
            getattr(self, 'temporal_pos_embedding', None))
        t = x.shape[1] // n
        visible = None
        if mask is not None:
            # Tokens are dropped after the sum with the tables: a visible token
            # keeps the place in the clip.
            visible = visible_tokens(mask, x)
            x = x.gather(1, visible.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
        order = None
        # The index depends on the clip, not on the block: one for all blocks.
        if self.needs_order:
            order = temporal_order(t, n, visible, x.device)
        cls_token = (self.cls_token + first).to(x.dtype)
        x = torch.cat([cls_token.expand(x.shape[0], -1, -1), x], dim=1)
        outs = self._trunk(self.drop_after_pos(x), order)
        return tuple(self._format(out, t) for out in outs)

    def _trunk(self, hidden: Tensor, order: Optional[Tensor]) -> List[Tensor]:
        """Run the blocks; return the outputs of both kinds of indices."""
        outs: List[Tensor] = []
        streams: List[Tensor] = []
        residual: Any = None
        draws = draw_drops(self, hidden)
        # No slice of the list: a slice builds a new module, and some versions
        # of torch.compile cannot.
        for i in range(self.last_index + 1):
            # The keyword only where a draw exists: an exchanged block may not
            # take the keyword.
            given = {} if draws[i] is None else dict(draw=draws[i])
            hidden, residual = self.layers[i](hidden, residual, order, **given)
            # This block added the branch of the block before.
            if i - 1 in self.out_indices:
                # norm_f returns the dtype of the stream, float32.
                outs.append(self.norm_f(residual)[0].to(hidden.dtype))
            if i - 1 in self.stream_indices:
                streams.append(residual)
        last = self.last_index
        # A branch is dropped by the next block, or after the last block by
        # the backbone.
        owner = self if last == self.num_layers - 1 else self.layers[last + 1]
        if last in self.out_indices:
            normed, residual = drop_add_norm(owner.drop_path, self.norm_f,
                                             hidden, residual, draws[-1])
            outs.append(normed)
        else:
            residual = drop_add(owner.drop_path, hidden, residual, draws[-1])
        if last in self.stream_indices:
            streams.append(residual)
        return outs + streams

    def _format(self, tokens: Tensor, t: int) -> Tensor:
        """Bring tokens (b, 1 + v, c) to the out type."""
        if self.out_type == 'cls_token':
            return tokens[:, 0]
        if self.out_type == 'raw':
            return tokens
        patches = tokens[:, 1:]
        if self.out_type == 'avg_featmap':
            return patches.mean(dim=1)
        # Maps of an image model have no axis of time: necks and heads for
        # images take (b, c, h, w).
        shape = self.grid[1:] if self.num_frames == 1 else (t, *self.grid[1:])
        return patches.transpose(1, 2).unflatten(2, shape)
