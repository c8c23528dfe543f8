"""Shared by several tests: golden files, tolerances, devices, inputs."""
import functools
import json
import os
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
import pytest
import torch
from torch import Tensor

from mmvideomamba.models import VideoMamba
from mmvideomamba.ops.dispatch import resolve

GOLDEN = Path(__file__).parent / 'data' / 'golden'

# The only tolerances of numeric comparisons: the largest error allowed, as a
# share of the largest magnitude of the expected array, by the dtype of the
# computation. 'chain' is for results with several roundings to the dtype, such
# as a whole mixer.
TOLERANCES = {
    torch.float64: dict(forward=1e-9, gradient=1e-9, chain=1e-9),
    torch.float32: dict(forward=2e-5, gradient=1e-4, chain=1e-4),
    torch.float16: dict(forward=1e-3, gradient=2e-3, chain=1e-2),
    torch.bfloat16: dict(forward=8e-3, gradient=1.6e-2, chain=5e-2),
}
# Absolute errors of gradients: the stock kernels leave rounding noise where
# all cancels, and float32 ends where float64 goes on.
NOISE = dict(mamba_ssm=1e-5)
UNDERFLOW = 1e-30
# Added to the limit for golden arrays, stored as float32.
GOLDEN_FLOOR = 1e-6

# Failed downloads: the bytes left of a file's bytes.
SPOILED = dict(
    cut=lambda whole: whole[:-500],
    empty=lambda whole: b'',
    page=lambda whole: b'<html>not found</html>')


def assert_close(actual: Tensor,
                 expected: Tensor,
                 kind: str = 'forward',
                 dtype: Optional[torch.dtype] = None,
                 floor: float = 0.,
                 name: str = '') -> None:
    """Compare two arrays by the table of tolerances.

    Args:
        actual (Tensor): Found.
        expected (Tensor): Wanted, same shape.
        kind (str): Column of the table. Defaults to 'forward'.
        dtype (torch.dtype, optional): Row of the table. Defaults to None,
            the dtype of ``actual``.
        floor (float): Absolute error allowed on top. Defaults to 0.
        name (str): For the message. Defaults to ''.
    """
    assert actual.shape == expected.shape, name
    if not expected.numel():
        return
    tolerance = TOLERANCES[dtype or actual.dtype][kind]
    actual = actual.detach().cpu().double()
    expected = expected.detach().cpu().double()
    limit = tolerance * expected.abs().max() + floor
    error = (actual - expected).abs().max()
    # Also false for NaN.
    assert error <= limit, f'{name}: error {error:.3e}, limit {limit:.3e}'


class Golden:
    """A file of reference outputs; entries are read as tensors.

    Args:
        name (str): File name without the ending.
    """

    def __init__(self, name: str) -> None:
        with np.load(GOLDEN / f'{name}.npz') as file:
            self.arrays = dict(file)
        self.config = json.loads(str(self.arrays.pop('config_json')))

    def __getitem__(self, key: str) -> Tensor:
        return torch.from_numpy(self.arrays[key].copy())

    def __contains__(self, key: str) -> bool:
        return key in self.arrays

    def under(self, prefix: str) -> Dict[str, Tensor]:
        """Return the tensors below a path, named from there on."""
        return {
            key[len(prefix):]: self[key]
            for key in self.arrays if key.startswith(prefix)
        }


@functools.lru_cache(maxsize=None)
def golden(name: str) -> Golden:
    """Read a golden file once."""
    return Golden(name)


def device_of(backend: str) -> Tuple[Optional[torch.device], str]:
    """Find a device on which a backend runs.

    Args:
        backend (str): A name in ``BACKENDS``.

    Returns:
        tuple: The device, or None and the reason.
    """
    reason = ''
    for name in ('cuda', 'cpu') if torch.cuda.is_available() else ('cpu', ):
        try:
            resolve('selective_scan', backend, torch.zeros(1, device=name))
            return torch.device(name), ''
        except RuntimeError as error:
            reason = str(error)
    return None, reason


def skip_slow(backend: str, elements: int) -> None:
    """Skip a shape taking minutes under Triton's interpreter."""
    interpreted = os.environ.get('TRITON_INTERPRET', '0') == '1'
    if backend == 'triton' and interpreted and elements > 30_000:
        pytest.skip('too large for the interpreter of Triton')


def gradients(outputs: Tensor, inputs: Dict[str, Tensor],
              cotangent: Tensor) -> Dict[str, Tensor]:
    """Pull a cotangent back to every input.

    Args:
        outputs (Tensor): Result.
        inputs (dict[str, Tensor]): Leaves.
        cotangent (Tensor): Shape of ``outputs``.

    Returns:
        dict[str, Tensor]: Gradient by name.
    """
    found = torch.autograd.grad(outputs, list(inputs.values()), cotangent)
    return dict(zip(inputs, found))


def leaves(tensors: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Return detached copies with ``requires_grad`` set."""
    return {k: t.detach().clone().requires_grad_() for k, t in tensors.items()}


def small_backbone(**kwargs: Any) -> VideoMamba:
    """Return a backbone of two blocks with random changes of all weights.

    Args:
        **kwargs: Changed arguments of ``VideoMamba``.
    """
    small = dict(
        arch=dict(embed_dims=16, num_layers=2),
        img_size=16,
        patch_size=8,
        num_frames=4,
        drop_path_rate=0.)
    model = VideoMamba(**{**small, **kwargs})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def official_weights(model: VideoMamba, classes: int = 5) -> Dict[str, Tensor]:
    """Return a backbone's weights as the published code would save them.

    Args:
        model (VideoMamba): Any backbone.
        classes (int): Rows of the head; 0 leaves it out. Defaults to 5.

    Returns:
        dict[str, Tensor]: With ``head.*``; image models have 2-D kernels.
    """
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    if model.num_frames == 1:
        kernel = weights['patch_embed.proj.weight']
        weights['patch_embed.proj.weight'] = kernel.squeeze(2)
    if classes:
        weights['head.weight'] = torch.randn(classes, model.embed_dims)
        weights['head.bias'] = torch.randn(classes)
    return weights


def official_files(model: VideoMamba) -> Dict[str, dict]:
    """Return all kinds of published files with a backbone inside.

    Args:
        model (VideoMamba): Any backbone.

    Returns:
        dict[str, dict]: Name of the kind to the argument of ``torch.save``.
    """
    whole = official_weights(model)
    trunk = official_weights(model, classes=0)
    student = {k.replace('norm_f.', 'norm.'): v for k, v in trunk.items()}
    student['clip_decoder.0.head.weight'] = torch.randn(3, model.embed_dims)
    student['clip_decoder.0.norm.bias'] = torch.randn(3)
    distilled = dict(whole)
    distilled['distill_head.0.weight'] = torch.ones(model.embed_dims)
    distilled['distill_head.1.bias'] = torch.ones(7)
    multimodal = {f'vision_encoder.{k}': v for k, v in student.items()}
    multimodal['vision_encoder.pool_norm.weight'] = torch.ones(2)
    multimodal['text_encoder.bert.encoder.layer.0.norm.weight'] = torch.ones(2)
    multimodal['temp'] = torch.tensor(0.07)
    return dict(
        flat=whole,
        trained=dict(model=whole, optimizer=dict(state={}), epoch=3),
        deepspeed=dict(module=whole, epoch=3),
        distilled=dict(model=distilled),
        pretrained=dict(model=student),
        multimodal=dict(model=multimodal),
        prefixed={
            f'backbone.{k}': v
            for k, v in trunk.items()
        },
        encoder={
            f'encoder.{k}': v
            for k, v in student.items()
        })


def cyclic(values: List, index: int):
    """Return ``values[index]``, repeating the list without end."""
    return values[index % len(values)]


def on_threads(run: Callable, threads: int) -> Tuple[Any, Any]:
    """Return a function's results on several threads and on one thread.

    Args:
        run (Callable): Called twice, without arguments.
        threads (int): Threads of torch in the first of the two calls.
    """
    before = torch.get_num_threads()
    found = []
    try:
        for count in (threads, 1):
            torch.set_num_threads(count)
            found.append(run())
    finally:
        torch.set_num_threads(before)
    return found[0], found[1]
