"""The image tower of CLIP."""
from collections import OrderedDict
from typing import Any, Dict, List, Optional, Tuple, Union

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmvideomamba.checkpoints import (INFLATIONS, Change, check_clip_config,
                                      find_clip_tower, fit_clip_tower,
                                      init_from_file, read_clip_config,
                                      register_load_hook, stored_clip_config)
from mmvideomamba.registry import MODELS

CONVERTER = 'tools/model_converters/clip_to_teacher.py'


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
    kernel and resizes the position embedding. A file of another design is
    refused, and so is a file with another config next to the weights.

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
        if width % sizes['num_heads']:
            raise ValueError(f'num_heads ({sizes["num_heads"]}) of a CLIP '
                             f'tower must divide its width ({width})')
        check_choice('act', act, self.acts)
        check_choice('inflation', inflation, INFLATIONS)
        self.settings = dict(sizes, act=act)
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
        # A bare module for the sake of the names: OpenAI's files have
        # transformer.resblocks.*.
        self.transformer: Any = nn.Module()
        self.transformer.resblocks = nn.ModuleList([
            CLIPBlock(width, sizes['num_heads'], self.acts[act])
            for _ in range(self.num_layers)
        ])
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(scale * torch.randn(width, self.out_channels))
        register_load_hook(self)

    @classmethod
    def _sizes(cls, arch: Union[str, dict]) -> Dict[str, int]:
        if isinstance(arch, str):
            check_choice('arch', arch, cls.arch_zoo)
            return cls.arch_zoo[arch]
        if set(arch) != set(cls.arch_zoo['b16']):
            raise ValueError('arch of a CLIP tower must hold exactly '
                             f'{sorted(cls.arch_zoo["b16"])}, but got '
                             f'{dict(arch)}')
        return dict(arch)

    def init_weights(self) -> None:
        """Initialise; an unusable file is named, with the remedy.

        Raises:
            ValueError: If the file of ``init_cfg`` cannot be used.
        """
        try:
            init_from_file(self, super().init_weights)
        except (ValueError, FileNotFoundError) as error:
            raise ValueError(f'CLIP file: {_remedy(error)}') from error

    def fit_state_dict(self, state_dict: Dict[str, Tensor],
                       prefix: str) -> Tuple[Dict[str, Tensor], List[Change]]:
        """Fit weights that are about to be loaded; see ``Loads``.

        Args:
            state_dict (dict[str, Tensor]): Any CLIP file, or the tower's
                part of a whole model.
            prefix (str): Name of the tower in the whole model, or ''.

        Returns:
            tuple: Weights of the tower, and every change made.

        Raises:
            ValueError: If they are of another model.
        """
        if prefix and not state_dict:
            # A model without its teacher: strict loading will tell.
            return {}, []
        found = find_clip_tower(state_dict)
        fitted, changes = fit_clip_tower(found.tensors, self.state_dict(),
                                         self.grid, self.inflation)
        return fitted, found.changes + changes

    def check_file(self, file: Dict[str, Any], path: str) -> None:
        """Compare the tower with settings in or next to a file.

        Args:
            file (dict): Content of the file.
            path (str): Name of the file or folder.

        Raises:
            ValueError: If a setting differs: weights do not show the number
                of heads, nor the activation.
        """
        config = stored_clip_config(file, path)
        if not config.values:
            config = read_clip_config(path) or config
        check_clip_config(config, self.settings)
        if not config.values:
            print_log(
                f'{path}: neither the file nor a config next to it tells '
                'number of heads and activation; the tower has '
                f'{self.settings["num_heads"]} '
                f'and {self.settings["act"]}, see arch and act', 'current')

    def embed(self, x: Tensor) -> Tensor:
        """Cut clips into frames of tokens.

        Args:
            x (Tensor): Clips, shape (b, 3, frames, h, w).

        Returns:
            Tensor: Class token and patches of each frame, before the
            blocks, shape (b * t, 1 + n, c).
        """
        x = self.conv1(x).flatten(3).permute(0, 2, 3, 1)  # (b, t, n, c)
        x = x.flatten(0, 1)  # (b * t, n, c)
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


def _remedy(error: Exception) -> str:
    """Name the fault of a file, and the remedy."""
    if isinstance(error, FileNotFoundError):
        return (f'{error}; write it by {CONVERTER} from a file of '
                'CLIP, or name another as checkpoint of the init_cfg '
                '(model.target_generator.init_cfg.checkpoint of a teacher)')
    return str(error)


def check_choice(name: str, value: Optional[str], allowed: Any) -> None:
    """Check an argument of a tower.

    Args:
        name (str): The argument.
        value (str, optional): The given value.
        allowed (Container[str]): The values that may be given.

    Raises:
        ValueError: If the value is not among them.
    """
    if value not in allowed:
        raise ValueError(f'{name} of a CLIP tower must be one of '
                         f'{list(allowed)}, but got {value!r}')
