"""The image tower of CLIP, applied to the frames of a clip."""
from collections import OrderedDict
from contextlib import nullcontext
from typing import (Any, ContextManager, Dict, List, NamedTuple, Optional,
                    Tuple, Union)

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmvideomamba.registry import MODELS
from ..layers import INFLATIONS, log_changes
from .clip_weights import fit_clip_tower, read_clip_tower

NORMS = ('l2', 'none')


class TeacherOutput(NamedTuple):
    """What a teacher says about clips.

    Args:
        features (Tensor): Levels k in increasing depth, shape
            (k, b, 1 + t * n, c) with the class token, else (k, b, t * n, c).
        attention (Tensor): Of the class token to the patches of its frame,
            mean over heads, shape (b * t, n). A row does not sum to 1, since
            the class token's own share is left out.
    """
    features: Tensor
    attention: Tensor


class QuickGELU(nn.Module):
    """``x * sigmoid(1.702 x)``, the activation of OpenAI's CLIP."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation, in the shape of ``x``."""
        return x * torch.sigmoid(1.702 * x)


class CLIPBlock(nn.Module):
    """Pre-norm transformer block, with the names of CLIP's.

    Args:
        width (int): Channels.
        num_heads (int): Attention heads.
        act (type): Class of the activation.
    """

    def __init__(self, width: int, num_heads: int, act: type) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, num_heads, batch_first=True)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(width, 4 * width),
                act=act(),
                c_proj=nn.Linear(4 * width, width)))
        self.ln_2 = nn.LayerNorm(width)

    def forward(self,
                x: Tensor,
                need_weights: bool = False) -> Tuple[Tensor, Optional[Tensor]]:
        """Run the block.

        Args:
            x (Tensor): Tokens, shape (b, l, c).
            need_weights (bool): Whether to return the attention. Defaults to
                False.

        Returns:
            tuple: Tokens, and the attention (b, l, l), mean over heads, or
            None.
        """
        y = self.ln_1(x)
        y, weights = self.attn(y, y, y, need_weights=need_weights)
        x = x + y
        return x + self.mlp(self.ln_2(x)), weights


@MODELS.register_module()
class CLIPTower(BaseModule):
    """The image tower of CLIP for images, trainable.

    Parameters have OpenAI's names, without ``visual.``; loading a state dict
    takes the files of OpenAI, open_clip and Hugging Face, inflates the patch
    kernel and resizes the position embedding.

    Args:
        arch (str | dict): 'b16', 'l14', 'l14-336', or a dict with ``width``,
            ``num_layers``, ``num_heads``, ``patch_size`` and
            ``out_channels``. Defaults to 'b16'.
        img_size (int, optional): Side of the images, in pixels. Defaults to
            None, that of the arch, 224 for a dict.
        tubelet_size (int): Frames of a patch. Defaults to 1.
        act (str): 'quick_gelu', as in OpenAI's files, or 'gelu', as in most
            of open_clip's. Defaults to 'quick_gelu'.
        inflation (str): How a 2-D patch kernel gets its time axis, 'center'
            or 'average'. Defaults to 'center'.
        init_cfg (dict, optional): mmengine's initialisation config. Defaults
            to None.

    Raises:
        ValueError: If an argument is not allowed.

    Source: Radford et al., arXiv:2103.00020, Section 2.4.
    """

    arch_zoo: Dict[str, Dict[str, int]] = {
        'b16':
        dict(
            width=768,
            num_layers=12,
            num_heads=12,
            patch_size=16,
            out_channels=512),
        'l14':
        dict(
            width=1024,
            num_layers=24,
            num_heads=16,
            patch_size=14,
            out_channels=768),
    }
    arch_zoo['l14-336'] = arch_zoo['l14']
    acts = dict(quick_gelu=QuickGELU, gelu=nn.GELU)

    def __init__(self,
                 arch: Union[str, dict] = 'b16',
                 img_size: Optional[int] = None,
                 tubelet_size: int = 1,
                 act: str = 'quick_gelu',
                 inflation: str = 'center',
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        if img_size is None:
            img_size = 336 if arch == 'l14-336' else 224
        sizes = self._sizes(arch)
        width, patch = sizes['width'], sizes['patch_size']
        if img_size % patch:
            raise ValueError(f'img_size ({img_size}) of the teacher must be a '
                             f'multiple of its patch_size ({patch})')
        _check_choice('act', act, self.acts)
        _check_choice('inflation', inflation, INFLATIONS)
        self.img_size, self.inflation = img_size, inflation
        self.tubelet_size = tubelet_size
        self.num_layers = sizes['num_layers']
        self.out_channels = sizes['out_channels']
        self.grid = (img_size // patch, img_size // patch)
        kernel = (tubelet_size, patch, patch)
        self.conv1 = nn.Conv3d(3, width, kernel, stride=kernel, bias=False)
        scale = width**-0.5
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(
            scale * torch.randn(1 + self.grid[0] * self.grid[1], width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList([
            CLIPBlock(width, sizes['num_heads'], self.acts[act])
            for _ in range(self.num_layers)
        ])
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(scale * torch.randn(width, self.out_channels))
        self.register_load_state_dict_pre_hook(_adapt_hook)

    @classmethod
    def _sizes(cls, arch: Union[str, dict]) -> Dict[str, int]:
        if isinstance(arch, str):
            _check_choice('arch', arch, cls.arch_zoo)
            return cls.arch_zoo[arch]
        if set(arch) != set(cls.arch_zoo['b16']):
            raise ValueError('arch of a CLIP tower must hold exactly '
                             f'{sorted(cls.arch_zoo["b16"])}, but got '
                             f'{dict(arch)}')
        return dict(arch)

    def embed(self, x: Tensor) -> Tensor:
        """Cut clips into frames of tokens.

        Args:
            x (Tensor): Clips, shape (b, 3, frames, h, w).

        Returns:
            Tensor: Class token and patches of each frame, before the
            blocks, shape (b * t, 1 + n, c).
        """
        x = self.conv1(x).flatten(3).permute(0, 2, 3, 1)  # (b, t, n, c)
        x = x.flatten(0, 1)
        cls_token = self.class_embedding.to(x.dtype).expand(len(x), 1, -1)
        x = torch.cat([cls_token, x], dim=1)
        return self.ln_pre(x + self.positional_embedding.to(x.dtype))

    def forward(self, x: Tensor) -> Tuple[Tensor]:
        """Extract the feature that CLIP compares with texts.

        Args:
            x (Tensor): Images, shape (b, 3, h, w), or clips of one patch in
                time, (b, 3, tubelet_size, h, w).

        Returns:
            tuple[Tensor]: One entry, shape (b, out_channels).
        """
        x = self.embed(x if x.dim() == 5 else x.unsqueeze(2))
        for block in self.transformer.resblocks:
            x = block(x)[0]
        return (self.ln_post(x[:, 0]) @ self.proj, )


def _check_choice(name: str, value: str, allowed: Any) -> None:
    if value not in allowed:
        raise ValueError(f'{name} of a CLIP tower must be one of '
                         f'{list(allowed)}, but got {value!r}')


@MODELS.register_module()
class CLIPTeacher(CLIPTower):
    """A frozen image tower of CLIP that looks at every patch of a clip.

    Its parameters need no gradient, it stays in evaluation mode, and its
    forward pass records nothing.

    Args:
        arch (str | dict): As in ``CLIPTower``. Defaults to 'b16'.
        num_levels (int): Layers k whose tokens are returned. Defaults to 1.
        level_interval (float): Distance of these layers, from the last one
            down; layer ``num_layers - 1 - int(i * level_interval)``.
            Defaults to 1.
        with_cls_token (bool): Whether to return the class token, the mean
            over the frames, before the patches; ``ln_post`` is then left
            out, as published. Defaults to True.
        norm (str): 'l2' for features of length 1, or 'none', as the
            multimodal model has it. Defaults to 'l2'.
        resize (bool): Whether to resize frames of another size, bicubically,
            as published; else they raise. Defaults to True.
        amp_dtype (str, optional): 'bfloat16' or 'float16' to compute in
            mixed precision whatever the training does. Defaults to None,
            that of the training.
        compile_cfg (bool | dict): Whether to run it through
            ``torch.compile``, or its arguments. Defaults to False.
        **kwargs: Further arguments of ``CLIPTower``, such as ``img_size``
            and ``init_cfg``; ``dict(type='Pretrained', checkpoint=FILE)``
            takes any CLIP file.

    Raises:
        ValueError: If an argument is not allowed.

    Source: Li et al., Unmasked Teacher, arXiv:2303.16058, Section 3.2.
    """

    def __init__(self,
                 arch: Union[str, dict] = 'b16',
                 num_levels: int = 1,
                 level_interval: float = 1.,
                 with_cls_token: bool = True,
                 norm: str = 'l2',
                 resize: bool = True,
                 amp_dtype: Optional[str] = None,
                 compile_cfg: Union[bool, dict] = False,
                 **kwargs: Any) -> None:
        super().__init__(arch, **kwargs)
        _check_choice('norm', norm, NORMS)
        _check_choice('amp_dtype', amp_dtype, (None, 'bfloat16', 'float16'))
        last = self.num_layers - 1
        self.levels = sorted(
            {last - int(i * level_interval)
             for i in range(num_levels)})
        if len(self.levels) != num_levels or not self.levels or (self.levels[0]
                                                                 < 0):
            raise ValueError(
                f'num_levels={num_levels} and level_interval={level_interval} '
                f'name the layers {self.levels} of {self.num_layers}; they '
                'must be as many different ones')
        self.num_levels = num_levels
        self.with_cls_token, self.norm = with_cls_token, norm
        self.resize = resize
        self.amp_dtype = amp_dtype and getattr(torch, amp_dtype)
        self._run = self._encode
        if compile_cfg:
            options = {} if compile_cfg is True else dict(compile_cfg)
            self._run = torch.compile(self._encode, **options)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> 'CLIPTeacher':
        """Stay in evaluation mode, whatever the mode."""
        return super().train(False)

    def forward(self,
                x: Tensor,
                mask: Optional[Tensor] = None) -> TeacherOutput:
        """Look at clips.

        Args:
            x (Tensor): Normalised clips, shape (b, 3, frames, h, w).
            mask (Tensor, optional): True where a patch is dropped before the
                blocks, bool, shape (b, t * n), as many in each frame.
                Defaults to None, none.

        Returns:
            TeacherOutput: Features and attention, without gradient.

        Raises:
            ValueError: If the clips or the mask do not fit.
        """
        self._check_input(x)
        with torch.no_grad(), self._autocast(x):
            side = (self.img_size, self.img_size)
            if tuple(x.shape[3:]) != side:
                x = _resize_frames(x, side)
            visible = None if mask is None else self._visible(mask, x)
            return TeacherOutput(*self._run(x, visible))

    def _check_input(self, x: Tensor) -> None:
        if x.dim() != 5 or x.shape[1] != 3 or x.shape[2] % self.tubelet_size:
            raise ValueError(
                'the teacher expects clips (b, 3, frames, h, w), frames a '
                f'multiple of {self.tubelet_size}, but got {tuple(x.shape)}')
        if not self.resize and tuple(x.shape[3:]) != (self.img_size, ) * 2:
            raise ValueError(
                f'the teacher expects frames of {self.img_size} x '
                f'{self.img_size} pixels, but got {tuple(x.shape[3:])}; set '
                'its img_size, or resize=True')

    def _autocast(self, x: Tensor) -> ContextManager:
        if self.amp_dtype is None:
            return nullcontext()
        return torch.autocast(x.device.type, self.amp_dtype)

    def _visible(self, mask: Tensor, x: Tensor) -> Tensor:
        """Turn a mask into the places that stay, (b * t, v)."""
        n = self.grid[0] * self.grid[1]
        t = x.shape[2] // self.tubelet_size
        if mask.dtype != torch.bool or mask.shape != (len(x), t * n):
            raise ValueError(
                f'the mask of the teacher must be bool of shape '
                f'{(len(x), t * n)}, True = dropped, but is {mask.dtype} of '
                f'shape {tuple(mask.shape)}')
        kept = ~mask.view(-1, n)
        counts = kept.sum(1)
        if counts.min() != counts.max() or not counts.min():
            raise ValueError('the mask of the teacher must keep as many '
                             'patches in each frame, at least one, but keeps '
                             f'{counts.tolist()}')
        return kept.nonzero()[:, 1].view(len(kept), -1)

    def _encode(self, x: Tensor,
                visible: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
        """Run the tower; return features and attention."""
        b = len(x)
        x = self.embed(x)
        if visible is not None:
            index = visible.unsqueeze(-1).expand(-1, -1, x.shape[-1])
            x = torch.cat([x[:, :1], x[:, 1:].gather(1, index)], dim=1)
        levels: List[Tensor] = []
        weights = None
        for i, block in enumerate(self.transformer.resblocks):
            x, weights = block(x, need_weights=i == self.num_layers - 1)
            if i in self.levels:
                levels.append(self._project(x, b))
        return torch.stack(levels), weights[:, 0, 1:]

    def _project(self, x: Tensor, b: int) -> Tensor:
        """Bring tokens (b * t, 1 + v, c) of frames to those of clips."""
        patches = x[:, 1:].unflatten(0, (b, -1)).flatten(1, 2)
        if self.with_cls_token:
            cls_token = x[:, 0].unflatten(0, (b, -1)).mean(1, keepdim=True)
            out = torch.cat([cls_token, patches], dim=1) @ self.proj
        else:
            out = self.ln_post(patches) @ self.proj
        if self.norm == 'l2':
            out = out / out.norm(dim=-1, keepdim=True)
        return out


def _resize_frames(x: Tensor, side: Tuple[int, int]) -> Tensor:
    """Resize frames bicubically, corners not aligned."""
    frames = x.transpose(1, 2).flatten(0, 1)
    frames = F.interpolate(
        frames, size=side, mode='bicubic', align_corners=False)
    return frames.unflatten(0, (len(x), -1)).transpose(1, 2)


def _adapt_hook(module: CLIPTower, state_dict: Dict[str, Any], prefix: str, *_:
                Any) -> None:
    """Fit a state dict that is about to be loaded, in place."""
    mine = {
        k[len(prefix):]: v
        for k, v in state_dict.items() if k.startswith(prefix)
    }
    if prefix and not mine:
        return  # a model without its teacher: strict loading will tell
    fitted, changes = fit_clip_tower(
        read_clip_tower(mine), module.state_dict(), module.grid,
        module.inflation)
    log_changes(changes)
    for key in mine:
        state_dict.pop(prefix + key)
    state_dict.update({prefix + k: v for k, v in fitted.items()})
