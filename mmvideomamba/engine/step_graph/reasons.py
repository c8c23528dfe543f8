"""Reasons against CUDA graphs, known before the first step."""
from typing import Any, Optional, Sequence

import torch
from mmengine.model import (BaseModel, MMDistributedDataParallel,
                            is_model_wrapper)
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

from mmvideomamba.engine.guard.step_guard import StepGuard
from mmvideomamba.models.backbones.layer_table import TRUSTED, LayerTable

HOSTS = ('mmaction', 'mmpretrain')
# Methods of an optimizer wrapper replaced by a step.
_OWN = ('update_params', 'zero_grad', 'scale_loss', 'should_update',
        'optim_context', '_clip_grad')


def scaler_of(wrapper: OptimWrapper) -> Any:
    """Return the loss scaler of a wrapper.

    Args:
        wrapper (OptimWrapper): Of a training.

    Returns:
        GradScaler: None without, or if switched off.
    """
    scaler = getattr(wrapper, 'loss_scaler', None)
    return scaler if scaler is not None and scaler.is_enabled() else None


def guard_of(wrapper: OptimWrapper) -> Optional[StepGuard]:
    """Return the guard that has taken over a wrapper's methods.

    Args:
        wrapper (OptimWrapper): Of a training.

    Returns:
        StepGuard: None without.
    """
    step = vars(wrapper).get('step')
    owner = getattr(getattr(step, 'func', None), '__self__', None)
    return owner if isinstance(owner, StepGuard) else None


def wrapper_reason(wrapper: Any) -> str:
    """Tell why the steps of an optimizer wrapper cannot be captured.

    Args:
        wrapper (Any): Of a training.

    Returns:
        str: The reason, or ''.
    """
    # A subclass may scale, clip or step in a way that StepWork does not
    # repeat.
    if type(wrapper) not in (OptimWrapper, AmpOptimWrapper):
        return (f'{type(wrapper).__name__} is neither OptimWrapper nor '
                'AmpOptimWrapper')
    changed = [name for name in _OWN if name in vars(wrapper)]
    # The guard itself exchanges backward and step, and StepWork knows the
    # guard.
    if guard_of(wrapper) is None:
        changed += [x for x in ('backward', 'step') if x in vars(wrapper)]
    if changed:
        return f'{changed[0]} of the optimizer wrapper was exchanged'
    return ''


def watch(model: nn.Module, trusted: Sequence[str]) -> LayerTable:
    """Note the layers of a model, to notice changes.

    Args:
        model (nn.Module): Not wrapped.
        trusted (Sequence[str]): Packages whose modules compute the same in
            each step, besides the hosts'.

    Returns:
        LayerTable: Of the model.
    """
    # The data preprocessor prepares a batch before a graph takes over.
    return LayerTable(
        model,
        packages=(*TRUSTED, *HOSTS, *trusted),
        training=True,
        outside=('data_preprocessor', ))


def model_reason(model: nn.Module, table: Any) -> str:
    """Tell why the steps of a model cannot be captured.

    Args:
        model (nn.Module): Of the runner.
        table (LayerTable): Of the model inside of its wrapper.

    Returns:
        str: The reason, or ''.
    """
    inner: Any = model.module if is_model_wrapper(model) else model
    if inner is not model:
        reason = _wrapper_of_model_reason(model)
        if reason:
            return reason
    exchanged = exchanged_method(inner)
    if exchanged or 'train_step' in {**vars(inner), **vars(model)}:
        return exchanged or 'train_step of the model was exchanged'
    if type(inner).train_step is not BaseModel.train_step:
        return f'{type(inner).__name__} has a train_step of its own'
    if len({x.device for x in inner.parameters()}) > 1:
        return 'the parameters are on several devices'
    for module in inner.modules():
        reason = getattr(module, 'not_capturable', '')
        if reason:
            return f'{type(module).__name__}: {reason}'
    for name, x in inner.named_parameters():
        # A replay runs no Python: a hook would run at the capture alone.
        if x._backward_hooks or getattr(x, '_post_accumulate_grad_hooks',
                                        None):
            return f'the parameter {name} has a hook'
        if not x.is_floating_point() or x.layout is not torch.strided:
            return f'the parameter {name} is {x.dtype}, {x.layout}'
    if not table.same():
        return 'layers have hooks, adapters or unknown classes'
    return ''


def exchanged_method(model: nn.Module) -> str:
    """Tell whether a model has other methods than its class.

    Args:
        model (nn.Module): Not wrapped.

    Returns:
        str: The reason against graphs, or ''.
    """
    own = vars(model)
    for name in ('forward', 'parse_losses', '_run_forward'):
        if name in own:
            return f'{name} of the model was exchanged'
    return ''


def _wrapper_of_model_reason(model: Any) -> str:
    """Tell why a wrapper of the model forbids a capture."""
    if type(model) is not MMDistributedDataParallel:
        return f'the model is in {type(model).__name__}'
    # StepWork calls the model inside of the wrapper and sums gradients by
    # itself: further work of the wrapper would be left out without a word.
    named = dict(
        find_unused_parameters=model.find_unused_parameters,
        detect_anomalous_params=model.detect_anomalous_params,
        static_graph=model.static_graph,
        mixed_precision=getattr(model, 'mixed_precision', None),
        # On by default, and without effect on a model without buffers.
        broadcast_buffers=model.broadcast_buffers
        and any(True for _ in model.module.buffers()))
    for name, value in named.items():
        if value:
            return f'model_wrapper_cfg.{name} is set'
    if getattr(model, '_comm_hooks', ()):
        return 'the model has a communication hook'
    if model.parameters_to_ignore or getattr(model, '_delay_all_reduce_params',
                                             ()):
        return 'DistributedDataParallel does not sum all gradients'
    if model.process_group is not torch.distributed.group.WORLD:
        return 'the model has a process group of its own'
    if any(isinstance(x, nn.SyncBatchNorm) for x in model.module.modules()):
        return 'SyncBatchNorm talks to other processes in each forward pass'
    return ''
