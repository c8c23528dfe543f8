"""Memory of the training of a config, from sizes."""
import math
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import torch
from mmengine.config import Config

from mmvideomamba.models.backbones import VideoMamba
from mmvideomamba.ops import available_backends
from mmvideomamba.ops.dispatch import default_backend

# Measured kinds of models, heads and optimizer wrappers.
MODELS = ('Recognizer3D', 'ImageClassifier')
HEADS = ('VideoMambaHead', 'VideoMambaRegressionHead', 'LinearClsHead')
WRAPPERS = ('OptimWrapper', 'AmpOptimWrapper')
# Bytes of the optimizer's state, of a learning weight.
STATES = dict(Adam=8, AdamW=8, SGD=0)
# Arguments of a mixer with an influence on the kept tensors of a step.
MIXER_SIZES = ('backend', 'd_conv', 'd_state', 'dt_rank', 'expand')
# Own bytes of a worker, and batches of a worker ahead of the training.
WORKER, WORKER_BATCHES = 100 * 2**20, 2


class StepMemory(NamedTuple):
    """Bytes of a training step on a kind of device.

    The constants are fitted to benchmarks/results/which_model.md.

    Args:
        process (int): Without a model: libraries, or the reserve of an
            allocator.
        weight (float): Of a weight, for value, gradient and a copy in half
            precision, without the optimizer's state.
        channel (float): Kept of a token and channel, by a block.
        token (float): Kept of a token, by a block, for the states and rates
            of the scans.
        once (float): Of a token and channel, for the step as a whole: the
            embedding, and the work of one block.
        recomputed (float): As ``channel``, of a recomputed block.
    """
    process: int
    weight: float
    channel: float
    token: float
    once: float
    recomputed: float


MIB = 2**20
STEPS: Dict[Tuple[str, str], StepMemory] = {
    # The table of the CPU deviates by less than 0.05 GiB.
    ('cpu', 'float32'):
    StepMemory(1143 * MIB, 8., 83.4, 1450., 120., 14.1),
    # The tables of the GPU deviate by less than 9 %. Blocks without gradients
    # tell ``once``, and Tiny with all blocks recomputed tells ``recomputed``.
    ('cuda', 'float32'):
    StepMemory(192 * MIB, 22.7, 13.5, 2157., 230., 14.1),
    ('cuda', 'half'):
    StepMemory(192 * MIB, 21.1, 7.81, 1823., 160., 10.2),
}


class TrainingSizes(NamedTuple):
    """Sizes that set the memory of a training.

    Args:
        weights (int): Of the model.
        learned (int): Learning weights.
        state (int): Bytes of the optimizer's state, of a learning weight.
        copies (int): Further copies of all weights, in float32.
        channels (int): Of a token.
        blocks (int): Blocks with all tensors kept for backward.
        recomputed (int): Recomputed blocks, in backward.
        tokens (int): Of a batch.
        pixels (int): Of a batch, times channels.
        workers (int): Loading processes, for the validation too.
    """
    weights: int
    learned: int
    state: int
    copies: int
    channels: int
    blocks: int
    recomputed: int
    tokens: int
    pixels: int
    workers: int


def _is_dict(part: Any) -> bool:
    """Tell whether a part is a config; a runner also takes objects."""
    return isinstance(part, dict)


def _name(part: Any) -> str:
    """Return the type of a part of a config, without scope."""
    found = part.get('type', '') if _is_dict(part) else ''
    return str(found).rpartition('.')[2]


def _backbone(cfg: Config) -> Optional[VideoMamba]:
    """Build the backbone without memory, None where sizes tell too little."""
    model: Any = cfg.get('model')
    if not _is_dict(model):
        return None
    known = {'type', 'backbone', 'data_preprocessor', 'train_cfg', 'test_cfg'}
    head = 'cls_head' if 'cls_head' in model else 'head'
    if (_name(model) not in MODELS or set(model) - known - {head}
            or _name(model.get(head)) not in HEADS):
        return None
    backbone: Dict[str, Any] = dict(model.get('backbone') or {})
    mixer = backbone.get('mixer_cfg') or {}
    if (backbone.pop('type', '') != 'mmvideomamba.VideoMamba'
            or set(mixer) & set(MIXER_SIZES)):
        return None
    # The sizes need no checkpoint.
    backbone.pop('init_cfg', None)
    with torch.device('meta'):
        return VideoMamba(**backbone)


def _optimizer_state(cfg: Config) -> Optional[int]:
    """Return the bytes of state of a weight, None for other optimizers."""
    wrapper: Any = cfg.get('optim_wrapper')
    optimizer: Any = wrapper.get('optimizer') if _is_dict(wrapper) else None
    name = _name(optimizer)
    if (name not in STATES or _name(
            dict(dict(type='OptimWrapper'), **wrapper)) not in WRAPPERS):
        return None
    momentum = name == 'SGD' and optimizer.get('momentum', 0)
    return 4 if momentum else STATES[name]


def _clips(cfg: Config) -> Optional[int]:
    """Return the clips of a step, None where the loader does not tell."""
    loader: Any = cfg.get('train_dataloader')
    dataset: Any = loader.get('dataset') if _is_dict(loader) else None
    if not _is_dict(dataset) or not isinstance(loader.get('batch_size'), int):
        return None
    steps: List[dict] = dataset.get('pipeline') or []
    views = max((step.get('num_clips', 1) for step in steps), default=1)
    return loader['batch_size'] * dataset.get('num_repeats', 1) * views


def training_sizes(cfg: Config) -> Optional[TrainingSizes]:
    """Read the sizes of a training from a config.

    Args:
        cfg (Config): Of a recognizer or an image classifier.

    Returns:
        TrainingSizes, optional: None for any other model, optimizer or
        loader, whose memory was not measured.
    """
    clips, state = _clips(cfg), _optimizer_state(cfg)
    if clips is None or state is None or cfg.get('compile'):
        return None
    backbone = _backbone(cfg)
    if backbone is None:
        return None
    head = cfg.model.get('cls_head') or cfg.model.get('head')
    outputs = head.get('num_classes', 1) * (backbone.embed_dims + 1)
    sizes = [(p.numel(), p.requires_grad) for p in backbone.parameters()]
    hooks = cfg.get('custom_hooks') or []
    copies = sum(_name(hook) == 'EMAHook' for hook in hooks)
    copies += cfg.get('launcher', 'none') != 'none'  # buckets of gradients
    frozen = max(backbone.frozen_stages, 0)
    recomputed = sum(layer.with_cp for layer in backbone.layers[frozen:])
    frame = 3 * backbone.num_frames * math.prod(backbone.img_size)
    loader, val = cfg.train_dataloader, cfg.get('val_dataloader') or {}
    return TrainingSizes(
        weights=sum(size for size, _ in sizes) + outputs,
        learned=sum(size for size, learns in sizes if learns) + outputs,
        state=state,
        copies=copies,
        channels=backbone.embed_dims,
        blocks=len(backbone.layers) - frozen - recomputed,
        recomputed=recomputed,
        tokens=clips * (1 + math.prod(backbone.grid)),
        pixels=clips * frame,
        workers=loader.get('num_workers', 0) + val.get('num_workers', 0))


def step_memory(sizes: TrainingSizes, step: StepMemory) -> float:
    """Return the bytes of a training step, without loaders.

    Args:
        sizes (TrainingSizes): Of the training.
        step (StepMemory): Of the device and precision.

    Returns:
        float: Bytes.
    """
    channels, b = sizes.channels, sizes
    kept = b.blocks * (step.channel * channels + step.token)
    kept += (b.recomputed * step.recomputed + step.once) * channels
    weights = 4 * b.weights * (1 + b.copies) + b.learned * (
        step.weight - 4 + b.state)
    return step.process + weights + b.tokens * kept


def _own_kernels(device: str) -> bool:
    """Tell whether the measured kernels run on a kind of device."""
    own = dict(cpu='numba', cuda='triton').get(device)
    if own is None:
        return False
    return (default_backend() in ('auto', own)
            and not available_backends()[own])


def estimate_training_memory(
        cfg: Config, device: Union[str, torch.device]) -> Optional[int]:
    """Estimate the peak memory of a training.

    Weights, gradients, the optimizer's state, EMA weights, the tensors kept
    by each block until backward, and the batch. On a GPU: the memory reserved
    by the allocator of a process, CUDA graphs included, without the context
    of the driver (0.8 GiB on an H200). On a CPU: the resident memory of the
    training, with libraries, workers and batches of workers in shared memory.
    Constants and tolerance come from benchmarks/training_memory.py.

    Args:
        cfg (Config): Of a recognizer or an image classifier with the
            VideoMamba backbone.
        device (str | torch.device): Of the model, 'cpu' or 'cuda'.

    Returns:
        int, optional: Bytes of a process; None for models (pretraining,
        adapters, videos with texts), optimizers, backends and devices without
        a measurement.
    """
    kind = torch.device(device).type
    half = _name(cfg.get('optim_wrapper')) == 'AmpOptimWrapper'
    step = STEPS.get((kind, 'half' if half else 'float32'))
    if step is None or not _own_kernels(kind):
        return None
    sizes = training_sizes(cfg)
    if sizes is None:
        return None
    found = step_memory(sizes, step)
    if kind == 'cpu':
        ahead = (cfg.train_dataloader.get('prefetch_factor')
                 or WORKER_BATCHES) * sizes.pixels
        found += sizes.workers * (WORKER + ahead)
    return int(found)
