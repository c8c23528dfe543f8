"""Import scipy.stats when a skeleton is decompressed."""
from contextlib import contextmanager
from types import ModuleType
from typing import Iterator

from .import_hooks import late_functions
from .workaround import Workaround, installed_version


def _cause() -> str:
    version = installed_version('mmaction2')
    return version and (f'mmaction2 {version} imports scipy.stats, a second '
                        'long, for one function of skeletons')


@contextmanager
def _surround(module: ModuleType) -> Iterator[None]:
    """Import ``scipy.stats.mode`` at the first call."""
    with late_functions(module, {'scipy.stats': ['mode']}):
        yield


WORKAROUND = Workaround(
    name='pose_mode',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/'
    'datasets/transforms/pose_transforms.py',
    until='a release of mmaction2 after 1.2.0',
    around=('mmaction.datasets.transforms.pose_transforms', ),
    surround=_surround)
