"""Each remedy heals its bug, stays away from a sound host, runs no code."""
import argparse
import configparser
import importlib.util
import io
import logging
import operator
import os
import subprocess
import sys
from pathlib import Path
from pickle import UnpicklingError
from types import SimpleNamespace
from typing import Any, Tuple

import mmengine.dist.utils
import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from torch.serialization import (add_safe_globals, clear_safe_globals,
                                 get_safe_globals)

from mmvideomamba import compat

ROOT = Path(__file__).parents[1]


def run_python(code: str, *paths: Path) -> 'subprocess.CompletedProcess[str]':
    """Run code in a fresh interpreter that finds the package."""
    path = os.pathsep.join(map(str, [ROOT, *paths]))
    return subprocess.run([sys.executable, '-W', 'ignore', '-c', code],
                          env={
                              **os.environ, 'PYTHONPATH': path
                          },
                          capture_output=True,
                          text=True,
                          timeout=300)


def cause_of(name: str) -> str:
    """Ask one remedy whether it would be needed now."""
    return next(r for r in compat.REMEDIES if r.name == name).cause()


def test_import_stays_cheap() -> None:
    """Neither a host nor what belongs to training is imported."""
    done = run_python(
        'import sys, mmvideomamba\n'
        'print([m for m in ("mmaction", "mmpretrain", "mmcv", "torchvision",'
        ' "mmengine.runner", "torch._dynamo") if m in sys.modules])')
    assert done.stdout.strip() == '[]', done.stdout + done.stderr


def test_every_remedy_was_decided_once() -> None:
    """``apply`` ran at import; running it again changes nothing."""
    before = [(r.name, r.state) for r in compat.REMEDIES]
    assert {state for _, state in before} <= {'applied', 'not needed'}
    init = mmengine.dist.utils._init_dist_pytorch
    compat.apply()
    assert [(r.name, r.state) for r in compat.REMEDIES] == before
    assert mmengine.dist.utils._init_dist_pytorch is init


def test_remedies_are_documented() -> None:
    """Users find each remedy and its link in the docs."""
    text = (ROOT / 'docs' / 'compatibility.md').read_text()
    for remedy in compat.REMEDIES:
        assert f'`{remedy.name}`' in text
        assert remedy.link in text
        assert remedy.until and remedy.cure.__doc__


class TestPkgResources:

    def test_sound_setuptools(self) -> None:
        assert cause_of('pkg_resources') == ''

    def test_missing_is_explained(self, tmp_path: Path) -> None:
        config = tmp_path / 'config.py'
        config.write_text("_base_ = 'mmaction::_base_/default_runtime.py'")
        done = run_python(
            'from importlib.machinery import PathFinder\n'
            'find = PathFinder.find_spec\n'
            'PathFinder.find_spec = classmethod(lambda cls, name, *rest: None'
            ' if name == "pkg_resources" else find(name, *rest))\n'
            'import mmvideomamba\n'
            'from mmengine.config import Config\n'
            'try:\n'
            '    import pkg_resources\n'
            'except ImportError:\n'
            '    print("an optional import still falls back")\n'
            f'Config.fromfile({str(config)!r})')
        assert done.returncode == 1
        assert 'falls back' in done.stdout
        assert 'pip install "setuptools>=77.0.3,<82"' in done.stderr


class TestDrn:

    def test_models_import_and_drn_says_why_not(self) -> None:
        import mmaction.models  # noqa: F401
        from mmaction.registry import MODELS
        with pytest.raises(ImportError, match='install mmaction2 from its'):
            MODELS.build(dict(type='DRN'))

    def test_sound_wheel(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.delitem(sys.modules, compat._DRN, raising=False)
        monkeypatch.setattr(compat, 'package_dir', lambda name: tmp_path)
        assert compat._DRN in cause_of('drn')
        (tmp_path / 'models/localizers/drn').mkdir(parents=True)
        assert cause_of('drn') == ''


class Reduced:
    """An object that a pickle stores as a call, or as a call and a state."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Tuple[Any, ...]:
        return self.reduced


def write(value: Any, path: Path) -> str:
    """Save a value the way mmengine saves a checkpoint."""
    torch.save(dict(meta={}, state_dict={}, message_hub=value), path)
    return str(path)


def load(path: str) -> Any:
    """Load it the way mmengine does."""
    return CheckpointLoader.load_checkpoint(
        path, map_location='cpu')['message_hub']


# On a copy of float64 numpy would believe this state and take the bytes of an
# array of it for pointers.
POINTER_STATE = (3, '<', (Reduced(np.dtype,
                                  ('O', )), ()), None, None, -1, -1, 0)


def never() -> None:
    """Stand for the code of a hostile checkpoint."""
    raise AssertionError('a checkpoint ran code')


class TestCheckpoint:

    def test_cause_is_tried(self) -> None:
        allowed = get_safe_globals()
        clear_safe_globals()
        try:
            assert 'refuses' in cause_of('checkpoint')
        finally:
            add_safe_globals(allowed)
        assert cause_of('checkpoint') == ''

    def test_history_keeps_its_statistics(self, tmp_path: Path) -> None:
        history = HistoryBuffer([1., 2., 6.], [1, 1, 2])
        back = load(write(history, tmp_path / 'a.pth'))
        assert type(back) is HistoryBuffer
        assert all(type(part) is np.ndarray for part in back.data)
        for name in ('mean', 'min', 'max', 'current'):
            assert back.statistics(name) == history.statistics(name)
        back.update(3.)
        assert back.current() == 3.

    @pytest.mark.parametrize('code', sorted(compat._NUMERIC))
    def test_numbers_of_every_type(self, tmp_path: Path, code: str) -> None:
        array = np.arange(6).reshape(2, 3).astype(code)
        value = dict(array=array, fortran=array.T, scalar=array[1, 2])
        back = load(write(value, tmp_path / 'a.pth'))
        assert type(back['scalar']) is type(value['scalar'])
        for key in value:
            np.testing.assert_array_equal(back[key], value[key])
            assert back[key].dtype == value[key].dtype

    @pytest.mark.parametrize('old, new', [
        (b'numpy._core.multiarray', b'numpy.core.multiarray'),
        (b'numpy.core.multiarray', b'numpy._core.multiarray'),
    ])
    def test_files_of_the_other_numpy(self, old: bytes, new: bytes) -> None:
        file = io.BytesIO()
        torch.save([np.arange(3.), np.float64(2)],
                   file,
                   _use_new_zipfile_serialization=False)
        file = io.BytesIO(file.getvalue().replace(old, new))
        array, scalar = torch.load(file)
        assert array.tolist() == [0, 1, 2] and scalar == 2

    @pytest.mark.parametrize('payload', [
        Reduced(os.system, ('exit 3', )),
        Reduced(never, ()),
        Reduced(eval, ('1', )),
        Reduced(exec, ('pass', )),
        Reduced(getattr, (os.path.join, '__globals__')),
        Reduced(getattr, (HistoryBuffer, 'register_statistics')),
        Reduced(getattr, (HistoryBuffer, '__init__')),
        Reduced(getattr, (Reduced(HistoryBuffer, ()), 'mean')),
        Reduced(operator.attrgetter, ('mean', )),
        Reduced(importlib.import_module, ('os', )),
        argparse.Namespace(lr=1),
        Reduced(np.dtype, ('O', )),
        Reduced(np.dtype, ('V8', )),
        Reduced(np.dtype, ([('a', 'O')], )),
        np.array([None]),
        np.array(['text']),
        Reduced(np.ndarray, ((1, ), 'f8')),
        Reduced(np.ndarray,
                ((1, ), Reduced(np.dtype, ('f8', False, True),
                                POINTER_STATE), bytearray(8))),
        Reduced(np.arange(2).__reduce__()[0], (dict, (0, ), b'b')),
    ])
    def test_payload_is_refused(self, tmp_path: Path, payload: Any) -> None:
        path = write(payload, tmp_path / 'a.pth')
        with pytest.raises(UnpicklingError):
            load(path)

    def test_dtype_ignores_the_state_of_the_file(self, tmp_path: Path) -> None:
        state = (3, '>', (np.dtype('f8'), (2, )), None, None, -1, -1, 63)
        hostile = Reduced(np.dtype, ('f8', False, True), state)
        back = load(write(hostile, tmp_path / 'a.pth'))
        assert back is np.dtype('f8')
        assert back.subdtype is None and back.flags == 0 and back.isnative

    def test_filled_types_cannot_be_named(self) -> None:
        named = {
            entry[1]: entry[0]
            for entry in get_safe_globals() if isinstance(entry, tuple)
        }
        filled = [n for n, kind in named.items() if isinstance(kind, type)]
        assert {named[n] for n in filled} >= {np.ndarray, type(np.dtype('f8'))}
        assert all('\n' in name for name in filled)

    def test_namespace_only_where_it_is_allowed(self, tmp_path: Path) -> None:
        path = write(argparse.Namespace(lr=1), tmp_path / 'a.pth')
        with torch.serialization.safe_globals([argparse.Namespace]):
            assert load(path).lr == 1
        with pytest.raises(UnpicklingError, match='Namespace'):
            load(path)


class TestMultimodal:

    @pytest.mark.parametrize('host, versions, reason', [
        ('mmaction', {}, ''),
        ('mmaction', dict(transformers='4.55.4', timm='1.0'), ''),
        ('mmaction', dict(transformers='4.55.4'), 'timm is not installed'),
        ('mmaction', dict(transformers='4.56.0', timm='1.0'), '4.56.0 is not'),
        ('mmaction', dict(transformers='5.1.0', timm='1.0'), '5.1.0 is not'),
        ('mmaction', dict(transformers='4.30.0', timm='1.0'), '4.30.0 is not'),
        ('mmpretrain', dict(transformers='5.1.0'), ''),
        ('mmpretrain', dict(transformers='4.51.3', pycocotools='2'), ''),
        ('mmpretrain', dict(transformers='4.52.0',
                            pycocotools='2'), '4.52.0 is not'),
    ])
    def test_trouble(self, monkeypatch, host: str, versions: dict,
                     reason: str) -> None:
        monkeypatch.setattr(compat, 'installed_version',
                            lambda name: versions.get(name, ''))
        trouble = compat.multimodal_trouble(host)
        assert reason in trouble and bool(reason) == bool(trouble)

    def test_range_is_that_of_the_extra(self) -> None:
        parser = configparser.ConfigParser()
        parser.read(ROOT / 'setup.cfg')
        extra = parser['options.extras_require']['multimodal']
        low, high = compat.TRANSFORMERS_RANGE
        assert f'transformers>={low},<{high}' in extra.split()

    def test_new_transformers_leaves_the_hosts_importable(
            self, tmp_path: Path) -> None:
        for name in ('transformers', 'timm', 'pycocotools'):
            folder = tmp_path / f'{name}-9.0.dist-info'
            folder.mkdir()
            (folder / 'METADATA').write_text(
                f'Metadata-Version: 2.1\nName: {name}\nVersion: 9.0\n')
        imports = 'import mmaction.models, mmpretrain.models'
        done = run_python(f'import mmvideomamba\n{imports}', tmp_path)
        assert done.returncode == 0, done.stderr
        for host in ('mmaction', 'mmpretrain'):
            line = f'The text models of {host} are switched off'
            assert (done.stdout + done.stderr).count(line) == 1


class TestCpuRanks:

    pytestmark = pytest.mark.skipif(
        torch.cuda.is_available(), reason='needs a machine without CUDA')

    def test_gloo_group_starts(self, tmp_path: Path) -> None:
        mmengine.dist.utils._init_dist_pytorch(
            'gloo', init_method=f'file://{tmp_path}/s', rank=0, world_size=1)
        assert torch.distributed.get_backend() == 'gloo'
        torch.distributed.destroy_process_group()

    def test_other_backends_go_to_mmengine(self, monkeypatch) -> None:
        monkeypatch.setenv('RANK', '0')
        monkeypatch.setenv('LOCAL_RANK', '0')
        with pytest.raises((AssertionError, RuntimeError)):
            mmengine.dist.utils._init_dist_pytorch('nccl')
        assert not torch.distributed.is_initialized()

    def test_sound_machine(self, monkeypatch) -> None:
        assert 'no accelerator' in cause_of('cpu_ranks')
        monkeypatch.setattr(compat, 'get_device', lambda: 'cuda')
        assert cause_of('cpu_ranks') == ''


class TestCompile:

    class Toy(BaseModel):

        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(2, 1)

        def forward(self, inputs, data_samples=None, mode='loss') -> dict:
            return dict(loss=self.linear(inputs).square().mean())

    def test_optimizer_stays_out_of_the_graph(self) -> None:
        graphs = []

        def record(graph, example_inputs):
            graphs.append(str(graph.graph))
            return graph.forward

        model = self.Toy()
        optim = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=0.1))
        runner = SimpleNamespace(
            cfg=dict(compile=dict(backend=record)),
            model=model,
            logger=logging.getLogger(__name__))
        Runner._maybe_compile(runner, 'train_step')
        before = model.linear.weight.detach().clone()
        model.train_step(dict(inputs=torch.ones(3, 2)), optim)
        assert graphs and any('linear' in graph for graph in graphs)
        assert not any('foreach' in g or 'addcdiv' in g for g in graphs)
        assert not torch.equal(model.linear.weight, before)

    def test_without_compile_nothing_happens(self) -> None:
        step = object()
        runner = SimpleNamespace(cfg={}, model=SimpleNamespace(step=step))
        Runner._maybe_compile(runner, 'step')
        assert runner.model.step is step


class TestPytorchvideo:

    def test_not_installed(self, monkeypatch) -> None:
        monkeypatch.setattr(compat, 'package_dir', lambda name: None)
        assert cause_of('pytorchvideo') == ''

    def test_old_torchvision(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setattr(compat, 'package_dir', lambda name: tmp_path)
        assert 'lacks' in cause_of('pytorchvideo')
        (tmp_path / 'transforms').mkdir()
        (tmp_path / 'transforms/functional_tensor.py').touch()
        assert cause_of('pytorchvideo') == ''

    @pytest.mark.skipif(
        importlib.util.find_spec('torchvision') is None,
        reason='torchvision is not installed')
    def test_module_is_served_when_used(self, tmp_path: Path) -> None:
        package = tmp_path / 'pytorchvideo'
        package.mkdir()
        (package / '__init__.py').touch()
        (package / 'transforms.py').write_text(
            'import torchvision.transforms.functional_tensor as F_t\n'
            'print(F_t.rgb_to_grayscale.__module__)\n')
        done = run_python(
            'import sys, mmvideomamba\n'
            'assert "torchvision" not in sys.modules\n'
            'import pytorchvideo.transforms', tmp_path)
        assert done.returncode == 0, done.stderr
        assert 'torchvision.transforms' in done.stdout


def test_after_import_acts_once(tmp_path: Path, monkeypatch) -> None:
    """A probe for the module does not use the action up."""
    (tmp_path / 'healed_later.py').write_text('value = 1\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    calls = []
    finders = len(sys.meta_path)
    compat._AfterImport.register('healed_later', calls.append)
    assert importlib.util.find_spec('healed_later') is not None
    assert calls == []
    module = importlib.import_module('healed_later')
    assert calls == [module] and module.value == 1
    assert len(sys.meta_path) == finders
    compat._AfterImport.register('healed_later', calls.append)
    assert calls == [module, module]
