"""Imports point one way: the table of rooms holds for every file."""
import ast
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = 'mmvideomamba'
FILES = sorted((ROOT / PACKAGE).rglob('*.py'), key=str)
FILES = [f for f in FILES if '.mim' not in f.parts]

BASIC = {'torch', 'numpy', 'einops'}
ENGINE = BASIC | {'mmengine', 'mmcv'}
KERNELS = {'numba', 'llvmlite', 'triton', 'mamba_ssm', 'causal_conv1d'}

# Room: packages allowed from outside, and allowed rooms of the package.
ROOMS: Dict[str, Tuple[set, set]] = {
    '__init__': (set(), {'compat', 'late_names', 'version'}),
    'late_names': (set(), set()),
    'version': (set(), set()),
    'registry': ({'mmengine'}, set()),
    'atomic_file': (set(), set()),
    'exit_codes': (set(), set()),
    'extras': ({'packaging'}, set()),
    'folder_lock': (set(), {'atomic_file', 'user_error'}),
    'process_group': ({'torch'}, set()),
    'signals': (set(), set()),
    'thread_waits': (set(), set()),
    'user_error': (set(), set()),
    'json_file': (set(), set()),
    'free_memory': ({'torch'}, set()),
    'loss_weight': ({'mmengine'}, set()),
    'upload': ({'torch'}, set()),
    'config_edit': ({'mmengine'}, set()),
    'compat': ({'torch', 'numpy', 'mmengine'}, set()),
    'analysis': (ENGINE | {'mmaction'}, {'command_line', 'models'}),
    'analysis.training_memory':
    ({'torch', 'mmengine'}, {'models.backbones', 'ops', 'ops.dispatch'}),
    'config_check': ({'torch',
                      'mmengine'}, {'checkpoints', 'extras', 'user_error'}),
    'command_line': (ENGINE, {
        'atomic_file', 'checkpoints', 'compat', 'config_check', 'config_edit',
        'engine.usable_cores', 'free_memory', 'late_names'
    }),
    'command_line.data_root':
    ({'mmengine'}, {'datasets', 'datasets.preparation'}),
    'doctor':
    (BASIC | {'mmengine', 'cv2', 'packaging'},
     {'compat', 'exit_codes', 'extras', 'ops', 'registry', 'version'}),
    'cli': (set(), {'exit_codes', 'thread_waits', 'version'}),
    'cli.log_stream': ({'mmengine'}, set()),
    'cli.run_ask': (set(), {'atomic_file', 'cli', 'command_line',
                            'inference'}),
    'cli.run_choose': (set(), {'cli', 'command_line', 'inference'}),
    'cli.run_doctor': (set(), {'doctor'}),
    'cli.run_explain':
    ({'numpy', 'tqdm'},
     {'cli', 'command_line', 'exit_codes', 'inference', 'visualization'}),
    'cli.run_export': ({'torch'}, {'command_line', 'deployment'}),
    'cli.run_features': ({'tqdm'},
                         {'cli', 'command_line', 'exit_codes', 'inference'}),
    'cli.run_predict':
    ({'tqdm'},
     {'atomic_file', 'cli', 'command_line', 'exit_codes', 'inference'}),
    'cli.search_model': (set(), {'inference'}),
    'cli.run_search_index':
    ({'tqdm'}, {'cli', 'command_line', 'exit_codes', 'inference'}),
    'cli.run_search_query':
    (set(), {'atomic_file', 'cli', 'command_line', 'inference'}),
    'cli.run_search_serve': (set(),
                             {'cli', 'command_line', 'inference', 'serve'}),
    '__main__': (set(), {'cli'}),
    'ops.__init__': (set(), {'ops'}),
    'ops.runtime': (BASIC | KERNELS, set()),
    'ops.runtime.verdicts':
    (BASIC, {'atomic_file', 'json_file', 'ops.runtime', 'version'}),
    'ops.dispatch': (BASIC, {'extras', 'ops.runtime'}),
    'ops.self_check':
    (BASIC, {'ops.conv', 'ops.mixer', 'ops.norm', 'ops.runtime', 'ops.scan'}),
    'ops.conv': (BASIC | KERNELS, {'ops.dispatch', 'ops.runtime'}),
    'ops.norm': (BASIC | KERNELS, {'ops.dispatch', 'ops.runtime'}),
    'ops.scan': (BASIC | KERNELS, {'ops.dispatch', 'ops.runtime'}),
    'ops.mixer': (BASIC | KERNELS,
                  {'ops.conv', 'ops.dispatch', 'ops.runtime', 'ops.scan'}),
    'ops.clip_augment': (BASIC | KERNELS, {'ops.dispatch', 'ops.runtime'}),
    'ops.mamba_ssm_adapter':
    (BASIC | KERNELS, {'ops.conv', 'ops.mixer', 'ops.runtime', 'ops.scan'}),
    'ops.channels_first':
    (BASIC, {'ops.conv', 'ops.mixer', 'ops.norm', 'ops.runtime', 'ops.scan'}),
    'ops': (BASIC | KERNELS, set()),
    'checkpoints': ({
        'torch', 'numpy', 'mmengine', 'huggingface_hub', 'safetensors'
    }, {'atomic_file', 'compat', 'json_file'}),
    'models.__init__': (set(), {'models'}),
    'models.layers': (ENGINE, {'ops', 'registry'}),
    'models.backbones': (ENGINE | {'huggingface_hub'}, {
        'checkpoints', 'ops', 'registry', 'version', 'models.layers'
    }),
    'models.heads': (ENGINE | {'mmaction'}, {
        'checkpoints', 'ops', 'registry', 'upload', 'models.layers'
    }),
    'models.distillation': (ENGINE | {'mmaction', 'mmpretrain'}, {
        'checkpoints', 'loss_weight', 'ops', 'registry', 'models.layers'
    }),
    'models.masking': (ENGINE,
                       {'checkpoints', 'registry', 'upload', 'models.layers'}),
    'models.selfsup': (ENGINE | {'mmpretrain'}, {
        'loss_weight', 'ops', 'registry', 'models.layers', 'models.masking'
    }),
    'models.multimodal': (ENGINE, {
        'checkpoints', 'extras', 'free_memory', 'json_file', 'loss_weight',
        'ops', 'registry', 'upload', 'models.layers', 'models.masking'
    }),
    # Prompts are cleaned by the host's rule, as captions are.
    'models.multimodal.prompts': ({'mmaction'}, {'json_file'}),
    'datasets': (ENGINE
                 | {'cv2', 'PIL', 'mmaction', 'mmpretrain', 'torchvision'},
                 {'json_file', 'late_names', 'ops.clip_augment', 'registry'}),
    'datasets.video':
    (BASIC | {'av', 'cv2', 'decord', 'mmengine', 'torchcodec'}, {'extras'}),
    'datasets.preparation': (ENGINE | {'av', 'cv2'}, {
        'atomic_file', 'datasets', 'extras', 'json_file', 'late_names'
    }),
    'engine': (ENGINE | {'cv2', 'mmaction', 'mmpretrain'}, {
        'analysis.training_memory', 'atomic_file', 'checkpoints',
        'config_check', 'datasets', 'evaluation', 'exit_codes', 'folder_lock',
        'free_memory', 'ops.clip_augment', 'process_group', 'registry',
        'signals', 'user_error', 'visualization'
    }),
    # Imported by the drawing hook, at the first request of relevance.
    'engine.sample_relevance': (ENGINE, {
        'engine', 'inference.relevance', 'user_error'
    }),
    'engine.usable_cores': (set(), set()),
    'engine.step_graph': (ENGINE,
                          {'engine', 'models.backbones', 'ops', 'user_error'}),
    'visualization': (ENGINE | {'PIL', 'av', 'cv2', 'matplotlib'},
                      {'datasets.video'}),
    'inference': (ENGINE | {'cv2', 'PIL', 'mmaction', 'mmpretrain'},
                  {'datasets'}),
    'inference.predictor': (ENGINE, {
        'atomic_file', 'checkpoints', 'datasets', 'extras', 'inference',
        'json_file'
    }),
    'inference.relevance': ({'torch', 'mmaction', 'mmpretrain'},
                            {'inference', 'models', 'models.layers'}),
    'inference.search': ({'numpy', 'torch'}, {
        'atomic_file', 'datasets', 'folder_lock', 'inference',
        'inference.video_text', 'json_file'
    }),
    'inference.saved': (ENGINE, {
        'checkpoints', 'command_line', 'datasets', 'inference', 'json_file',
        'models', 'version'
    }),
    'inference.video_text': (BASIC, {
        'checkpoints', 'datasets', 'inference', 'models', 'models.multimodal'
    }),
    'deployment': (BASIC | {
        'executorch', 'mmaction', 'mmengine', 'mmpretrain', 'onnx',
        'onnxruntime'
    }, {'compat', 'extras', 'inference', 'models', 'ops.dispatch', 'version'}),
    'serve': (ENGINE | {'anyio', 'cv2', 'starlette'},
              {'datasets.video', 'extras', 'inference', 'visualization'}),
    'visualization.cam': ({'torch'}, {'models.backbones', 'models.layers'}),
    'evaluation': (ENGINE | {'mmaction'}, {'datasets', 'registry'}),
    'timm': ({'timm', 'torch'}, {'checkpoints', 'extras', 'models.backbones'}),
}


def module_of(path: Path) -> str:
    """Return the module name below the package, '' for the package itself."""
    parts = path.relative_to(ROOT / PACKAGE).with_suffix('').parts
    return '.'.join(parts)


def room_of(module: str) -> str:
    """Return the room of a module name: the longest matching name."""
    rooms = [r for r in ROOMS if f'{module}.'.startswith(f'{r}.')]
    return max(rooms, key=len, default='')


def absolute(path: Path, node: ast.ImportFrom) -> str:
    """Resolve a relative import to its full name."""
    if not node.level:
        return node.module or ''
    parts = [PACKAGE, *module_of(path).split('.')]
    base = parts[:len(parts) - node.level]
    return '.'.join(base + ([node.module] if node.module else []))


def imports_of(path: Path, tree: ast.AST) -> Iterator[str]:
    """Yield the full name of every module imported by a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(path, node)
            yield from (f'{base}.{alias.name}' for alias in node.names)


def check(path: Path, source: str) -> List[str]:
    """Return the imports of a file forbidden by the table."""
    room = room_of(module_of(path))
    assert room, f'{path} is in no room of the table: add it to ROOMS'
    outside, ours = ROOMS[room]
    wrong = []
    for name in imports_of(path, ast.parse(source)):
        top, _, rest = name.partition('.')
        if top == PACKAGE:
            target = room_of(rest)
            if not rest or target in ('', '__init__'):
                target = rest
            allowed = ours | {room}
            if not any(f'{target}.'.startswith(f'{r}.') for r in allowed):
                wrong.append(name)
        elif top not in outside and top not in sys.stdlib_module_names:
            wrong.append(name)
    return wrong


@pytest.mark.parametrize('path', FILES, ids=module_of)
def test_rooms(path: Path) -> None:
    """No file imports against the table."""
    assert check(path, path.read_text()) == []


@pytest.mark.parametrize('path', FILES, ids=module_of)
def test_no_import_dodges_a_cycle(path: Path) -> None:
    """Our own modules are imported at the top of a file only."""
    tree = ast.parse(path.read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    for function in (n for n in ast.walk(tree) if isinstance(n, functions)):
        late = [n for n in imports_of(path, function) if PACKAGE in n]
        assert not late, f'{function.name} imports {late}'


@pytest.mark.parametrize('path', FILES, ids=module_of)
def test_kernel_packages_have_their_files(path: Path) -> None:
    """Optional packages are imported only in files named after them."""
    names = set(imports_of(path, ast.parse(path.read_text())))
    tops = {name.partition('.')[0] for name in names}
    kernels = dict(
        triton='triton',
        numba='numba',
        llvmlite='numba',
        mamba_ssm='mamba_ssm',
        causal_conv1d='mamba_ssm')
    for package, word in kernels.items():
        assert package not in tops or word in str(module_of(path)), path


@pytest.mark.parametrize('path, source, wrong', [
    ('ops/new.py', 'import mmengine', ['mmengine']),
    ('ops/new.py', 'from ..models import layers',
     ['mmvideomamba.models.layers']),
    ('ops/new.py', 'from .dispatch import resolve\nimport math', []),
    ('models/layers/new.py', 'from mmaction.models import x',
     ['mmaction.models.x']),
    ('models/layers/new.py', 'from ..backbones import VideoMamba',
     ['mmvideomamba.models.backbones.VideoMamba']),
    ('models/backbones/new.py',
     'from ..layers import a\nfrom mmvideomamba.registry import MODELS', []),
    ('models/heads/new.py', 'from mmvideomamba.models import VideoMamba',
     ['mmvideomamba.models.VideoMamba']),
    ('models/heads/new.py', 'def f():\n    from ..backbones import x',
     ['mmvideomamba.models.backbones.x']),
    ('checkpoints/new.py', 'from ..models.layers import x',
     ['mmvideomamba.models.layers.x']),
    ('compat/new.py', 'from ..registry import MODELS',
     ['mmvideomamba.registry.MODELS']),
    ('registry.py', 'import mmvideomamba.ops.dispatch',
     ['mmvideomamba.ops.dispatch']),
    ('datasets/transforms/new.py', 'import tools.train', ['tools.train']),
])
def test_the_check_itself(path: str, source: str, wrong: List[str]) -> None:
    """The check finds forbidden imports, and no others."""
    assert check(ROOT / PACKAGE / path, source) == wrong
