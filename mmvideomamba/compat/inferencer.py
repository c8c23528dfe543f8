"""Let mmaction2's inferencer open videos by the steps of the config."""
import functools
import importlib
import types
from typing import Any

from .import_hooks import AfterImport
from .workaround import Workaround, installed_version


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
            # Place 1 holds the host's own reader, before the config's steps.
            del pipeline.transforms[1]
            for place, step in enumerate(steps, 1):
                if _is_ours(step):
                    pipeline.transforms[place] = transforms.build(step)
        return pipeline

    host._init_pipeline = init_pipeline


def _cause() -> str:
    version = installed_version('mmaction2')
    return version and f'mmaction2 {version} reads videos by its own steps'


def _cure() -> None:
    """Let ``MMAction2Inferencer`` keep our steps for reading videos.

    The host's own steps, put in by the inferencer, raise errors without the
    name of the file, and a cut-off AVI file ends the process.
    """
    AfterImport.register('mmaction.apis.inferencers.actionrecog_inferencer',
                         _heal_inferencer)


WORKAROUND = Workaround(
    name='inferencer',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/apis/'
    'inferencers/actionrecog_inferencer.py',
    until='a release of mmaction2 that keeps the steps of the config',
    cure=_cure)
