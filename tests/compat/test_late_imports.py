"""Late imports change nothing but the time of an import."""
import importlib.util
import json
import sys
from typing import Any

import pytest

from mmvideomamba.compat import (adafactor, fsdp, pose_mode, roi_align, vindlu,
                                 zero_optimizer)
from mmvideomamba.compat.workaround import package_dir
from .fresh_python import ROOT, run_python

TRANSFORMERS = package_dir('transformers') is not None


def names(how: str) -> Any:
    """Run tests/compat/registry_names.py in a fresh process."""
    path = ROOT / 'tests' / 'compat' / 'registry_names.py'
    done = run_python(f'import runpy, sys; sys.argv[1:] = [{how!r}]\n'
                      f'runpy.run_path({str(path)!r}, run_name="__main__")')
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_registries_and_names_are_the_same() -> None:
    """All rows and all exported names, of all registries of the hosts."""
    late, eager = names('late'), names('eager')
    assert late[0] == eager[0] and late[1] == eager[1]
    assert sum(map(len, late[0].values())) > 900
    assert ('Adafactor'
            in late[0]['mmengine.registry.OPTIMIZERS']) == TRANSFORMERS
    # Nothing slow was imported until anybody looked at the rows.
    assert late[2] == []
    assert {'scipy.stats', 'sympy', 'torch.distributed.fsdp'} <= set(eager[2])
    assert ('transformers' in eager[2]) == TRANSFORMERS


@pytest.mark.skipif(not TRANSFORMERS, reason='needs transformers')
def test_adafactor_is_that_of_transformers() -> None:
    done = run_python('''
import sys, torch, mmvideomamba
from mmengine.optim import build_optim_wrapper, optimizer
print(optimizer.builder.TRANSFORMERS_OPTIMIZERS, 'transformers' in sys.modules)
kind = dict(type='Adafactor', lr=None)
wrapper = build_optim_wrapper(
    torch.nn.Linear(2, 2), dict(type='OptimWrapper', optimizer=kind))
from transformers import Adafactor
print(type(wrapper.optimizer) is Adafactor)
''')
    said = done.stdout.split()
    assert said[:2] + said[-1:] == ["['Adafactor']", 'False',
                                    'True'], done.stderr


def test_adafactor_of_a_host_imported_before() -> None:
    """The host has registered the optimizer itself, and nothing changes."""
    done = run_python('''
import mmengine.optim, mmvideomamba
rows = mmengine.optim.OPTIMIZERS.module_dict
print(type(rows).__name__, 'Adafactor' in rows)
''')
    assert done.stdout.split() == ['dict', str(TRANSFORMERS)], done.stderr


def test_sharded_parts_of_mmengine() -> None:
    """The parts for FSDP and ZeRO are built as before."""
    done = run_python('''
import sys, tempfile, torch, mmvideomamba
import mmengine.runner
from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from mmengine.registry import MODEL_WRAPPERS, OPTIMIZERS, STRATEGIES
def late(): return wrappers + '.fully_sharded_distributed' in sys.modules
wrappers = 'mmengine.model.wrappers'
module = torch.nn.Linear(2, 2)
print(is_model_wrapper(module), late())
with tempfile.TemporaryDirectory() as folder:
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/s', rank=0, world_size=1)
    print(is_model_wrapper(MMDistributedDataParallel(module)), late())
    zero = OPTIMIZERS.build(dict(
        type='ZeroRedundancyOptimizer', params=module.parameters(),
        optimizer_type='SGD', lr=0.1))
    print(isinstance(zero, torch.distributed.optim.ZeroRedundancyOptimizer))
    from mmengine._strategy import FSDPStrategy
    print(STRATEGIES.get('FSDPStrategy') is FSDPStrategy)
    wrapper = MODEL_WRAPPERS.get('MMFullyShardedDataParallel')
    print(issubclass(wrapper, torch.distributed.fsdp.FullyShardedDataParallel))
    sharded = object.__new__(wrapper)
    print(is_model_wrapper(sharded))
    torch.distributed.destroy_process_group()
''')
    assert done.stdout.split() == [
        'False', 'False', 'True', 'False', 'True', 'True', 'True', 'True'
    ], done.stderr


def test_functions_of_other_libraries() -> None:
    """``mode`` of scipy and torchvision's RoIAlign compute as before."""
    done = run_python('''
import sys, torch, mmvideomamba
import mmaction.datasets.transforms.pose_transforms as pose
import torchvision
print('scipy.stats' in sys.modules, 'torch._dynamo' in sys.modules)
print(pose.get_mode([3, 5, 5, 1])[-1][0])
maps = torch.arange(16.).view(1, 1, 4, 4)
boxes = [torch.tensor([[0., 0, 4, 4]])]
print(torchvision.ops.roi_align(maps, boxes, 2, aligned=True).sum().item())
print('torch._dynamo' in sys.modules)
supported = torchvision.ops.roi_align.__globals__['is_compile_supported']
print(type(supported('cpu')).__name__, 'torch._dynamo' in sys.modules)
''')
    assert done.stdout.split() == [
        'False', 'False', '2', '30.0', 'False', 'bool', 'True'
    ], done.stderr


VINDLU = not vindlu.multimodal_trouble('mmaction') and TRANSFORMERS


@pytest.mark.skipif(not VINDLU, reason='mmaction2 has no text models here')
def test_vindlu_is_imported_when_used() -> None:
    done = run_python('''
import pickle, sys, mmvideomamba, mmaction.models
from mmaction.registry import MODELS, TOKENIZER
print('transformers' in sys.modules, 'XBertModel' in MODELS.module_dict)
kind = pickle.loads(
    b'cmmaction.models.multimodal.vindlu.xbert\\nXBertModel\\n.')
print(MODELS.get('XBertModel') is kind, 'transformers' in sys.modules)
from mmaction.models import VindLUVQA
from mmaction.models.multimodal import BertDecoder
print(MODELS.get('VindLUVQA') is VindLUVQA, TOKENIZER.get('VindLUTokenizer'))
''')
    said = done.stdout.split()
    assert said[:5] == ['False', 'True', 'True', 'True', 'True'], done.stderr
    assert 'from_pretrained' in done.stdout


@pytest.mark.parametrize('module, absent', [
    (adafactor, 'transformers'),
    (fsdp, 'mmengine'),
    (pose_mode, 'mmaction2'),
    (roi_align, 'torchvision'),
    (vindlu, 'mmaction2'),
    (zero_optimizer, 'mmengine'),
])
def test_causes(monkeypatch, module: Any, absent: str) -> None:
    """Without the package, or with another release, there is no cause."""
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None
                        if name == absent else object())
    nothing = dict(installed_version='', installed_release=(0, 0))
    for name in nothing.keys() & vars(module).keys():
        monkeypatch.setattr(
            module, name, lambda package, name=name: nothing[name])
    monkeypatch.delitem(sys.modules, 'transformers', raising=False)
    assert module._cause() == ''
