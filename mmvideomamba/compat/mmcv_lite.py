"""Silence mmcv-lite's advice to install mmcv."""
from typing import Any

from .workaround import Workaround, installed_version


def _cause() -> str:
    version = installed_version('mmcv-lite')
    return f'mmcv-lite {version}' if version else ''


def _cure(module: Any) -> None:
    """Leave out a warning of every command.

    mmcv-lite is the declared requirement. mmcv, with compiled operators, is
    needed by none of our models, and a newcomer takes the advice for a fault.
    """
    module.filterwarnings(
        'ignore', message='Fail to import ``MultiScaleDeformableAttention``')


WORKAROUND = Workaround(
    name='mmcv_lite',
    cause=_cause,
    link='https://github.com/open-mmlab/mmcv/blob/v2.1.0/mmcv/cnn/bricks/'
    'transformer.py#L32',
    until='a release of mmcv-lite without the warning',
    # Before mmcv, which warns while being imported.
    modules=('warnings', ),
    cure=_cure)
