"""The frozen teacher of a distillation: build, weights and tokens."""
from typing import Any, Optional, Union

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmvideomamba.checkpoints import read_any, unwrap
from mmvideomamba.registry import MODELS

_BACKBONE = 'backbone.'


def all_tokens(backbone: nn.Module, x: Tensor) -> Tensor:
    """Run a backbone for every token of its last output.

    Args:
        backbone (nn.Module): With an ``out_type``, of any value; the value is
            restored after the pass.
        x (Tensor): Images (b, 3, h, w) or clips (b, 3, t, h, w).

    Returns:
        Tensor: Class token and patches after the final norm, shape
        (b, 1 + n, c).
    """
    model: Any = backbone  # nn.Module declares no out_type
    before, model.out_type = model.out_type, 'raw'
    try:
        return model(x)[-1]
    finally:
        model.out_type = before


def layout(backbone: nn.Module) -> dict:
    """Return a backbone's input size and token grid.

    Args:
        backbone (nn.Module): A VideoMamba, or a transformer of a host.

    Returns:
        dict: ``img_size`` (h, w), ``num_frames`` and ``grid`` (t, h, w),
        without the entries that the backbone has no attribute for.
    """
    embed = getattr(backbone, 'patch_embed', None)
    grid = getattr(backbone, 'grid', None) or getattr(embed, 'init_out_size',
                                                      None)
    found = dict(
        img_size=getattr(backbone, 'img_size', None),
        num_frames=getattr(backbone, 'num_frames', None),
        # An image transformer has a grid (h, w), in one frame.
        grid=grid and (1, ) * (3 - len(grid)) + tuple(grid))
    return {k: v for k, v in found.items() if v is not None}


def summary(backbone: nn.Module) -> str:
    """Name a backbone and its sizes in a line, for messages."""
    sizes = dict(width=getattr(backbone, 'embed_dims', None))
    sizes.update(layout(backbone))
    text = ', '.join(f'{k} {v}' for k, v in sizes.items())
    return f'{type(backbone).__name__} ({text})'


def check_tokens(backbone: nn.Module, role: str) -> None:
    """Refuse a backbone without an output of all tokens.

    Args:
        backbone (nn.Module): Teacher or student.
        role (str): 'teacher' or 'student', for the message.

    Raises:
        ValueError: If the backbone has no ``out_type`` or no ``embed_dims``.
    """
    if not (hasattr(backbone, 'out_type') and hasattr(backbone, 'embed_dims')):
        raise ValueError(
            f'the {role} {type(backbone).__name__} cannot return a class '
            "token and patch tokens; take a backbone that has out_type='raw', "
            'such as mmvideomamba.VideoMamba or mmpretrain.VisionTransformer')


class FrozenTeacher:
    """Hold a teacher outside of the student's module tree.

    The class is not an ``nn.Module``: the weights of the teacher are in no
    state dict, in no optimizer, and no call of ``train`` reaches the teacher.

    Args:
        model (dict | nn.Module): A registered backbone, or a classifier or
            recognizer, whose backbone is taken. A module is taken as it is.
        checkpoint (str, optional): File of the teacher's weights, of the whole
            model or of the backbone, ours or published; read when first
            needed. Must be given with a config. Defaults to None.

    Raises:
        ValueError: If there are no weights, or no tokens to learn from.
    """

    def __init__(self,
                 model: Union[dict, nn.Module],
                 checkpoint: Optional[str] = None) -> None:
        if checkpoint is None and not isinstance(model, nn.Module):
            raise ValueError(
                'the teacher has no weights: set distill_head.checkpoint to '
                'the file of a trained model')
        built: Any = model if isinstance(model,
                                         nn.Module) else MODELS.build(model)
        self.backbone: Any = getattr(built, 'backbone', built)
        check_tokens(self.backbone, 'teacher')
        self.backbone.requires_grad_(False)
        self.backbone.train(False)
        self.checkpoint = checkpoint
        self.loaded = checkpoint is None

    def load(self) -> None:
        """Read the weights, once.

        Raises:
            ValueError: If the file does not exist, cannot be read or is of
                another model.
        """
        if self.loaded or self.checkpoint is None:
            return
        try:
            weights = unwrap(read_any(self.checkpoint))
        except FileNotFoundError as error:
            raise ValueError(
                f'the checkpoint of the teacher, {self.checkpoint}, does not '
                'exist; train the teacher first, or set '
                'distill_head.checkpoint to a published file') from error
        except ValueError as error:
            raise ValueError(
                f'the checkpoint of the teacher: {error}') from error
        # The file of a whole model has a head as well, the teacher has none.
        inside = {
            k[len(_BACKBONE):]: v
            for k, v in weights.items() if k.startswith(_BACKBONE)
        }
        try:
            self.backbone.load_state_dict(inside or weights)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f'the checkpoint {self.checkpoint} does not fit '
                             f'the teacher {summary(self.backbone)}: '
                             f'{error}') from error
        self.loaded = True
        print_log(
            f'teacher {summary(self.backbone)} loaded from '
            f'{self.checkpoint}', 'current')

    def check_student(self, student: nn.Module) -> None:
        """Refuse a student with another input size or token grid.

        Args:
            student (nn.Module): The backbone in training.

        Raises:
            ValueError: If a size differs; both backbones are named.
        """
        check_tokens(student, 'student')
        mine, other = layout(self.backbone), layout(student)
        # A host's transformer has no num_frames: sizes that both models tell
        # are compared.
        different = [
            k for k in mine.keys() & other.keys() if mine[k] != other[k]
        ]
        if different:
            raise ValueError(
                f'the teacher {summary(self.backbone)} does not fit the '
                f'student {summary(student)}: they must get the same images '
                f'and cut them into as many tokens; set the same '
                f'{" and ".join(sorted(different))} (checkpoints adapt)')

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Return the tokens of images or clips.

        Args:
            x (Tensor): The student's input, images (b, 3, h, w) or clips
                (b, 3, t, h, w).

        Returns:
            Tensor: Shape (b, 1 + n, c).
        """
        self.load()
        return all_tokens(self.backbone, x)
