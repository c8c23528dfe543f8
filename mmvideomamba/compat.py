"""Remedies for bugs of the released hosts, applied by ``import mmvideomamba``.

This is the only file that may patch a host. Each remedy is a cause, which
returns '' where the host is sound, and a cure, which runs only if there is a
cause. No host model is imported here, because several remedies must be in
place before the first one is. docs/compatibility.md tells users the same.
"""
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import io
import logging
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Callable, List, Optional, Tuple

import mmengine.dist.utils
import numpy as np
import torch
from mmengine.device import get_device
from mmengine.logging import HistoryBuffer, print_log
from mmengine.utils import digit_version
from torch.serialization import add_safe_globals

# Equal to the extra `multimodal` in setup.cfg; a test compares them.
TRANSFORMERS_RANGE = ('4.36', '4.56')


@dataclass
class Remedy:
    """One workaround for one bug of a host.

    Args:
        name (str): Short name, the same in docs/compatibility.md.
        cause (Callable): Returns why the remedy is needed here, or ''.
        link (str): Where the bug is reported or can be read upstream.
        until (str): What makes the remedy superfluous.
        cure (Callable): Heals it. Called once, and only with a cause.
        state (str): '' before ``apply``, then 'applied' or 'not needed'.
        reason (str): What ``cause`` returned.
    """
    name: str
    cause: Callable[[], str]
    link: str
    until: str
    cure: Callable[[], None]
    state: str = ''
    reason: str = ''


REMEDIES: List[Remedy] = []


def _remedy(name: str, cause: Callable[[], str], link: str,
            until: str) -> Callable:
    """Add the decorated cure to ``REMEDIES``."""

    def add(cure: Callable[[], None]) -> Callable[[], None]:
        REMEDIES.append(Remedy(name, cause, link, until, cure))
        return cure

    return add


def package_dir(name: str) -> Optional[Path]:
    """Return the folder of a package without importing it, else None."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def installed_version(distribution: str) -> str:
    """Return the installed version of a distribution, or ''."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ''


def _stand_in(name: str, attribute: Callable[[str], Any]) -> None:
    """Register a module whose attributes are made when first asked for.

    Args:
        name (str): Full name of the module, absent on this machine.
        attribute (Callable): From the name of an attribute to its value;
            raises AttributeError for an unknown name.
    """
    module = types.ModuleType(name, 'Stand-in made by mmvideomamba.compat.')
    module.__dict__['__getattr__'] = attribute
    sys.modules[name] = module


class _AfterImport(importlib.abc.MetaPathFinder):
    """Run an action right after a module is imported for the first time.

    It keeps ``import mmvideomamba`` cheap: the module to heal is not loaded
    for users who never need it.

    Args:
        name (str): Full name of the module.
        action (Callable): Takes the imported module.
    """

    def __init__(self, name: str, action: Callable[[types.ModuleType],
                                                   None]) -> None:
        self.name = name
        self.action = action

    @classmethod
    def register(cls, name: str, action: Callable[[types.ModuleType],
                                                  None]) -> None:
        """Act now if the module is already there, else after its import."""
        if name in sys.modules:
            action(sys.modules[name])
        else:
            sys.meta_path.insert(0, cls(name, action))

    def find_spec(
            self,
            fullname: str,
            path: Any = None,
            target: Any = None) -> Optional[importlib.machinery.ModuleSpec]:
        """Find the module as usual and append the action to its import."""
        if fullname != self.name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: types.ModuleType) -> None:
                execute(module)
                self.action(module)
                sys.meta_path.remove(self)

            spec.loader.exec_module = exec_module  # type: ignore
        return spec


class _NoPkgResources(importlib.abc.MetaPathFinder):
    """Stand last in ``sys.meta_path`` and explain a missing pkg_resources."""

    def find_spec(self,
                  fullname: str,
                  path: Any = None,
                  target: Any = None) -> None:
        """Raise for pkg_resources, know nothing of any other module."""
        if fullname == 'pkg_resources':
            raise ModuleNotFoundError(
                'No module named \'pkg_resources\': mmengine and openmim need '
                'it, and setuptools 82 removed it. Run: pip install '
                '"setuptools>=77.0.3,<82"',
                name=fullname)


def _pkg_resources_cause() -> str:
    if importlib.util.find_spec('pkg_resources') is None:
        version = installed_version('setuptools')
        return f'setuptools {version}' if version else 'no setuptools'
    return ''


@_remedy(
    'pkg_resources',
    cause=_pkg_resources_cause,
    link='https://github.com/pypa/setuptools/issues/3085',
    until='releases of mmengine and openmim that do without pkg_resources')
def _pkg_resources_cure() -> None:
    """Say what to install where mmengine or openmim imports pkg_resources.

    They do for every `mmaction::` base config and in all of mim.
    """
    sys.meta_path.append(_NoPkgResources())


_DRN = 'mmaction.models.localizers.drn.drn'


def _drn_cause() -> str:
    folder = package_dir('mmaction')
    if folder is None or _DRN in sys.modules:
        return ''
    if (folder / 'models/localizers/drn').is_dir():
        return ''
    return f'mmaction2 {installed_version("mmaction2")} lacks {_DRN}'


@_remedy(
    'drn',
    cause=_drn_cause,
    link='https://github.com/open-mmlab/mmaction2/issues/2714',
    until='a release of mmaction2 after 1.2.0')
def _drn_cure() -> None:
    """Let ``mmaction.models`` import, though its wheel lacks a folder.

    Building the absent model raises.
    """

    def build_drn(*args: Any, **kwargs: Any) -> None:
        raise ImportError(
            'DRN is not part of the mmaction2 wheel on this machine; install '
            'mmaction2 from its repository to use it')

    @functools.lru_cache(maxsize=None)
    def attribute(name: str) -> Any:
        if name != 'DRN':
            raise AttributeError(name)
        registry = importlib.import_module('mmaction.registry')
        registry.MODELS.register_module(name='DRN', module=build_drn)
        return build_drn

    _stand_in(_DRN, attribute)


def _history_method(obj: Any, name: Any) -> Callable:
    """Stand for ``getattr`` in a checkpoint, which names four methods."""
    if obj is HistoryBuffer and name in ('min', 'max', 'current', 'mean'):
        return getattr(HistoryBuffer, name)
    raise UnpicklingError(
        f'getattr of {name!r} is not allowed in a checkpoint')


def _numeric_types() -> List[np.dtype]:
    codes = '?' + np.typecodes['AllInteger'] + np.typecodes['AllFloat']
    return [np.dtype(code) for code in codes]


_NUMERIC = {t.str[1:]: t for t in _numeric_types()}


def _numeric_dtype(name: Any,
                   align: Any = False,
                   copy: Any = True) -> np.dtype:
    """Stand for ``numpy.dtype`` in a checkpoint: numbers only, and no copy.

    A pickled dtype is a name, then a state. On a copy numpy takes any state,
    an object type hidden inside a number among them, and then reads the
    bytes of an array as pointers: code execution. On its own instances numpy
    ignores the state, so these are the only ones handed out.
    """
    if isinstance(name, str) and name in _NUMERIC:
        return _NUMERIC[name]
    raise UnpicklingError(
        f'numpy dtype {name!r} is not allowed in a checkpoint: only numbers')


def _array_type(*args: Any) -> None:
    """Stand for ``numpy.ndarray`` in a checkpoint, where it is but named."""
    raise UnpicklingError('calling ndarray is not allowed in a checkpoint')


def _empty_array(kind: Any, shape: Any, typecode: Any) -> np.ndarray:
    """Stand for numpy's ``_reconstruct``; the state fills the array."""
    if kind is not _array_type and kind is not np.ndarray:
        raise UnpicklingError(
            f'an array of {kind!r} is not allowed in a checkpoint')
    return np.empty(0, np.int8)


def _checkpoint_cause() -> str:
    file = io.BytesIO()
    torch.save(HistoryBuffer([0.0], [1]), file)
    file.seek(0)
    try:
        torch.load(file)
    except UnpicklingError:
        return (f'torch {torch.__version__} refuses the logs of '
                f'mmengine {installed_version("mmengine")}')
    return ''


@_remedy(
    'checkpoint',
    cause=_checkpoint_cause,
    link='https://github.com/open-mmlab/mmengine/issues/1655',
    until='a release of mmengine whose checkpoints torch reads by default')
def _checkpoint_cure() -> None:
    """Allow what an mmengine checkpoint holds, and nothing that runs code.

    ``weights_only`` stays True. The types without which torch would not
    fill an array get a name with a line break: no pickle can spell it, so
    no file can call them.
    """
    scalar = np.float64(0).__reduce__()[0]
    unnamed = {np.ndarray, *(type(t) for t in _numeric_types())}
    add_safe_globals([
        HistoryBuffer,
        (_history_method, 'builtins.getattr'),
        (_array_type, 'numpy.ndarray'),
        (_numeric_dtype, 'numpy.dtype'),
        (scalar, 'numpy._core.multiarray.scalar'),
        (scalar, 'numpy.core.multiarray.scalar'),
        (_empty_array, 'numpy._core.multiarray._reconstruct'),
        (_empty_array, 'numpy.core.multiarray._reconstruct'),
        *((kind, f'\n{kind.__name__}') for kind in unnamed),
    ])


def multimodal_trouble(host: str) -> str:
    """Say why the text models of a host cannot be imported here.

    Args:
        host (str): 'mmaction' or 'mmpretrain'.

    Returns:
        str: The reason, or '' if they can be imported or the host itself
        notices that their packages are missing.
    """
    version = installed_version('transformers')
    if not version:
        return ''
    if host == 'mmpretrain':
        if installed_version('pycocotools') and digit_version(
                version) >= digit_version('4.52'):
            return f'transformers {version} is not below 4.52'
        return ''
    low, high = TRANSFORMERS_RANGE
    if not digit_version(low) <= digit_version(version) < digit_version(high):
        return f'transformers {version} is not in >={low},<{high}'
    return '' if installed_version('timm') else 'timm is not installed'


_MULTIMODAL_HINTS = dict(
    mmaction='"mmvideomamba[multimodal]"',
    mmpretrain='"transformers>={},<4.52"'.format(TRANSFORMERS_RANGE[0]))


def _multimodal_hosts() -> List[Tuple[str, str]]:
    """Return host and reason where importing its models would fail."""
    hosts = [(h, multimodal_trouble(h)) for h in ('mmaction', 'mmpretrain')]
    return [(h, why) for h, why in hosts if why and package_dir(h)]


def _multimodal_cause() -> str:
    return '; '.join(f'{host}: {why}' for host, why in _multimodal_hosts())


@_remedy(
    'multimodal',
    cause=_multimodal_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/models/'
    'multimodal/vindlu/modeling_bert.py',
    until='releases of the hosts that follow current transformers')
def _multimodal_cure() -> None:
    """Make the hosts register placeholders for their text models.

    Otherwise their models cannot be imported at all. The module that holds
    the switch is loaded by its path: importing ``mmpretrain`` would already
    import its models.
    """
    for host, why in _multimodal_hosts():
        name = f'{host}.utils.dependency'
        if name not in sys.modules:
            path = package_dir(host) / 'utils/dependency.py'
            spec = importlib.util.spec_from_file_location(name, path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            sys.modules[name] = module
        sys.modules[name].WITH_MULTIMODAL = False
        print_log(
            f'The text models of {host} are switched off: {why}. To use them: '
            f'pip install {_MULTIMODAL_HINTS[host]}',
            logger='current',
            level=logging.WARNING)


def cpu_ranks_cfg() -> dict:
    """Return the config keys of a run on several CPU processes.

    Returns:
        dict: ``env_cfg`` with the gloo backend and a ``model_wrapper_cfg``
        without device ids, to be merged into a config.
    """
    return dict(
        env_cfg=dict(dist_cfg=dict(backend='gloo')),
        model_wrapper_cfg=dict(
            type='MMDistributedDataParallel', device_ids=None))


def _cpu_ranks_cause() -> str:
    if get_device() == 'cpu':
        return 'no accelerator, and mmengine asks CUDA for a device per rank'
    return ''


@_remedy(
    'cpu_ranks',
    cause=_cpu_ranks_cause,
    link='https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/dist/'
    'utils.py',
    until='a release of mmengine that sets CUDA devices only with CUDA')
def _cpu_ranks_cure() -> None:
    """Start gloo ranks without touching CUDA; other backends as before."""
    original = mmengine.dist.utils._init_dist_pytorch

    @functools.wraps(original)
    def init(backend: str, init_backend: str = 'torch', **kwargs: Any) -> None:
        if backend == 'gloo' and init_backend == 'torch':
            torch.distributed.init_process_group('gloo', **kwargs)
        else:
            original(backend, init_backend=init_backend, **kwargs)

    mmengine.dist.utils._init_dist_pytorch = init


@functools.lru_cache(maxsize=None)
def _keep_optimizer_eager() -> None:
    """Exclude backward and optimizer from ``torch.compile``, once."""
    wrapper = importlib.import_module('mmengine.optim').OptimWrapper
    wrapper.update_params = torch.compiler.disable(wrapper.update_params)


def _heal_runner(module: types.ModuleType) -> None:
    original = module.Runner._maybe_compile

    @functools.wraps(original)
    def maybe_compile(self: Any, target: str) -> None:
        if self.cfg.get('compile'):
            _keep_optimizer_eager()
        original(self, target)

    module.Runner._maybe_compile = maybe_compile


def _compile_cause() -> str:
    version = installed_version('mmengine')
    return f'mmengine {version} compiles the optimizer too'


@_remedy(
    'compile',
    cause=_compile_cause,
    link='https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/runner/'
    'runner.py',
    until='a release of mmengine that compiles the forward alone')
def _compile_cure() -> None:
    """Compile the model and its loss, not the loop over parameter groups.

    With layer-wise learning rates that loop costs minutes, in some releases
    of torch an error. torch's compiler is loaded only by a run that sets
    ``compile``.
    """
    _AfterImport.register('mmengine.runner.runner', _heal_runner)


_TENSOR_OPS = 'torchvision.transforms.functional_tensor'


def _pytorchvideo_cause() -> str:
    folder = package_dir('torchvision')
    if package_dir('pytorchvideo') is None or folder is None:
        return ''
    if (folder / 'transforms/functional_tensor.py').exists():
        return ''
    version = installed_version('torchvision')
    return f'torchvision {version} lacks {_TENSOR_OPS}'


@_remedy(
    'pytorchvideo',
    cause=_pytorchvideo_cause,
    link='https://github.com/facebookresearch/pytorchvideo/issues/258',
    until='a release of pytorchvideo after 0.1.5')
def _pytorchvideo_cure() -> None:
    """Serve a module that torchvision made private, when it is first used."""

    def attribute(name: str) -> Any:
        private = _TENSOR_OPS.replace('.functional', '._functional')
        return getattr(importlib.import_module(private), name)

    _stand_in(_TENSOR_OPS, attribute)


def _is_ours(step: dict) -> bool:
    """Tell whether a step of a pipeline is named by our scope."""
    return str(step['type']).startswith('mmvideomamba.')


def _heal_inferencer(module: types.ModuleType) -> None:
    host = module.ActionRecogInferencer
    original = host._init_pipeline

    @functools.wraps(original)
    def init_pipeline(self: Any, cfg: Any) -> Any:
        steps = [dict(step) for step in cfg.test_dataloader.dataset.pipeline]
        pipeline = original(self, cfg)
        if self.input_format == 'video' and _is_ours(steps[0]):
            transforms = importlib.import_module(
                'mmengine.registry').TRANSFORMS
            # The host put a reader of its own between its packing and ours.
            del pipeline.transforms[1]
            for place, step in enumerate(steps, 1):
                if _is_ours(step):
                    pipeline.transforms[place] = transforms.build(step)
        return pipeline

    host._init_pipeline = init_pipeline


def _inferencer_cause() -> str:
    version = installed_version('mmaction2')
    return version and f'mmaction2 {version} reads videos by its own steps'


@_remedy(
    'inferencer',
    cause=_inferencer_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/apis/'
    'inferencers/actionrecog_inferencer.py',
    until='a release of mmaction2 that keeps the steps of the config')
def _inferencer_cure() -> None:
    """Let ``MMAction2Inferencer`` keep our steps that read videos.

    It replaces them by the host's, whose errors do not name the file and
    which end the process for an AVI file that was cut off.
    """
    _AfterImport.register('mmaction.apis.inferencers.actionrecog_inferencer',
                          _heal_inferencer)


def apply() -> None:
    """Apply every remedy whose cause is present. Further calls do nothing."""
    for remedy in REMEDIES:
        if remedy.state:
            continue
        remedy.reason = remedy.cause()
        if remedy.reason:
            remedy.cure()
            remedy.state = 'applied'
        else:
            remedy.state = 'not needed'
