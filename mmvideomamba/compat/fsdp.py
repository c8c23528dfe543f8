"""Import mmengine's parts for FSDP at the first use of a part."""
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Iterator, Optional

from .late_module import LateModule
from .late_rows import LateRows
from .workaround import Workaround, installed_release, installed_version

_WRAPPER = LateModule(
    name='mmengine.model.wrappers.fully_sharded_distributed',
    public=('MMFullyShardedDataParallel', ),
    rows={
        'mmengine.registry.MODEL_WRAPPERS': ('MMFullyShardedDataParallel', )
    },
    holders=('mmengine.model.wrappers', 'mmengine.model'))
_STRATEGY = LateModule(
    name='mmengine._strategy.fsdp',
    public=('FSDPStrategy', ),
    rows={'mmengine.registry.STRATEGIES': ('FSDPStrategy', )},
    holders=('mmengine._strategy', ))


def _cause() -> str:
    # The names above are of mmengine 0.10.
    if installed_release('mmengine') != (0, 10):
        return ''
    return (f'mmengine {installed_version("mmengine")} imports '
            'torch.distributed.fsdp, seconds long')


@contextmanager
def _surround(module: ModuleType) -> Iterator[None]:
    """Import the wrapper and the strategy of FSDP late."""
    part = _WRAPPER if module.__name__ in _WRAPPER.around else _STRATEGY
    with part.surround(module):
        yield


def _cure(module: ModuleType) -> None:
    """Ask for instances of imported wrappers alone; others have none."""
    wrappers = module.__dict__['MODEL_WRAPPERS']

    def is_model_wrapper(model: Any, registry: Optional[Any] = None) -> bool:
        registry = wrappers if registry is None else registry
        rows = registry.module_dict
        # A late row has no class, so no model is an instance.
        known = rows.loaded() if isinstance(rows, LateRows) else rows.values()
        return isinstance(model, tuple(known)) or any(
            is_model_wrapper(model, child)
            for child in registry.children.values())

    module.__dict__['is_model_wrapper'] = is_model_wrapper


WORKAROUND = Workaround(
    name='fsdp',
    cause=_cause,
    link='https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/model/'
    'wrappers/__init__.py',
    until='a release of mmengine after 0.10',
    modules=('mmengine.model.wrappers.utils', ),
    cure=_cure,
    around=_WRAPPER.around + _STRATEGY.around,
    surround=_surround)
