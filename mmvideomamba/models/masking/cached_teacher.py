"""A teacher whose features are stored on disk."""
import hashlib
import os
from pathlib import Path
from typing import Any, List, Optional, Tuple

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor

from mmvideomamba.checkpoints import read_file
from mmvideomamba.registry import MODELS
from .clip_teacher import TeacherOutput


def _digest(tensor: Tensor) -> bytes:
    """Hash shape, dtype and bytes of a tensor."""
    tensor = tensor.detach().cpu().contiguous()
    head = f'{tensor.dtype} {tuple(tensor.shape)}'.encode()
    # A view of another element size needs at least one axis. Bytes serve for
    # bfloat16 as well, a dtype that numpy lacks.
    body = tensor.view(torch.uint8) if tensor.dim() else tensor.view(1).view(
        torch.uint8)
    return hashlib.blake2b(
        head + body.numpy().tobytes(), digest_size=16).digest()


@MODELS.register_module()
class CachedTeacher(BaseModule):
    """Store a teacher's features on disk, for small sets.

    A clip is recognised by the pixels that the model gets, and by the
    weights and settings of the teacher. So a wrong entry is never used; but
    an entry is used again only if **the same views come again: the pipeline
    must be deterministic**, with fixed frames and crops and no flip. Random
    views fill the disk to no purpose, and end in an error at ``max_items``.

    Masks are drawn anew from the stored attention. Several processes may
    share a folder. A clip computed with others in a batch may differ from
    the same clip alone by the rounding of matrix products.

    Args:
        teacher (dict): Config of the teacher, such as a ``CLIPTeacher``.
        cache_dir (str): Folder; entries of another teacher may be there.
        max_items (int): Most clips that this process stores. Defaults to
            10000. A clip of 8 frames and 196 patches takes 3.2 MB in
            float32, half as much in half precision.
        dtype (str, optional): 'float16' or 'bfloat16' to store less. Defaults
            to None, the teacher's own, without any loss.

    Raises:
        ValueError: If an argument is not allowed.
    """

    dtypes = (None, 'float16', 'bfloat16')
    # Why a step cannot be captured as a CUDA graph.
    not_capturable = 'the host reads the features of CachedTeacher from disk'

    def __init__(self,
                 teacher: dict,
                 cache_dir: str,
                 max_items: int = 10000,
                 dtype: Optional[str] = None) -> None:
        super().__init__()
        if dtype not in self.dtypes:
            raise ValueError(f'dtype of CachedTeacher must be one of '
                             f'{list(self.dtypes)}, but got {dtype!r}')
        if max_items < 1:
            raise ValueError('max_items of CachedTeacher must be at least 1, '
                             f'but is {max_items}')
        self.teacher = MODELS.build(teacher)
        # The path of a file tells nothing: the weights themselves are hashed.
        settings = {k: v for k, v in teacher.items() if k != 'init_cfg'}
        self.settings = repr(sorted(settings.items())) + repr(dtype)
        self.cache_dir, self.max_items = Path(cache_dir), max_items
        self.dtype = dtype and getattr(torch, dtype)
        self.hits = self.misses = 0
        self._folder: Optional[Path] = None

    def _fingerprint(self) -> Path:
        """Return the folder of this teacher, by weights and settings."""
        if self._folder is None:
            found = hashlib.blake2b(self.settings.encode(), digest_size=16)
            for key, value in sorted(self.teacher.state_dict().items()):
                found.update(key.encode() + _digest(value))
            self._folder = self.cache_dir / found.hexdigest()
            self._folder.mkdir(parents=True, exist_ok=True)
            print_log(f'features of the teacher: {self._folder}', 'current')
        return self._folder

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._folder = None  # other weights may be on their way
        super()._load_from_state_dict(*args, **kwargs)

    def forward(self, x: Tensor) -> TeacherOutput:
        """Look clips up, and run the teacher on new clips.

        Args:
            x (Tensor): Normalised clips, shape (b, 3, frames, h, w).

        Returns:
            TeacherOutput: As from the teacher.

        Raises:
            ValueError: If an entry cannot be read, or too many clips are
                new.
        """
        kind, mode = x.device.type, x.dtype
        if torch.is_autocast_enabled(kind):
            # The teacher computes in the precision of the training.
            mode = torch.get_autocast_dtype(kind)
        paths = [
            self._fingerprint() / f'{_digest(clip).hex()}-{mode}.pt'
            for clip in x
        ]
        found = [self._read(path) for path in paths]
        new = [i for i, entry in enumerate(found) if entry is None]
        self.hits += len(found) - len(new)
        if new:
            self._make_room(len(new))
            for i, entry in zip(new, self._compute(x[new])):
                self._write(paths[i], entry)
                found[i] = entry
        features, attention = zip(*found)
        features = torch.stack([f.to(x.device) for f in features], 1)
        if self.dtype is not None:
            features = features.float()
        return TeacherOutput(features,
                             torch.cat([a.to(x.device) for a in attention]))

    def _compute(self, x: Tensor) -> List[Tuple[Tensor, Tensor]]:
        """Run the teacher; return features and attention of each clip."""
        features, attention = self.teacher(x)
        if self.dtype is not None:
            features = features.to(self.dtype)
        # torch.save of a view would write the features of the whole batch.
        return [(features[:, i].clone(), part.clone())
                for i, part in enumerate(attention.chunk(len(x)))]

    def _make_room(self, count: int) -> None:
        self.misses += count
        if self.misses > self.max_items:
            raise ValueError(
                f'the cache of the teacher has stored {self.max_items} clips '
                f'and found {self.hits} again. If the views are random, they '
                'do not come again: make the pipeline deterministic or use '
                'the teacher without CachedTeacher; if the set is larger, '
                'raise max_items')

    @staticmethod
    def _write(path: Path, entry: Tuple[Tensor, Tensor]) -> None:
        # Another process never sees half a file.
        part = path.with_suffix(f'.{os.getpid()}')
        torch.save(entry, part)
        part.replace(path)

    @staticmethod
    def _read(path: Path) -> Optional[Tuple[Tensor, Tensor]]:
        if not path.is_file():
            return None
        try:
            return read_file(path)
        except ValueError as error:
            raise ValueError('an entry in the cache of the teacher cannot be '
                             f'read, remove it: {error}') from error
