"""The inferencer keeps our steps for reading videos, and no other host's."""
from types import ModuleType, SimpleNamespace
from typing import List

import pytest
from mmengine.config import Config
from mmengine.registry import TRANSFORMS

from mmvideomamba.compat import inferencer


class Inferencer:
    """Replace the steps of a config by names, as the host does."""

    def __init__(self, input_format: str) -> None:
        self.input_format = input_format

    def _init_pipeline(self, cfg: Config) -> SimpleNamespace:
        steps = cfg.test_dataloader.dataset.pipeline
        return SimpleNamespace(transforms=host_steps(*(s.type for s in steps)))


def host_steps(*types: str) -> List[str]:
    """Put a reader first, or in the place of the first step."""
    kept = types[1:] if 'Init' in types[0] else types
    return ['pack', 'DecordInit', *(f'host {kind}' for kind in kept)]


def transforms_of(input_format: str, *types: str) -> List[str]:
    """Return the steps of a healed inferencer for the steps of a config."""

    class Healed(Inferencer):
        """Take the change in the place of the shared class."""

    module = ModuleType('healed')
    setattr(module, 'ActionRecogInferencer', Healed)
    inferencer._heal_inferencer(module)
    pipeline = [dict(type=kind) for kind in types]
    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=pipeline))))
    return Healed(input_format)._init_pipeline(cfg).transforms


@pytest.fixture(autouse=True)
def build_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the registry return the type of a step."""
    monkeypatch.setattr(TRANSFORMS, 'build', lambda step: step['type'])


OURS = ('mmvideomamba.OpenVideo', 'UniformSample', 'mmvideomamba.DecodeFrames')


def test_our_steps_stay() -> None:
    assert transforms_of('video', *OURS) == [
        'pack', 'mmvideomamba.OpenVideo', 'host UniformSample',
        'mmvideomamba.DecodeFrames'
    ]


@pytest.mark.parametrize('input_format, types', [
    ('array', OURS),
    ('rawframes', OURS),
    ('video', ('DecordInit', 'UniformSample', 'DecordDecode')),
])
def test_other_pipelines_are_left_alone(input_format: str, types) -> None:
    assert transforms_of(input_format, *types) == host_steps(*types)
