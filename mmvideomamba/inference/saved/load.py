"""Models from saved folders, checkpoints and the Hub, in one call."""
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Union

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from mmvideomamba.checkpoints import (CONFIG, WEIGHTS, allowed_types,
                                      check_no_adapters, count_changes,
                                      find_folder, find_published, find_source,
                                      for_whole_model, from_json, load_strict,
                                      read_config, read_config_text,
                                      read_state, read_weights)
from mmvideomamba.command_line.config import find_config
from mmvideomamba.datasets.class_names import read_class_names
from ..class_names import num_classes_of
from .description import describe
from .model_pipeline import SCOPE_LOCK, build_pipeline
from .plain_config import (TRAINING_WEIGHTS, WINDOWS, config_values,
                           place_files, plain_model, to_config)
from .trusted_types import check_types

Source = Union[str, Path]


def build_model(model: Mapping[str, Any], scope: Optional[str],
                name: str) -> Any:
    """Build a model.

    Args:
        model (Mapping): Config of the model.
        scope (str, optional): Host of the config.
        name (str): Name of the file, for an error.

    Returns:
        nn.Module: The model, in evaluation mode.

    Raises:
        ValueError: If a part is not known, or takes other arguments.
    """
    try:
        with SCOPE_LOCK, DefaultScope.overwrite_default_scope(scope
                                                              or 'mmaction'):
            return MODELS.build(Config(dict(model=model)).model).eval()
    # Values by another hand make the hosts' classes fail in all kinds of ways.
    except (ValueError, TypeError, LookupError, AttributeError, RuntimeError,
            AssertionError, ArithmeticError, ImportError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f'{name}: the model cannot be built: '
                         f'{lines[0][:300]}') from error


def _finish(model: Any, cfg: Config, description: Dict[str, Any],
            device: Any) -> nn.Module:
    """Add config, description and pipeline to a model."""
    model.cfg, model.description = cfg, description
    classes = description['classes']
    model.dataset_meta = dict(classes=tuple(classes)) if classes else {}
    model.pipeline = build_pipeline(model, cfg, description['task'])
    model.loaded_changes = count_changes(model)
    return model.to(device)


def _check_values(values: Mapping[str, Any], name: str) -> None:
    """Refuse a ``config.json`` without the values of a saved model."""
    missing = [k for k in ('task', 'classes', 'input') if k not in values]
    if missing:
        raise ValueError(f'{name} lacks {", ".join(missing)}; save the model '
                         'again, or get the folder anew')
    classes, steps = values['classes'], values.get('test_pipeline') or []
    windows = values.get('test_data_set') or {}
    names = classes is None or isinstance(classes, list) and all(
        isinstance(one, str) for one in classes)
    listed = isinstance(steps, list) and all(
        isinstance(one, Mapping) and 'type' in one for one in steps)
    for key, good in (('classes', names), ('test_pipeline', listed),
                      ('test_data_set', isinstance(windows, Mapping)
                       and set(windows) <= set(WINDOWS))):
        if not good:
            raise ValueError(f'{name}: {key} is not as save_pretrained writes '
                             'it; save the model again, or get the folder '
                             'anew')


def _from_folder(folder: Path, device: Any) -> nn.Module:
    """Load a saved folder."""
    values = read_config(folder)
    name = str(folder / CONFIG)
    _check_values(values, name)
    # Before the build, as parts of the hosts can run code named in a config.
    check_types(values, name)
    # The working folder may change before the files are read.
    plain = place_files(from_json(values['model']), str(folder.absolute()))
    model = build_model(plain, values.get('default_scope'), name)
    load_strict(model, read_state(folder), folder / WEIGHTS)
    kept = ('model', 'default_scope', 'test_pipeline', 'test_data_set',
            'prompt_classes')
    description = {k: v for k, v in values.items() if k not in kept}
    count, classes = num_classes_of(model), description['classes']
    if count and classes and len(classes) != count:
        raise ValueError(f'{name} names {len(classes)} classes, but the model '
                         f'has {count}; save the model again, or get the '
                         'folder anew')
    found = _finish(model, to_config(values, plain), description, device)
    if values.get('prompt_classes'):
        _set_prompts(model, values['prompt_classes'])
    return found


def _config_of(file: Mapping[str, Any], path: Path,
               config: Any) -> Mapping[str, Any]:
    """Find the config of a checkpoint."""
    if isinstance(config, Mapping) or isinstance(config, Config):
        return config
    if config is not None:
        return Config.fromfile(find_config(str(config)))
    meta = file.get('meta')
    text = meta.get('cfg') if isinstance(meta, Mapping) else None
    if isinstance(text, str):
        return Config(read_config_text(text, str(path)))
    row = find_published(path.name)
    recipe = row and (row.test_config or row.config)
    if not recipe:
        raise ValueError(
            f'{path} holds no config of its training, and is not a published '
            'file with a recipe; give the config, or take the backbone alone: '
            'mmvideomamba.VideoMamba.from_pretrained')
    return Config.fromfile(find_config(Path(recipe).stem))


def _accuracy(file: Mapping[str, Any], path: Path) -> Dict[str, float]:
    """Return the accuracy of a checkpoint saved for being the best.

    Other checkpoints are saved before the validation of the epoch.
    """
    hub = file.get('message_hub')
    hub = hub if isinstance(hub, Mapping) else {}
    info, scalars = hub.get('runtime_info') or {}, hub.get('log_scalars') or {}
    best = [
        Path(str(value)).name for key, value in info.items()
        if str(key).startswith('best_ckpt')
    ]
    if path.name not in best:
        return {}
    return {
        key[len('val/'):]: float(value.current())
        for key, value in scalars.items()
        if key.startswith('val/') and not key.endswith('time')
    }


def _meta_of(file: Mapping[str, Any], path: Path,
             recipe: bool) -> Dict[str, Any]:
    """Return the ``meta`` of a checkpoint, with results and licence."""
    stored = file.get('meta')
    meta: Dict[str, Any] = dict(stored) if isinstance(stored, Mapping) else {}
    if 'mmengine_version' in meta:
        results: Dict[str, Any] = dict(source='run')
        results.update(
            {k: int(meta[k])
             for k in ('epoch', 'iter') if k in meta})
        if isinstance(file.get('ema_state_dict'), Mapping):
            results['weights'] = 'average (EMA)'
        accuracy: Any = _accuracy(file, path)
        meta['results'] = dict(results,
                               **dict(accuracy=accuracy) if accuracy else {})
        return meta
    # The converter keeps the name of the published file.
    converted = 'mmvideomamba_version' in meta and meta.get('source')
    row = find_published(str(converted or path.name))
    if row is not None:
        meta.update(licence=row.licence)
        meta['results'] = dict(
            source='published', file=row.name, dataset=row.data)
        if recipe and row.accuracy:
            meta['results']['accuracy'] = dict(row.accuracy)
    return meta


def _load_weights(model: nn.Module, file: Mapping[str, Any], path: Path,
                  given: bool) -> None:
    """Load the weights of a checkpoint; nothing may be missing.

    With ``given`` the config is not that of the file.
    """
    meta = file.get('meta')
    own = isinstance(meta, Mapping) and 'mmengine_version' in meta
    state = file.get('state_dict')
    if own and isinstance(state, Mapping):
        weights: Dict[str, Tensor] = {
            k: v
            for k, v in state.items() if not k.startswith(TRAINING_WEIGHTS)
        }
        check_no_adapters(weights)
        said = ['its config']
        if given and isinstance(meta, Mapping) and 'cfg' in meta:
            said = [
                'the given config', 'leave the config out, as the file holds '
                'that of its training'
            ]
        load_strict(model, weights, path, *said)
        return
    found = for_whole_model(file)
    try:
        rest = model.load_state_dict(found.get('state_dict', found), False)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        raise ValueError('it does not fit the config: '
                         f'{" ".join(lines[1:])[:400]}') from error
    lost = [
        k for k in rest.unexpected_keys if not k.startswith(TRAINING_WEIGHTS)
    ]
    for kind, names in (('missing', rest.missing_keys), ('unexpected', lost)):
        if names:
            raise ValueError(f'it does not fit the config: {len(names)} '
                             f'tensors {kind}, such as {names[0]}')


def _from_checkpoint(path: Path, config: Any, device: Any) -> nn.Module:
    """Load a checkpoint, by the config inside or another."""
    file = read_weights(path, allow=allowed_types(path.name))
    try:
        cfg = _config_of(file, path, config)
        values = config_values(cfg)
        # A user's own config is trusted, a config inside of a file is not.
        if config is None:
            check_types(values, 'its config')
        plain = plain_model(cfg)
        model = build_model(plain, values['default_scope'], str(path))
        _load_weights(model, file, path, config is not None)
    except ValueError as error:
        text = str(error)
        raise ValueError(
            text if text.startswith(str(path)) else f'{path}: {text}'
        ) from error
    description = describe(model, Config(dict(cfg)),
                           _meta_of(file, path, config is None))
    found = _finish(model, to_config(values, plain), description, device)
    classes = prompt_classes(cfg)
    if description['task'] == 'prompt-classification' and classes:
        _set_prompts(model, classes)
    return found


def _set_prompts(model: Any, classes: List[Any]) -> None:
    """Set the classes of a prompt classifier, and the names."""
    model.set_classes(classes)
    model.prompt_classes = classes
    names = [name if isinstance(name, str) else name[0] for name in classes]
    model.description['classes'] = names
    model.dataset_meta = dict(classes=tuple(names))


def prompt_classes(cfg: Any) -> Optional[List[Any]]:
    """Return the classes of a prompt classifier in a config.

    Args:
        cfg (Mapping): Config of a test.

    Returns:
        list, optional: A name, or several wordings, for each class.
    """
    data = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    found = (data.get('metainfo') or {}).get('classes')
    if isinstance(found, str):
        return read_class_names(found) if Path(found).is_file() else None
    return list(found) if found else None


def load(source: Source, device: Any = 'cpu', config: Any = None) -> nn.Module:
    """Load a model, ready for videos or images.

    Args:
        source (str | Path): A folder of ``save_pretrained``; a checkpoint of
            a training with the config inside, or the working folder, for the
            best checkpoint in it; a published file or the name;
            or an id of the Hub, 'ORGANISATION/NAME' or
            'ORGANISATION/NAME:FILE'.
        device (str | torch.device): Device of the model. Defaults to 'cpu'.
        config (str | Path | Config, optional): Config of a checkpoint
            without a config, or in the place of the one inside. Defaults to
            None.

    Returns:
        nn.Module: The model in evaluation mode. ``description`` (see
        ``describe``), ``cfg`` (Config), ``dataset_meta`` (dict), and
        ``pipeline`` (from a video or image to the batch of
        ``model.test_step``; None without a test pipeline) belong to it.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file or folder cannot be used, downloaded or built,
            or the weights do not fit; the message names the file.
    """
    path = find_source(source)
    folder = find_folder(path)
    if folder is None:
        return _from_checkpoint(path, config, device)
    if config is not None:
        raise ValueError(f'{folder} has a {CONFIG}; leave the config out')
    return _from_folder(folder, device)
