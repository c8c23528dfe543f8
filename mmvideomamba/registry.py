"""Registries of mmvideomamba, children of mmengine's root registries.

Configs name our types as ``mmvideomamba.X``; mmengine then imports
``mmvideomamba.registry`` by itself and the modules under ``locations`` on
the first build, so no ``custom_imports`` is needed to find them.
"""
from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import \
    OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import PARAM_SCHEDULERS as MMENGINE_PARAM_SCHEDULERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope='mmvideomamba',
    locations=['mmvideomamba.models'])

DATASETS = Registry(
    'dataset',
    parent=MMENGINE_DATASETS,
    scope='mmvideomamba',
    # The room itself imports names late; the file imports all data sets.
    locations=['mmvideomamba.datasets.registered'])

DATA_SAMPLERS = Registry(
    'data sampler',
    parent=MMENGINE_DATA_SAMPLERS,
    scope='mmvideomamba',
    locations=['mmvideomamba.datasets.samplers'])

TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    scope='mmvideomamba',
    locations=['mmvideomamba.datasets.transforms'])

HOOKS = Registry(
    'hook',
    parent=MMENGINE_HOOKS,
    scope='mmvideomamba',
    locations=['mmvideomamba.engine.hooks'])

METRICS = Registry(
    'metric',
    parent=MMENGINE_METRICS,
    scope='mmvideomamba',
    locations=['mmvideomamba.evaluation'])

OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    scope='mmvideomamba',
    locations=['mmvideomamba.engine.optimizers'])

PARAM_SCHEDULERS = Registry(
    'parameter scheduler',
    parent=MMENGINE_PARAM_SCHEDULERS,
    scope='mmvideomamba',
    locations=['mmvideomamba.engine.schedulers'])

LOOPS = Registry(
    'loop',
    parent=MMENGINE_LOOPS,
    scope='mmvideomamba',
    locations=['mmvideomamba.engine.loops'])
