"""No config and no page of the docs addresses an item of a list by number.

Numbers break when a base config gains a step; ``mmvideomamba.config_edit``
finds items by type and refuses an unknown type.
"""
import ast
import re
import textwrap
from pathlib import Path
from typing import Iterator, List, Optional

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / 'configs').rglob('*.py'))
PAGES = sorted([
    *ROOT.glob('*.md'), *(ROOT / 'configs').rglob('*.md'),
    *(ROOT / 'docs').rglob('*.md'), *(ROOT / 'demo').rglob('*.md'),
    *(ROOT / 'tools').rglob('*.md')
])

# Names of lists in configs, as the last part of a dotted name.
LISTS = (r'(?:pipelines?|param_schedulers?|hooks|transforms|datasets|augments|'
         r'vis_backends|evaluators?|sources)')
# train_pipeline[1], loader.dataset.pipeline.1.clip_len, custom_hooks[-1:]
IN_TEXT = re.compile(
    rf'[\w.]*{LISTS}(?:\.\d+\b|\[-?\d[^\]]*\]|\[-?\d*:-?\d*\])')
# --cfg-options any.list.0.key=value
OPTION = re.compile(r'(?:[A-Za-z_]\w*\.)+\d+(?:\.\w+)*=')
FENCE = re.compile(r'^( *)```(\w*)\n(.*?)^ *```', re.S | re.M)


def is_number(node: ast.expr) -> bool:
    """Tell whether a subscript may be a number: not a text, not ``[::-1]``."""
    if isinstance(node, ast.Slice):
        return node.lower is not None or node.upper is not None
    return not (isinstance(node, ast.Constant) and isinstance(node.value, str))


def numbered_list(node: ast.AST) -> Optional[ast.expr]:
    """Return the list whose items an expression addresses by number."""
    if isinstance(node, ast.Subscript) and is_number(node.slice):
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        # A dict has a pop as well, of a text.
        to_list = node.func.attr == 'insert' or (
            node.func.attr == 'pop' and all(map(is_number, node.args)))
        return node.func.value if to_list else None
    if isinstance(node, ast.Assign):
        pairs = (ast.Tuple, ast.List)
        if isinstance(node.targets[0],
                      pairs) and not isinstance(node.value, pairs):
            return node.value
    return None


def numbered(source: str, strict: bool = True) -> List[str]:
    """Return the lists addressed by number in Python code.

    Args:
        source (str): The code.
        strict (bool): Whether no list at all may be addressed by number, the
            rule in a config file. Otherwise only lists with the names of
            ``LISTS`` count. Defaults to True.
    """
    found = map(numbered_list, ast.walk(ast.parse(source)))
    names = [ast.unparse(node) for node in found if node is not None]
    return [x for x in names if strict or re.search(LISTS + '$', x)]


def fences(page: str, language: str) -> Iterator[str]:
    """Yield the code blocks of a page in a language."""
    for _, name, code in FENCE.findall(page):
        if name == language:
            yield textwrap.dedent(code)


def numbered_in_page(page: str) -> List[str]:
    """Return the numbered items on a page of the docs."""
    wrong = IN_TEXT.findall(page)
    for code in fences(page, 'python'):
        # A block with a base config is a config.
        wrong += numbered(code, strict='_base_' in code)
    for code in (*fences(page, 'bash'), *fences(page, 'shell')):
        wrong += OPTION.findall(code)
    return wrong


@pytest.mark.parametrize(
    'path', CONFIGS, ids=[str(path.relative_to(ROOT)) for path in CONFIGS])
def test_config(path: Path) -> None:
    assert numbered(path.read_text()) == []
    assert IN_TEXT.findall(path.read_text()) == []  # in comments


@pytest.mark.parametrize(
    'path', PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES])
def test_page(path: Path) -> None:
    assert numbered_in_page(path.read_text()) == []


EXAMPLES = [(path, code) for path in PAGES
            for code in fences(path.read_text(), 'python')
            if code.startswith('_base_')]


@pytest.mark.parametrize('path, code', EXAMPLES)
def test_examples_of_the_docs_load(path: Path, code: str,
                                   tmp_path: Path) -> None:
    base = next(config for config in CONFIGS if config.name in code)
    child = tmp_path / 'child.py'
    child.write_text(code.replace(f'./{base.name}', str(base)))
    cfg = Config.fromfile(child)
    assert cfg.to_dict() != Config.fromfile(base).to_dict()


def test_docs_have_examples() -> None:
    assert len(EXAMPLES) >= 2


@pytest.mark.parametrize('code', [
    'train_pipeline[1].clip_len = 8',
    'train_pipeline[-1].update(keys=1)',
    'train_pipeline[1] = dict(type="A")',
    'rest = _base_.train_pipeline[1:]',
    'rest = _base_.train_pipeline[:-1]',
    'param_scheduler[0].update(dict(end=5))',
    'hook = _base_.custom_hooks[0]',
    'end = _base_["param_scheduler"][0]["end"]',
    'cfg.train_dataloader.dataset.datasets[0].pipeline = []',
    'index = 1\ntest_pipeline[index].clip_len = 8',
    'test_pipeline.insert(3, dict(type="A"))',
    'test_pipeline.pop(5)',
    'test_pipeline.pop()',
    'del test_pipeline[0]',
    'opener, *rest = _base_.train_pipeline',
    'model.train_cfg.augments[0].alpha = 0.1',
])
def test_numbers_are_found(code: str) -> None:
    assert len(numbered(f'_base_ = "x.py"\n{code}')) == 1
    page = f'Text.\n\n```python\n{code}\n```\n'
    assert numbered_in_page(page)


@pytest.mark.parametrize('code', [
    'mean = data_preprocessor["mean"][::-1]',
    'keys = _base_.optim_wrapper["paramwise_cfg"]',
    '_base_.model.pop("neck")',
    'edit(_base_, "*_pipeline", "UniformSample", clip_len=8)',
    'train_cfg, val_cfg = dict(), dict()',
    'embed_lr_mult = 0.75**25',
])
def test_what_is_allowed(code: str) -> None:
    assert numbered(code) == []


@pytest.mark.parametrize('page', [
    'Set `train_pipeline[1].clip_len` to 8.',
    'Set `test_dataloader.dataset.pipeline.1.num_clips` to 8.',
    '```bash\npython tools/train.py X --cfg-options '
    'train_pipeline.1.clip_len=8\n```',
    '- a list\n\n  ```bash\n  python tools/test.py X --cfg-options '
    '"optim_wrapper.list.0.lr=1"\n  ```',
    '```python\nfrom x import y\n_base_ = "a.py"\nsteps[0].size = 3\n```',
])
def test_numbers_are_found_in_pages(page: str) -> None:
    assert numbered_in_page(page)


@pytest.mark.parametrize('page', [
    '```python\nfirst = rows[0]\nscore = result.pred_score[3]\n```',
    '```bash\npython tools/train.py X --cfg-options model.dropout=0.5 '
    'custom.v1.x=2 lr=1.5\n```',
    'mmaction2 1.2.0 has 3 pipelines.',
])
def test_what_is_allowed_in_pages(page: str) -> None:
    assert numbered_in_page(page) == []
