"""Import torch's compiler when torchvision's RoIAlign needs the compiler."""
from contextlib import contextmanager
from types import ModuleType
from typing import Iterator

from .import_hooks import late_functions
from .workaround import Workaround, installed_version


def _cause() -> str:
    version = installed_version('torchvision')
    return version and (f'torchvision {version} imports torch._dynamo, a '
                        'second long, for one function of RoIAlign')


@contextmanager
def _surround(module: ModuleType) -> Iterator[None]:
    """Import ``is_compile_supported`` of ``torch._dynamo`` when called."""
    places = {'torch._dynamo.utils': ['is_compile_supported']}
    with late_functions(module, places):
        yield


WORKAROUND = Workaround(
    name='roi_align',
    cause=_cause,
    link='https://github.com/pytorch/vision/blob/v0.22.0/torchvision/ops/'
    'roi_align.py',
    until='a release of torchvision that imports torch._dynamo on demand',
    around=('torchvision.ops.roi_align', ),
    surround=_surround)
