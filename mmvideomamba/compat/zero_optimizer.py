"""Import mmengine's ZeroRedundancyOptimizer when the optimizer is used."""
from .late_module import LateModule
from .workaround import Workaround, installed_release, installed_version

_ZERO = LateModule(
    name='mmengine.optim.optimizer.zero_optimizer',
    public=('ZeroRedundancyOptimizer', ),
    rows={'mmengine.registry.OPTIMIZERS': ('ZeroRedundancyOptimizer', )},
    holders=('mmengine.optim.optimizer', 'mmengine.optim'))


def _cause() -> str:
    if installed_release('mmengine') != (0, 10):
        return ''
    return (f'mmengine {installed_version("mmengine")} imports '
            'torch.distributed.optim and all of FSDP, seconds long')


WORKAROUND = Workaround(
    name='zero_optimizer',
    cause=_cause,
    link='https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/optim/'
    'optimizer/zero_optimizer.py',
    until='a release of mmengine after 0.10',
    around=_ZERO.around,
    surround=_ZERO.surround)
