"""A training on a GPU resumes from any iteration, bit by bit."""
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import torch
from host_tools import CONFIG
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from nested import differences

from mmvideomamba.checkpoints import read_checkpoint

pytest.importorskip('av', reason='the clips of the test need PyAV')
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
]


class Stop(Hook):
    """End the process in effect, before an iteration."""

    def before_train_iter(self, runner: Runner, *args: Any, **_: Any) -> None:
        if runner.iter == 5:
            raise KeyboardInterrupt


@pytest.fixture
def clips(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    """Return a folder with data/: 8 clips, for training and validation."""
    names = [f'{i % 2}_{i}.mp4' for i in range(8)]
    (tmp_path / 'data').mkdir()
    for i, name in enumerate(names):
        make_video(name, frames=6 + i).rename(tmp_path / 'data' / name)
    for part in ('train', 'val'):
        (tmp_path / 'data' / f'{part}.txt').write_text(''.join(
            f'{name} {name[0]}\n' for name in names))
    return tmp_path


def run(folder: Path, options: Dict[str, Any], stop: bool = False) -> dict:
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict({
        'work_dir': str(folder),
        'resume': not stop,
        'experiment_name': f'{folder.name}-{stop}-{len(options)}',
        'default_hooks.checkpoint.by_epoch': False,
        'default_hooks.checkpoint.interval': 1,
        **options
    })
    runner = Runner.from_cfg(cfg)
    if stop:
        runner.register_hook(Stop())
    try:
        runner.train()
    except KeyboardInterrupt:
        pass
    return read_checkpoint((folder / 'last_checkpoint').read_text())


@pytest.mark.parametrize(
    'options', [
        {},
        {
            'optim_wrapper.type': 'AmpOptimWrapper',
            'optim_wrapper.loss_scale': 'dynamic'
        },
        {
            'optim_wrapper.accumulative_counts': 2,
            'optim_wrapper.clip_grad': dict(max_norm=1.)
        },
    ],
    ids=['float', 'amp', 'accumulation'])
def test_resumed_training_ends_with_the_same_bits(
        clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        options: Dict[str, Any]) -> None:
    monkeypatch.chdir(clips)
    whole = run(tmp_path / 'whole', options)
    cut = run(tmp_path / 'cut', options, stop=True)
    assert (cut['meta']['iter'], whole['meta']['iter']) == (5, 12)
    resumed = run(tmp_path / 'cut', options)
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert not differences(resumed[part], whole[part], part)
    assert any(not torch.equal(x, whole['state_dict'][name])
               for name, x in cut['state_dict'].items())
