"""Import the hosts' models under a newer transformers."""
import importlib
import types
from typing import Any, Callable, List, Tuple

from .workaround import Workaround, installed_version, package_dir

# Of mmaction2; the models of this package need no transformers.
TRANSFORMERS_RANGE = ('4.36', '4.56')


def multimodal_trouble(host: str) -> str:
    """Say why the text models of a host cannot be imported here.

    Args:
        host (str): 'mmaction' or 'mmpretrain'.

    Returns:
        str: The reason, or '' if the text models can be imported or the host
        itself notices the missing packages.
    """
    version = installed_version('transformers')
    if not version:
        return ''
    digit_version = importlib.import_module('mmengine.utils').digit_version
    # Without pycocotools mmpretrain switches the text models off itself.
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
    mmaction='"transformers>={},<{}" timm'.format(*TRANSFORMERS_RANGE),
    mmpretrain='"transformers>={},<4.52"'.format(TRANSFORMERS_RANGE[0]))


def _multimodal_hosts() -> List[Tuple[str, str]]:
    """List the hosts whose models cannot be imported, with the reasons."""
    hosts = [(h, multimodal_trouble(h)) for h in ('mmaction', 'mmpretrain')]
    return [(h, why) for h, why in hosts if why and package_dir(h)]


def _cause() -> str:
    return '; '.join(f'{host}: {why}' for host, why in _multimodal_hosts())


def _placeholders(host: str, why: str) -> Callable[[List[str], Any], None]:
    """Return the host's function for placeholders, with the true reason."""

    def register(names: List[str], registry: Any) -> None:
        for name in names:
            registry.register_module(name=name, module=_refusal(name))

    def _refusal(name: str) -> Callable[..., None]:

        def refuse(*args: Any, **kwargs: Any) -> None:
            # At the build of such a model, not at each start: most users need
            # none.
            raise ImportError(
                f'{name}, a text model of {host}, is switched off: {why}. To '
                f'use it: pip install {_MULTIMODAL_HINTS[host]}')

        return refuse

    return register


def _cure(module: types.ModuleType) -> None:
    """Make the hosts register placeholders for their text models.

    Otherwise the hosts' models cannot be imported at all. Nothing is logged,
    as other models need no transformers: a placeholder tells when built.
    """
    host = module.__name__.partition('.')[0]
    why = dict(_multimodal_hosts()).get(host)
    if why:
        module.__dict__.update(
            WITH_MULTIMODAL=False,
            register_multimodal_placeholder=_placeholders(host, why))


WORKAROUND = Workaround(
    name='multimodal',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/models/'
    'multimodal/vindlu/modeling_bert.py',
    until='releases of the hosts that follow current transformers',
    modules=('mmaction.utils.dependency', 'mmpretrain.utils.dependency'),
    cure=_cure)
