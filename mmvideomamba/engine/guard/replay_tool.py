"""Repetition of a step from a file."""
from typing import Any, Dict, List

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import set_random_seed
from mmengine.utils import import_modules_from_strings
from torch import nn

from mmvideomamba.engine.clip_maker import attach_clip_maker, has_draws
from mmvideomamba.ops.clip_augment import clip_augment_support
from .batch_samples import sample_names
from .divergence import loss_text
from .replay import Step, repeat
from .replay_file import read_replay
from .trusted_config import refuse_foreign_code

_TRUST = 'If you trust the file, add --trust-config.'


def build_model(config: Dict[str, Any], path: str, trust: bool) -> nn.Module:
    """Build the model of a training, without loading weights.

    Args:
        config (dict): Of the training.
        path (str): Of the file with the config, for errors.
        trust (bool): Whether the config may name types and imports besides
            ours and the hosts'.

    Returns:
        nn.Module: The model.

    Raises:
        ValueError: If the config has no model, or asks for more.
    """
    if not isinstance(config.get('model'), dict):
        raise ValueError(f'{path} holds no config of a model: the training '
                         'was started without')
    # Before the imports below, as importing a module runs code.
    if not trust:
        refuse_foreign_code(config, path, _TRUST)
    imports = config.get('custom_imports')
    if imports:
        import_modules_from_strings(**imports)
    init_default_scope(config['default_scope'])
    cfg = Config(
        dict(
            model=config['model'],
            data_preprocessor=config.get('data_preprocessor')))
    if cfg.data_preprocessor is not None:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    model = MODELS.build(cfg.model)
    if hasattr(model, 'data_preprocessor'):
        # Batches of ClipAugmentHook hold draws in place of clips.
        attach_clip_maker(model.data_preprocessor)
    return model


def replay_file(path: str, device: str = 'cpu', trust: bool = False) -> str:
    """Repeat the steps of a file, and report the first bad value.

    Args:
        path (str): Written by ``FiniteGuardHook``.
        device (str): Of the model. Defaults to 'cpu'.
        trust (bool): See ``build_model``. Defaults to False.

    Returns:
        str: Lines for the terminal.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file cannot be used.
    """
    content, steps, precision = read_replay(path)
    config = content['config']
    model = build_model(config, path, trust)
    randomness = config.get('randomness') or {}
    if randomness.get('deterministic'):
        # For the deterministic kernels; each step brings states of the
        # generators.
        set_random_seed(0, deterministic=True)
    model.load_state_dict(content['state_dict'])
    try:
        model = model.to(device).train(content['training'])
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'--device {device}: {reason}') from error
    reason = clip_augment_support(torch.device(device))
    if reason and any(has_draws(step.batch) for step in steps):
        raise ValueError(f'--device {device}: the training augmented clips on '
                         f'the GPU, and this device cannot: {reason}')
    lines = ['In the training:', *_indented(content['report'])]
    for step in steps:
        replay = repeat(model, step, precision)
        lines += [
            f'Repeated on {device} with torch {torch.__version__} (then '
            f'{content["torch"]}): iteration {step.iteration}',
            *_indented(f'losses: {loss_text(replay)}'),
            *_indented(f'in the training: {loss_text(step)}'),
            *_indented(replay.finding.text), *_indented(sample_text(step))
        ]
        if replay.finding.found:
            break
    return '\n'.join(lines)


def sample_text(step: Step) -> str:
    """Return the samples of a step for a message.

    Args:
        step (Step): The step.

    Returns:
        str: 'samples: ' and names.
    """
    return f'samples: {", ".join(sample_names(step.batch)) or "without names"}'


def _indented(text: str) -> List[str]:
    return [f'  {line}' for line in text.splitlines()]
