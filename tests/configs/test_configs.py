"""Each recipe loads, names existing types and files, and can be built."""
import copy
import functools
from collections import Counter
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import mmaction.datasets  # noqa: F401, registers functions in mmengine
import mmaction.registry as action
import mmengine.registry as engine
import mmpretrain.registry as pretrain
import pytest
import torch
import yaml
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope, Registry

from mmvideomamba.inference.saved.sampling_rule import sampling_rule
from mmvideomamba.models import VideoMamba

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs'
FILES = sorted(
    path for path in CONFIGS.rglob('*.py')
    if '_base_' not in path.relative_to(CONFIGS).parts
    # README's name of a user's copy for own videos.
    and not path.name.startswith('mine'))
NAMES = [str(path.relative_to(CONFIGS)) for path in FILES]
FOLDERS = sorted({path.parent for path in FILES})
PARTS = ('train', 'val', 'test')

HOOKS = (engine.HOOKS, )
# Registries of a `type`, by the nearest enclosing key.
REGISTRIES = {
    'augments': (pretrain.BATCH_AUGMENTS, engine.MODELS),
    'batch_sampler': (engine.DATA_SAMPLERS, ),
    'collate_fn': (engine.FUNCTIONS, ),
    'custom_hooks': HOOKS,
    'data_preprocessor': (engine.MODELS, ),
    'dataset': (engine.DATASETS, ),
    'default_hooks': HOOKS,
    'init_cfg': (engine.WEIGHT_INITIALIZERS, ),
    'model': (engine.MODELS, ),
    'model_wrapper_cfg': (engine.MODEL_WRAPPERS, ),
    'optim_wrapper': (engine.OPTIM_WRAPPERS, ),
    'optimizer': (engine.OPTIMIZERS, ),
    'param_scheduler': (engine.PARAM_SCHEDULERS, ),
    'pipeline': (engine.TRANSFORMS, ),
    'sampler': (engine.DATA_SAMPLERS, ),
    # Names of modules, for LoRAModel.
    'targets': (),
    'tokenizer': (action.TOKENIZER, pretrain.TOKENIZER),
    'vis_backends': (engine.VISBACKENDS, ),
    'visualizer': (engine.VISUALIZERS, ),
    **{
        f'{part}_cfg': (engine.LOOPS, )
        for part in PARTS
    },
    **{
        f'{part}_evaluator': (engine.METRICS, engine.EVALUATOR)
        for part in PARTS
    },
    **{
        f'{part}_pipeline': (engine.TRANSFORMS, )
        for part in PARTS
    },
}


@functools.lru_cache(maxsize=None)
def read(name: str) -> Config:
    """Read a config once; a test changes copies only."""
    return Config.fromfile(CONFIGS / name)


@pytest.fixture
def cfg(request) -> Iterator[Config]:
    """Read the config and work in its scope."""
    found = read(request.param)
    with DefaultScope.overwrite_default_scope(found.default_scope):
        yield found


every_config = pytest.mark.parametrize('cfg', NAMES, indirect=True)


def named_types(
        node: Any,
        registries: Tuple[Registry, ...] = (),
        path: str = '') -> Iterator[Tuple[str, Any, Tuple[Registry, ...]]]:
    """Yield the place, the value and the registries of each ``type``.

    Variables of a config not read by the runner are left out: their values
    count where the runner reads them.
    """
    if isinstance(node, dict):
        if 'type' in node and registries:
            yield path, node['type'], registries
        for key, value in node.items():
            # Keys among hooks are names, such as the key ParamSchedulerHook.
            below = registries if registries == HOOKS else REGISTRIES.get(
                key, registries)
            yield from named_types(value, below, f'{path}.{key}')
    elif isinstance(node, (list, tuple)):
        for i, value in enumerate(node):
            yield from named_types(value, registries, f'{path}.{i}')


def knows(registry: Registry, name: str) -> bool:
    """Look a type up as ``build`` does, in the current scope first."""
    if registry is engine.FUNCTIONS:  # the runner knows no scope for these
        return registry.get(name) is not None
    with registry.switch_scope_and_registry(None) as found:
        return found.get(name) is not None


def unknown_types(cfg: Any) -> List[str]:
    """List the types missing in all of their registries."""
    return [
        f'{path}: {name}' for path, name, registries in named_types(cfg)
        if not any(knows(registry, name) for registry in registries)
    ]


def shrink(node: Any) -> None:
    """Give each backbone two blocks where the width alone matters."""
    if isinstance(node, dict):
        if node.get('type') == 'mmpretrain.LoRAModel':
            node['module'].pop('init_cfg')  # the file is read at once
        ours = node.get('type') == 'mmvideomamba.VideoMamba'
        if ours and 'out_indices' not in node:
            arch = node.get('arch', 'tiny')
            if isinstance(arch, str):
                arch = VideoMamba.arch_zoo[arch]
            if node.get('frozen_stages', -1) == arch['num_layers']:
                node['frozen_stages'] = 2
            node['arch'] = dict(embed_dims=arch['embed_dims'], num_layers=2)
        if node.get('type') == 'mmvideomamba.TextTower':
            node['arch'] = dict(
                vocab_size=64,
                hidden_size=24,
                num_hidden_layers=12,
                intermediate_size=32)
            node.pop('weights', None)
        for value in node.values():
            shrink(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            shrink(value)


def build_model(cfg: ConfigDict) -> torch.nn.Module:
    model = copy.deepcopy(cfg.model)
    shrink(model)
    return engine.MODELS.build(model)


def schedulers(cfg: Config) -> list:
    found = cfg.get('param_scheduler') or []
    return found if isinstance(found, list) else [found]


def test_there_are_configs() -> None:
    assert 'quickstart' in {folder.name for folder in FOLDERS}


@every_config
def test_every_type_is_known(cfg: Config) -> None:
    assert len(list(named_types(cfg.to_dict()))) > 10
    assert unknown_types(cfg.to_dict()) == []


def test_unknown_types_are_found() -> None:
    """Wrong names, and right names at a wrong key or without our scope."""
    cfg = dict(
        model=dict(
            type='Recognizer3D',
            backbone=dict(type='VideoMamba'),
            cls_head=dict(type='mmvideomamba.VideoMambaHed')),
        train_dataloader=dict(
            dataset=dict(
                type='VideoDataset', pipeline=[dict(type='AccMetric')])),
        variable=dict(type='counts where it is used'))
    with DefaultScope.overwrite_default_scope('mmaction'):
        assert unknown_types(cfg) == [
            '.model.backbone: VideoMamba',
            '.model.cls_head: mmvideomamba.VideoMambaHed',
            '.train_dataloader.dataset.pipeline.0: AccMetric'
        ]


@every_config
def test_model_and_optimizer_build(cfg: Config) -> None:
    model = build_model(cfg)
    if 'train_cfg' not in cfg:  # a test only
        assert not {'optim_wrapper', 'param_scheduler'} & set(cfg)
        return
    optim = copy.deepcopy(cfg.optim_wrapper)
    if optim.get('type') == 'AmpOptimWrapper':  # it needs an accelerator
        optim.type = 'OptimWrapper'
        optim.pop('loss_scale', None)
        optim.pop('dtype', None)
    wrapper = build_optim_wrapper(model, optim)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained == sum(p.numel() for group in wrapper.optimizer.param_groups
                          for p in group['params'] if p.requires_grad)
    for one in schedulers(cfg):
        engine.PARAM_SCHEDULERS.build(
            copy.deepcopy(one),
            default_args=dict(optimizer=wrapper, epoch_length=10))


@every_config
def test_schedule_ends_with_the_training(cfg: Config) -> None:
    """A child config of more epochs has to lengthen the schedule as well."""
    ends = [
        one['end'] for one in schedulers(cfg)
        if one.get('by_epoch', True) and 'end' in one
    ]
    if ends and 'max_epochs' in cfg.train_cfg:
        assert max(ends) == cfg.train_cfg.max_epochs


@every_config
def test_variables_are_what_is_used(cfg: Config) -> None:
    """A child config of another value has to rebind the inherited name."""
    if 'warmup_epochs' in cfg:
        ends = [one.get('end') for one in schedulers(cfg)]
        assert ends[0] == cfg.warmup_epochs
    if 'num_classes' in cfg:
        loaders = [cfg.get(f'{part}_dataloader') for part in PARTS]
        used = dict(model=cfg.model, data=next(filter(None, loaders)))
        assert {
            value
            for path, value in walk(used) if path.endswith('.num_classes')
        } == {cfg.num_classes}


@every_config
def test_contradictions_end_a_run(cfg: Config) -> None:
    """A child config's ``custom_hooks`` replaces the inherited list."""
    if cfg.default_scope == 'mmaction':
        check = dict(type='mmvideomamba.CheckConfigHook')
        assert cfg.custom_hooks[0] == check


@every_config
@pytest.mark.parametrize('part', PARTS)
def test_pipelines_build(cfg: Config, part: str) -> None:
    """Each pipeline builds; the loader uses the pipeline of the variable."""
    loader = cfg.get(f'{part}_dataloader')
    if loader is None:
        assert part != ('train' if 'train_cfg' in cfg else 'test')
        return
    pipelines = [
        value for path, value in walk(loader.dataset)
        if path.endswith('.pipeline')
    ]
    assert pipelines
    for pipeline in pipelines:
        Compose(copy.deepcopy(pipeline))
    if f'{part}_pipeline' in cfg:
        assert cfg[f'{part}_pipeline'] in pipelines


def walk(node: Any, path: str = '') -> Iterator[Tuple[str, Any]]:
    """Yield each value below dicts, with its dotted path."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield f'{path}.{key}', value
            yield from walk(value, f'{path}.{key}')
    elif isinstance(node, (list, tuple)):
        for i, value in enumerate(node):
            yield from walk(value, f'{path}.{i}')


@every_config
def test_rule_of_the_test(cfg: Config) -> None:
    """Exported models state how to read a video; see docs/deployment.md."""
    data_set = (cfg.get('test_dataloader') or {}).get('dataset')
    if data_set is None:
        return
    rule = sampling_rule(data_set.pipeline, data_set)
    if 'shuffled' in cfg.filename:
        assert 'ShuffleFrames' in rule['reason']
    else:
        assert rule['kind'] != 'unknown', rule


@every_config
def test_bad_media(cfg: Config) -> None:
    """Training replaces bad media, validation and test report them."""
    sets = [(path, value) for path, value in walk(cfg.to_dict())
            if isinstance(value, dict) and 'pipeline' in value]
    assert sets
    for path, dataset in sets:
        trains = path.startswith(('.train_', '.image_'))
        policy = 'replace' if trains else 'report'
        assert (path, dataset['bad_media']) == (path, policy)
        assert dataset['type'].startswith('mmvideomamba.')
    assert cfg.default_hooks.bad_media.type == 'mmvideomamba.BadMediaHook'


def test_file_names_are_unique() -> None:
    """``mim train`` finds a config by its name alone."""
    names = Counter(path.name for path in CONFIGS.rglob('*.py'))
    assert [name for name, count in names.items() if count > 1] == []


def read_yaml(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize(
    'folder', FOLDERS, ids=[str(f.relative_to(CONFIGS)) for f in FOLDERS])
def test_metafile(folder: Path) -> None:
    """Each folder has a README, and a metafile with all configs."""
    assert (folder / 'README.md').is_file()
    meta = read_yaml(folder / 'metafile.yml')
    place = str((folder / 'metafile.yml').relative_to(ROOT))
    assert place in read_yaml(ROOT / 'model-index.yml')['Import']
    collections = {entry['Name'] for entry in meta['Collections']}
    for entry in meta['Collections']:
        assert (ROOT / entry['README']).is_file()
    for model in meta['Models']:
        config = ROOT / model['Config']
        assert config in FILES and config.parent == folder
        assert model['Name'] == config.stem
        assert model['In Collection'] in collections
    assert {model['Config']
            for model in meta['Models']} == {
                str(path.relative_to(ROOT))
                for path in FILES if path.parent == folder
            }


def test_model_index_has_no_dead_entry() -> None:
    index = read_yaml(ROOT / 'model-index.yml')['Import']
    assert [entry for entry in index if not (ROOT / entry).is_file()] == []
    assert len(index) == len(set(index))
