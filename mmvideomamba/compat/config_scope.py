"""Let mmengine find our recipes by the prefix ``mmvideomamba::``."""
import difflib
import functools
import importlib
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional, Tuple

from .workaround import Workaround, installed_version

if TYPE_CHECKING:
    from mmengine.config import Config

_NAME = 'mmvideomamba'
_START = f'{_NAME}::'
_PACKAGE = Path(__file__).parents[1]
# From the text in _base_ and the file to the path and the scope of the base.
_Finder = Callable[[str, str], Tuple[str, Optional[str]]]


def _host() -> Any:
    """Return the module of mmengine with the list of packages."""
    return importlib.import_module('mmengine.config.utils')


def recipe_file(name: str) -> Path:
    """Find the file of a recipe in the package, installed or a clone.

    Args:
        name (str): Path below ``configs``, with or without the
            'mmvideomamba::' in front, and with '.py'.

    Returns:
        Path: The file.

    Raises:
        FileNotFoundError: If there is no such recipe; the message has those
            of the most similar names.
    """
    folder = _PACKAGE / '.mim' / 'configs'
    if not folder.is_dir():
        # A link of a clone, where the file system has none.
        folder = _PACKAGE.parent / 'configs'
    short = name[len(_START):] if name.startswith(_START) else name
    file = folder / short
    if file.is_file():
        return file
    known = {p.name: p for p in sorted(folder.rglob('*.py'), key=str)}
    near = [
        _START + known[match].relative_to(folder).as_posix()
        for match in difflib.get_close_matches(Path(short).name, known)
    ]
    hint = f'; the nearest are {", ".join(near)}' if near else ''
    raise FileNotFoundError(
        f'{_START}{short} is not a recipe in {folder}{hint}')


def _base_path(original: _Finder) -> _Finder:
    """Let ``_base_`` name a recipe of ours."""

    @functools.wraps(original)
    def get_cfg_path(cfg_path: str,
                     filename: str) -> Tuple[str, Optional[str]]:
        if not cfg_path.startswith(_START):
            return original(cfg_path, filename)
        # No scope: types of the hosts have no prefix in our recipes.
        return str(recipe_file(cfg_path)), None

    return get_cfg_path


def _weights(name: str) -> str:
    """Read in the metafiles where the weights of a recipe are."""
    try:
        found = _host()._get_cfg_metainfo(str(_PACKAGE),
                                          name).get('Weights', '')
    except ValueError:
        found = ''
    if not found:
        raise ValueError(f'no metafile has published weights of {_START}'
                         f'{name}: set pretrained to False')
    return found if isinstance(found, str) else found[0]


def _heal_hub(module: types.ModuleType) -> None:
    get_config, get_model = module.get_config, module.get_model

    @functools.wraps(get_config)
    def config(cfg_path: str, pretrained: bool = False) -> 'Config':
        if not cfg_path.startswith(_START):
            return get_config(cfg_path, pretrained)
        cfg = importlib.import_module('mmengine.config').Config.fromfile(
            str(recipe_file(cfg_path)))
        if pretrained:
            cfg.model_path = _weights(cfg_path[len(_START):])
        return cfg

    @functools.wraps(get_model)
    def model(cfg_path: str, pretrained: bool = False, **kwargs: Any) -> Any:
        if not cfg_path.startswith(_START):
            return get_model(cfg_path, pretrained, **kwargs)
        cfg = config(cfg_path, pretrained)
        # Recipes are written in the scope of a host.
        scope = cfg.get('default_scope')
        registry = importlib.import_module('mmengine.registry')
        with registry.DefaultScope.overwrite_default_scope(scope):
            if 'data_preprocessor' in cfg:
                cfg.model.data_preprocessor = cfg.data_preprocessor
            built = registry.MODELS.build(cfg.model, default_args=kwargs)
            if pretrained:
                module.load_checkpoint(built, cfg.model_path)
                # As the host does: no runner initialises the model again.
                built._is_init = True
        return built

    # mmengine.hub imports both functions under names of its own.
    for holder in (module, sys.modules.get(module.__package__ or '')):
        for name, function in (('get_config', config), ('get_model', model)):
            if hasattr(holder, name):
                setattr(holder, name, function)


def _cause() -> str:
    version = installed_version('mmengine')
    if not version or _NAME in _host().MODULE2PACKAGE:
        return ''
    return f'mmengine {version} has a closed list of packages with configs'


def _cure(module: types.ModuleType) -> None:
    """Let ``_base_`` and ``mmengine.hub`` find recipes of ours.

    The list of mmengine alone would not do. A base of a package of the list
    gets the package's scope, but recipes of ours are in the scope of a host;
    and mmengine finds no package installed by ``pip install -e``.
    """
    if module.__name__ == 'mmengine.hub.hub':
        _heal_hub(module)
        return
    _host().MODULE2PACKAGE[_NAME] = _NAME
    kind = module.Config
    kind._get_cfg_path = staticmethod(_base_path(kind._get_cfg_path))


WORKAROUND = Workaround(
    name='config_scope',
    cause=_cause,
    link='https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/'
    'config/utils.py',
    until='a release of mmengine whose list of packages is open',
    modules=('mmengine.config.config', 'mmengine.hub.hub'),
    cure=_cure)
