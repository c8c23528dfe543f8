"""A frozen CLIP image tower for the frames of a clip."""
import logging
from contextlib import nullcontext
from typing import (Any, ContextManager, List, NamedTuple, Optional, Tuple,
                    Union)

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor

from mmvideomamba.registry import MODELS
from .clip_tower import CONVERTER, CLIPTower, check_choice

NORMS = ('l2', 'none')


class TeacherOutput(NamedTuple):
    """Features and attention of a teacher.

    Args:
        features (Tensor): Levels k in increasing depth, shape
            (k, b, 1 + t * n, c) with the class token, else (k, b, t * n, c).
        attention (Tensor): Of the class token to the patches of the frame,
            mean over heads, shape (b * t, n). A row does not sum to 1, since
            the class token's own share is left out.
    """
    features: Tensor
    attention: Tensor


@MODELS.register_module()
class CLIPTeacher(CLIPTower):
    """A frozen image tower of CLIP over every patch of a clip.

    The parameters need no gradient, the tower stays in evaluation mode, and
    the forward pass records nothing.

    Args:
        arch (str | dict): As in ``CLIPTower``. Defaults to 'b16'.
        num_levels (int): Layers k whose tokens are returned. Defaults to 1.
        level_interval (float): Distance of the layers, from the last down;
            layer ``num_layers - 1 - int(i * level_interval)``.
            Defaults to 1.
        with_cls_token (bool): Whether to return the class token, the mean
            over the frames, before the patches; ``ln_post`` is then left
            out, as published. Defaults to True.
        norm (str): 'l2' for features of length 1, or 'none', for the
            multimodal model. Defaults to 'l2'.
        resize (bool): Whether to resize frames of another size, bicubically,
            as published; else the teacher raises. Defaults to True.
        amp_dtype (str, optional): 'bfloat16' or 'float16' to compute in
            mixed precision whatever the training does. Defaults to None,
            the precision of the training.
        compile_cfg (bool | dict): Whether to run the tower through
            ``torch.compile``, or the arguments for doing so. Defaults to
            False.
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
        check_choice('norm', norm, NORMS)
        check_choice('amp_dtype', amp_dtype, (None, 'bfloat16', 'float16'))
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
        self.amp_dtype: Optional[torch.dtype] = None
        if amp_dtype is not None:
            self.amp_dtype = getattr(torch, amp_dtype)
        self._run = self._encode
        if compile_cfg:
            options = {} if compile_cfg is True else dict(compile_cfg)
            self._run = torch.compile(self._encode, **options)
        self.requires_grad_(False)
        self.eval()

    def init_weights(self) -> None:
        """Initialise; warn of a teacher without weights.

        Raises:
            ValueError: If the file of ``init_cfg`` cannot be used.
        """
        if not self.init_cfg:
            print_log(
                'CLIPTeacher has no init_cfg: unless a checkpoint of the '
                'whole model is loaded, its weights are random, and a '
                "student learns nothing of use. Set init_cfg=dict(type='"
                "Pretrained', checkpoint=FILE), FILE from "
                f'{CONVERTER}', 'current', logging.WARNING)
        super().init_weights()

    def train(self, mode: bool = True) -> 'CLIPTeacher':
        """Stay in evaluation mode, whatever the mode."""
        return super().train(False)

    # A teacher returns features and attention, the tower CLIP's feature.
    def forward(  # type: ignore[override]
            self,
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
        """Turn a mask into the visible places, (b * t, v)."""
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
        # nonzero goes row by row: the places of a frame stay rising.
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
        weights: Any = None
        for i, block in enumerate(self.transformer.resblocks):
            # Weights switch the fused attention off: only the last layer tells
            # any.
            x, weights = block(x, need_weights=i == self.num_layers - 1)
            if i in self.levels:
                levels.append(self._project(x, b))
        # weights (b * t, 1 + v, 1 + v): the row of the class token, without
        # the share of the class token itself.
        return torch.stack(levels), weights[:, 0, 1:]

    def _project(self, x: Tensor, b: int) -> Tensor:
        """Turn tokens of frames, (b * t, 1 + v, c), into tokens of clips."""
        patches = x[:, 1:].unflatten(0, (b, -1)).flatten(1, 2)  # (b, t * v, c)
        if self.with_cls_token:
            cls_token = x[:, 0].unflatten(0, (b, -1)).mean(1, keepdim=True)
            out = torch.cat([cls_token, patches], dim=1) @ self.proj
        else:
            out = self.ln_post(patches) @ self.proj
        if self.norm == 'l2':
            # Without an eps, as published.
            out = out / out.norm(dim=-1, keepdim=True)
        return out


def _resize_frames(x: Tensor, side: Tuple[int, int]) -> Tensor:
    """Resize frames bicubically, corners not aligned."""
    frames = x.transpose(1, 2).flatten(0, 1)  # (b * t, 3, h, w)
    frames = F.interpolate(
        frames, size=side, mode='bicubic', align_corners=False)
    return frames.unflatten(0, (len(x), -1)).transpose(1, 2)
