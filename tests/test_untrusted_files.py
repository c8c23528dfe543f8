"""No part of the package uses a reader able to run code from a file."""
import ast
from pathlib import Path
from typing import Iterator

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    (path for folder in ('mmvideomamba', 'tools', 'demo')
     for path in (ROOT / folder).rglob('*.py') if '.mim' not in path.parts),
    key=str)

# Functions and types able to run code from files.
UNSAFE = ('pickle.load', 'pickle.loads', 'pickle.Unpickler', 'dill.',
          'cloudpickle.', 'joblib.', 'shelve.', 'marshal.', 'mmengine.load',
          'mmengine.fileio.load', 'fileio.load', 'torch.jit.load', 'eval',
          'exec', 'compile', 'yaml.load', 'yaml.unsafe_load', 'yaml.full_load',
          'runpy.', 'torch.hub.load', 'torch.hub.load_state_dict_from_url',
          'pandas.read_pickle', 'Config.fromstring', 'torch.package.',
          'torch.export.load', 'importlib.util.spec_from_file_location',
          'mmengine.utils.import_modules_from_strings')
# Calls made safe by an argument, to be given in every call.
GUARDED = {
    'torch.load': 'weights_only',
    'np.load': 'allow_pickle',
    'numpy.load': 'allow_pickle'
}
# Each exception has a line in docs/compatibility.md.
ALLOWED = {
    # The names of a pickle are looked up in a table, and nowhere else.
    ('mmvideomamba/checkpoints/plain_pickle.py', 'pickle.Unpickler'),
    # No file: what the training's own workers send through their pipe.
    ('mmvideomamba/engine/loops/packed_batch.py', 'pickle.Unpickler'),
    # The names in a pickle are looked up in a table, and nowhere else.
    ('mmvideomamba/doctor/traps.py', 'torch.load'),
    ('mmvideomamba/compat/checkpoint_types.py', 'torch.load'),
    # Times a file just written by the same export.
    ('mmvideomamba/deployment/pt2_file.py', 'torch.export.load'),
    # Opens the file named by the user; the docs warn of a stranger's file.
    ('mmvideomamba/inference/predictor/exported_file.py', 'torch.export.load'),
    # Names of the package and the hosts, others by an explicit option.
    ('mmvideomamba/engine/guard/replay_tool.py',
     'mmengine.utils.import_modules_from_strings'),
    # A host's tool, named by the user.
    ('tools/run_host.py', 'runpy.run_path'),
}


def dotted(node: ast.AST) -> str:
    """Return the dotted name of an expression, '' for others."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f'{inner}.{node.attr}' if inner else ''
    return ''


def imported(tree: ast.AST) -> dict:
    """Return the full name of every name imported by a file."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            room = '.' * node.level + (node.module or '')
            names.update(
                (a.asname or a.name, f'{room}.{a.name}') for a in node.names)
        elif isinstance(node, ast.Import):
            names.update((a.asname, a.name) for a in node.names if a.asname)
    return names


def unsafe_uses(source: str) -> Iterator[str]:
    """Yield the names of unsafe readers used by a file."""
    tree = ast.parse(source)
    names = imported(tree)
    calls = {id(n.func): n for n in ast.walk(tree) if isinstance(n, ast.Call)}
    for node in ast.walk(tree):
        first, _, rest = dotted(node).partition('.')
        name = '.'.join(filter(None, [names.get(first, first), rest]))
        if any(name == bad or bad.endswith('.') and name.startswith(bad)
               for bad in UNSAFE):
            yield name
        if name in GUARDED:
            call = calls.get(id(node))
            given = [k.arg for k in call.keywords] if call else []
            if GUARDED[name] not in given:
                yield name


@pytest.mark.parametrize(
    'path', FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_unsafe_reader(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    found = {(name, use) for use in unsafe_uses(path.read_text())}
    assert found - ALLOWED == set()


def test_exceptions_are_in_use() -> None:
    found = {(name, use)
             for name in {name
                          for name, _ in ALLOWED}
             for use in unsafe_uses((ROOT / name).read_text())}
    assert found == ALLOWED


@pytest.mark.parametrize('source, uses', [
    ('import pickle\npickle.load(f)', ['pickle.load']),
    ('from pickle import loads as l\nl(b)', ['pickle.loads']),
    ('import torch as t\nt.load(f)', ['torch.load']),
    ('import torch\ntorch.load(f, weights_only=True)', []),
    ('import torch\nread = torch.load', ['torch.load']),
    ('import numpy as np\nnp.load(f)', ['numpy.load']),
    ('import mmengine\nmmengine.load(f)', ['mmengine.load']),
    ('from mmengine.fileio import load\nload(f)', ['mmengine.fileio.load']),
    ('model.eval()', []),
    ('eval(text)', ['eval']),
])
def test_unsafe_uses(source: str, uses: list) -> None:
    assert list(unsafe_uses(source)) == uses


def test_no_message_advises_to_switch_protection_off() -> None:
    for path in [*FILES, *ROOT.glob('docs/*.md'), *ROOT.rglob('configs/*.md')]:
        for line in path.read_text().splitlines():
            assert 'weights_only=False' not in line or any(
                word in line for word in ('switch', 'never')), (path, line)
