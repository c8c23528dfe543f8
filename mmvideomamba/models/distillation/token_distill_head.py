"""Head that fits the student's tokens to a frozen teacher's."""
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

import torch.nn.functional as F
from mmengine.model import Sequential
from torch import Tensor, nn

from mmvideomamba.checkpoints import (Change, init_from_file,
                                      register_load_hook, unwrap)
from mmvideomamba.loss_weight import check_loss_weight, warn_unused_teacher
from mmvideomamba.registry import MODELS
from ..layers import build_add_norm
from .frozen_teacher import FrozenTeacher, all_tokens, summary


def unit(x: Tensor) -> Tensor:
    """Divide by the L2 norm over channels, in float32 at least.

    Args:
        x (Tensor): Shape (..., c).

    Returns:
        Tensor: Same shape; nothing keeps a zero vector from becoming NaN.
    """
    # eps=0, as published: the default would clamp short vectors.
    return F.normalize(x if x.element_size() > 4 else x.float(), dim=-1, eps=0)


@MODELS.register_module()
class TokenDistillHead(Sequential):
    """Draw each token of a student to the token of a frozen teacher.

    The student's tokens, class token included, pass a norm and a linear
    layer to the width of the teacher; both sides are brought to length 1, and
    the loss is the mean over images and tokens of ``2 - 2 <s, t>``. Only
    training needs the head. The weights of the head have the published names,
    ``distill_head.0.weight``, ``distill_head.1.weight`` and
    ``distill_head.1.bias``; the weights of the teacher are not saved.

    Args:
        in_channels (int): Width c of the student.
        teacher (dict | nn.Module): A registered backbone with
            ``out_type='raw'``, or a classifier or recognizer around a
            backbone with ``out_type='raw'``.
        checkpoint (str, optional): File of the teacher's weights, see
            ``FrozenTeacher``; not needed for inference. Defaults to None.
        norm_cfg (dict): Norm before the linear layer. Defaults to
            ``dict(type='RMSNorm', eps=1e-5)``.
        loss_weight (float): Weight of the loss. Defaults to 1.
        init_std (float): Standard deviation of the initial weights. Defaults
            to 0.02.
        init_cfg (dict, optional): mmengine's initialisation config;
            ``dict(type='Pretrained', checkpoint=FILE)`` takes the
            ``distill_head`` of a published file. Defaults to None.

    Raises:
        ValueError: If the teacher has no weights, or returns no tokens, or
            the weight of the loss is none.

    Source: VideoMamba, arXiv:2403.06977, Section 3.3 (self-distillation).
    """

    def __init__(self,
                 in_channels: int,
                 teacher: Union[dict, nn.Module],
                 checkpoint: Optional[str] = None,
                 norm_cfg: dict = dict(type='RMSNorm', eps=1e-5),
                 loss_weight: float = 1.,
                 init_std: float = 0.02,
                 init_cfg: Optional[dict] = None) -> None:
        check_loss_weight('loss_weight of TokenDistillHead', loss_weight)
        found = FrozenTeacher(teacher, checkpoint)
        super().__init__(
            build_add_norm(norm_cfg, in_channels),
            nn.Linear(in_channels, found.backbone.embed_dims),
            init_cfg=init_cfg)
        self.teacher = found
        self.in_channels = in_channels
        self.loss_weight = loss_weight
        nn.init.trunc_normal_(self[1].weight, std=init_std)
        nn.init.zeros_(self[1].bias)
        register_load_hook(self)

    def init_weights(self) -> None:
        """Initialise the head, and load the teacher before training starts.

        Raises:
            FileNotFoundError: If the file for the head does not exist.
            ValueError: If a checkpoint cannot be used, or does not fit.
        """
        init_from_file(self, super().init_weights)
        if not self.loss_weight:
            warn_unused_teacher('TokenDistillHead', 'loss_weight=0')
        self.teacher.load()

    def fit_state_dict(self, state_dict: Dict[str, Tensor],
                       prefix: str) -> Tuple[Dict[str, Tensor], List[Change]]:
        """Pick the head's weights before a load; see ``Loads``.

        Args:
            state_dict (dict[str, Tensor]): File of a distilled model, or the
                head's part of a whole model.
            prefix (str): Name of the head in the whole model, or ''.

        Returns:
            tuple: Weights of the head, and no change.

        Raises:
            ValueError: If the file has no ``distill_head``, or a
                ``distill_head`` of another width.
        """
        if not prefix and '1.weight' not in state_dict:
            source = unwrap(state_dict)
            state_dict = {
                k: source[f'distill_head.{k}']
                for k in self.state_dict() if f'distill_head.{k}' in source
            }
            if not state_dict:
                raise ValueError('the checkpoint has no distill_head.*; take '
                                 'a checkpoint of a distilled model')
        weight = state_dict.get('1.weight')
        if weight is not None and weight.shape != self[1].weight.shape:
            raise ValueError(
                f'the distill_head in the checkpoint leads from width '
                f'{weight.shape[1]} to a teacher of width {weight.shape[0]}, '
                f'but this one from width {self.in_channels} to the teacher '
                f'{summary(self.teacher.backbone)}')
        return state_dict, []

    def _apply(self, fn: Callable, recurse: bool = True) -> 'TokenDistillHead':
        """Take the teacher along to a device or dtype."""
        # The teacher is not a registered child, and _apply goes to children.
        self.teacher.backbone._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def check_student(self, backbone: nn.Module) -> None:
        """Refuse a student of another size than head and teacher.

        Args:
            backbone (nn.Module): The student's backbone.

        Raises:
            ValueError: If image size, token grid or width differ, or the
                student's ``out_type`` is not 'cls_token'.
        """
        self.teacher.check_student(backbone)
        if backbone.embed_dims != self.in_channels:
            raise ValueError(
                f'distill_head.in_channels is {self.in_channels}, but the '
                f'student is a {summary(backbone)}; set it to its width')
        if backbone.out_type != 'cls_token':
            raise ValueError(
                f'the student {summary(backbone)} has the out_type '
                f"{backbone.out_type!r}; set it to 'cls_token', which is what "
                'a distilled model classifies by')

    def forward(self, tokens: Tensor) -> Tensor:
        """Turn the student's tokens into features to compare.

        Args:
            tokens (Tensor): After the final norm, shape (b, 1 + n, c).

        Returns:
            Tensor: Shape (b, 1 + n, c of the teacher), of length 1.
        """
        # The norm returns the sum, too.
        return unit(self[1](self[0](tokens)[0]))

    def loss(self, tokens: Tensor, x: Tensor) -> Tensor:
        """Compare the student with the teacher.

        Args:
            tokens (Tensor): The student's, shape (b, 1 + n, c).
            x (Tensor): The student's input, images (b, 3, h, w) or clips
                (b, 3, t, h, w).

        Returns:
            Tensor: Weighted loss, a scalar.

        Raises:
            ValueError: If the teacher returns other tokens.
        """
        wanted = unit(self.teacher(x))
        found = self(tokens)
        if found.shape != wanted.shape:
            raise ValueError(
                f'the teacher {summary(self.teacher.backbone)} returns '
                f'tokens of shape {tuple(wanted.shape)}, but those of the '
                f'student become {tuple(found.shape)}; they must have the '
                'same patch grid and a class token each')
        return self.loss_weight * (2 - 2 * (found * wanted).sum(-1)).mean()


def build_distill_head(cfg: Union[dict, nn.Module],
                       student: nn.Module) -> TokenDistillHead:
    """Build a head and check the student's sizes against the teacher's.

    Args:
        cfg (dict | nn.Module): The head or the config of a head.
        student (nn.Module): The backbone in training.

    Returns:
        TokenDistillHead: The head.
    """
    head: Any = cfg if isinstance(cfg, nn.Module) else MODELS.build(cfg)
    head.check_student(student)
    return head


def class_and_all_tokens(backbone: nn.Module, x: Tensor) -> tuple:
    """Run the student once for both losses.

    Args:
        backbone (nn.Module): The student.
        x (Tensor): Images (b, 3, h, w) or clips (b, 3, t, h, w).

    Returns:
        tuple: The input of a classification head, a tuple of the class token
        (b, c), and all tokens (b, 1 + n, c).
    """
    tokens = all_tokens(backbone, x)
    return (tokens[:, 0], ), tokens
