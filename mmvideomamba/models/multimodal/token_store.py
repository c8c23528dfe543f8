"""Visual tokens of a whole set, on the way from encoder to judge."""
import os
import tempfile
from typing import Any, Dict, Optional, Sequence, Union

import torch
from mmengine import dist
from mmengine.logging import print_log
from torch import Tensor

from mmvideomamba.free_memory import free_bytes, processes_per_node
from mmvideomamba.ops.runtime.host import compute_dtype

TOKEN_DTYPES = ('float32', 'bfloat16', 'float16')
GIB = 2**30


class TokenStore:
    """Keep the tokens of videos in memory, on a device or in a file.

    The file lies in the temporary folder (``TMPDIR``) without a name, so the
    system removes the file even after a killed process.

    Args:
        storage (str): 'cpu', 'disk' or a device such as 'cuda'. Defaults to
            'cpu'.
        dtype (str, optional): 'float32', 'bfloat16' or 'float16'. Defaults
            to None: the dtype of the matrix products with the tokens,
            autocast's if autocast is on, so that scores do not change.

    Raises:
        ValueError: If the dtype is unknown, or the storage does not exist.
    """

    def __init__(self,
                 storage: str = 'cpu',
                 dtype: Optional[str] = None) -> None:
        if dtype is not None and dtype not in TOKEN_DTYPES:
            raise ValueError('token_dtype of the retrieval must be None or '
                             f'one of {list(TOKEN_DTYPES)}, but is {dtype!r}')
        if storage != 'disk':
            # A device that does not exist should end the start, not the first
            # validation.
            try:
                torch.empty(0, device=storage)
            except (AssertionError, RuntimeError) as error:
                raise ValueError(
                    "storage of the retrieval must be 'cpu', 'disk' or a "
                    f'device of this machine, not {storage!r}: '
                    f'{str(error).splitlines()[0]}') from error
        self.storage = storage
        self.dtype: Any = getattr(torch, dtype) if dtype else None
        self.expected = 0
        self._held: Dict[int, Union[Tensor, int]] = {}
        self._shapes: Dict[int, torch.Size] = {}
        self._file: Any = None

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Any:
        return iter(self._held)

    def count(self, video: int) -> int:
        """Return the number of tokens of a video."""
        return self._shapes[video][0]

    def put(self, video: int, tokens: Tensor) -> None:
        """Keep a copy of the tokens of a video.

        Args:
            video (int): Number of the video.
            tokens (Tensor): Shape (v, c).

        Raises:
            ValueError: If the tokens of all expected videos do not fit.
        """
        # Autocast would cast the tokens for the judge in any case.
        if self.dtype is None:
            self.dtype = compute_dtype(tokens)
        if not self._held:
            self._state_sum(tokens.shape)
        self._shapes[video] = tokens.shape
        if self.storage != 'disk':
            # A copy, so that the batch can be freed.
            self._held[video] = tokens.to(self.storage, self.dtype, copy=True)
            return
        # A file without a name is gone with the process, however the process
        # ends.
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix='visual_tokens_')
        self._held[video] = self._file.seek(0, os.SEEK_END)
        self._file.write(_bytes(tokens.to('cpu', self.dtype).contiguous()))

    def take(self, videos: Sequence[int], device: torch.device) -> Tensor:
        """Bring the tokens of some videos to a device.

        Args:
            videos (Sequence[int]): Numbers of g videos with as many tokens.
            device (torch.device): Device of the judge.

        Returns:
            Tensor: Shape (g, v, c), in the dtype of the store.
        """
        held = [self._held[video] for video in videos]
        on_device = [
            x for x in held if isinstance(x, Tensor) and x.device.type != 'cpu'
        ]
        if on_device:
            return torch.stack(on_device).to(device)
        # A copy from pageable memory would make the host wait.
        found = torch.empty((len(videos), *self._shapes[videos[0]]),
                            dtype=self.dtype,
                            pin_memory=device.type == 'cuda')
        for row, one in zip(found, held):
            if isinstance(one, Tensor):
                row.copy_(one)
            else:
                self._file.seek(one)
                self._file.readinto(_bytes(row))
        return found.to(device, non_blocking=True)

    def renumber(self, places: Dict[int, int]) -> None:
        """Give the videos new numbers.

        Args:
            places (dict[int, int]): New number of each held video.
        """
        self._held = {places[k]: v for k, v in self._held.items()}
        self._shapes = {places[k]: v for k, v in self._shapes.items()}

    def _state_sum(self, shape: torch.Size) -> None:
        """Log the memory of all expected videos, or refuse it."""
        if not self.expected:
            return
        size = self.dtype.itemsize
        need = self.expected * shape.numel() * size
        free = free_bytes(self.storage)
        shared = 1
        # A GPU belongs to one process, memory and disk to all of a machine.
        if self.storage in ('cpu', 'disk'):
            shared = processes_per_node(dist.get_world_size())
        message = (f'visual tokens for the judge: {self.expected} videos x '
                   f'{shape[0]} tokens x {shape[1]} channels x {size} bytes = '
                   f'{need / GIB:.2f} GiB on {self.storage!r}')
        if shared > 1:
            message += f', by each of {shared} processes of the machine'
        if free is not None:
            message += f'; {free / GIB:.2f} GiB are free'
        if free is not None and need * shared > free:
            raise ValueError(
                f"{message}. Set token_dtype='bfloat16' or storage='disk' of "
                'the evaluation loop (val_cfg, test_cfg; TMPDIR names the '
                'folder), or share the videos among more machines')
        print_log(message, 'current')


def _bytes(x: Tensor) -> Any:
    """Return the memory of a contiguous tensor on the CPU, a buffer."""
    return x.view(torch.uint8).numpy().reshape(-1).data
