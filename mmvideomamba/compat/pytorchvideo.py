"""Import pytorchvideo although torchvision made a module private."""
import importlib
from typing import Any

from .import_hooks import stand_in
from .workaround import Workaround, installed_version, package_dir

_TENSOR_OPS = 'torchvision.transforms.functional_tensor'


def _cause() -> str:
    folder = package_dir('torchvision')
    if package_dir('pytorchvideo') is None or folder is None:
        return ''
    if (folder / 'transforms/functional_tensor.py').exists():
        return ''
    version = installed_version('torchvision')
    return f'torchvision {version} lacks {_TENSOR_OPS}'


def _cure(module: Any) -> None:
    """Serve the private module under the old name, on first use."""

    def attribute(name: str) -> Any:
        private = _TENSOR_OPS.replace('.functional', '._functional')
        return getattr(importlib.import_module(private), name)

    stand_in(_TENSOR_OPS, attribute)


WORKAROUND = Workaround(
    name='pytorchvideo',
    cause=_cause,
    link='https://github.com/facebookresearch/pytorchvideo/issues/258',
    until='a release of pytorchvideo after 0.1.5',
    modules=('torchvision', 'pytorchvideo'),
    cure=_cure)
