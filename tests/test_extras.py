"""A missing extra gives one line with a working command."""
import ast
import importlib.metadata
import re
import shlex
from email.message import Message
from pathlib import Path
from typing import Any, Callable, Iterator, List, Tuple

import pytest
from absent import make_absent
from packaging.requirements import Requirement
from script import load_script

from mmvideomamba import extras
from mmvideomamba.command_line import user_errors
from mmvideomamba.datasets.preparation import clip_set, quickstart_scene
from mmvideomamba.datasets.video.choice import READERS, reader_class
from mmvideomamba.deployment import FORMATS, check_formats
from mmvideomamba.extras import MissingExtraError, install_command, require
from mmvideomamba.inference.predictor.exported_file import _open_onnx
from mmvideomamba.inference.predictor.tables import check_table
from mmvideomamba.models.multimodal.tokenizer import TextTokenizer
from mmvideomamba.ops.dispatch import _check_mamba_ssm

ROOT = Path(__file__).parents[1]
NAMES = sorted({name for name, _ in extras.declared().rows if name})


def clear_caches() -> None:
    """Let the requirements be read anew."""
    extras.declared.cache_clear()
    install_command.cache_clear()


@pytest.fixture
def wheel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Message]:
    """Pretend an installed wheel, without a clone around."""
    message = Message()
    message['Requires-Python'] = '>=3.10'
    monkeypatch.setattr(extras, '_CHECKOUT', Path('/no/setup.cfg'))
    monkeypatch.setattr(importlib.metadata, 'metadata', lambda name: message)
    clear_caches()
    yield message
    clear_caches()


def _packages(command: str) -> List[Requirement]:
    """Parse a command as a shell and pip do."""
    pip, install, *needs = shlex.split(command)
    assert (pip, install) == ('pip', 'install')
    return [Requirement(need) for need in needs]


@pytest.mark.parametrize('extra', NAMES)
def test_commands(extra: str) -> None:
    """A command holds setup.cfg's requirements, and never this package."""
    packages = _packages(install_command(extra))
    declared = [
        Requirement(text) for name, text in extras.declared().rows
        if name == extra
    ]
    here = [d for d in declared if d.marker is None or d.marker.evaluate()]
    assert [(p.name, p.specifier) for p in packages] == [(d.name, d.specifier)
                                                         for d in here]
    assert all(package.marker is None for package in packages)
    assert 'mmvideomamba' not in {package.name for package in packages}
    assert "'" not in install_command(extra)


def test_a_wheel(wheel: Message) -> None:
    """setuptools' metadata is read; markers of other machines count."""
    for text in ('torch>=2.6', 'moviepy==1.0.3; extra == "demo"',
                 'a<2,>=1; python_version >= "3.0" and extra == "demo"',
                 'b; (sys_platform == "no" or os_name == "no") and '
                 'extra == \'demo\'', 'c; os_name == "no"'):
        wheel['Requires-Dist'] = text
    assert install_command('demo') == 'pip install moviepy==1.0.3 "a<2,>=1"'
    python, rows = extras.declared()
    assert python == '>=3.10'
    assert [row for row in rows if not row[0]] == [('', 'torch>=2.6'),
                                                   ('', 'c; os_name == "no"')]
    with pytest.raises(ValueError, match="no extra 'timm'; it has demo"):
        install_command('timm')


def test_another_setup_cfg(wheel: Message, tmp_path: Path,
                           monkeypatch: pytest.MonkeyPatch) -> None:
    """A setup.cfg of another project next to the package is not read."""
    (tmp_path / 'setup.cfg').write_text('[metadata]\nname = other\n')
    monkeypatch.setattr(extras, '_CHECKOUT', tmp_path / 'setup.cfg')
    wheel['Requires-Dist'] = 'x; extra == "demo"'
    assert install_command('demo') == 'pip install x'


def test_a_broken_package(tmp_path: Path,
                          monkeypatch: pytest.MonkeyPatch) -> None:
    """A package failing at import is called broken, not missing."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'broken_a.py').write_text('raise ImportError("no lib\\nx")')
    (tmp_path / 'broken_b.py').write_text('import no_such_package')
    with pytest.raises(
            MissingExtraError,
            match=r'^it needs broken_a, which cannot be loaded \(no lib\): '):
        require('broken_a', 'demo', 'it')
    with pytest.raises(MissingExtraError, match='No module.*no_such_package'):
        require('broken_b', 'demo', 'it')


def _tokenizer(folder: Path) -> Any:
    words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a']
    (folder / 'vocab.txt').write_text('\n'.join(words))
    return TextTokenizer(str(folder), 8, vocab_size=6, positions=8).word_pieces


# The call of a user, the absent packages, and the extra in the error.
CALLS: List[Tuple[Callable[[Path], Any], Tuple[str, ...], str]] = [
    (lambda folder: clip_set.ffmpeg_binary.__wrapped__(), ('imageio_ffmpeg', ),
     'quickstart'),
    (lambda folder: quickstart_scene.load_picture('no_such.png'),
     ('skimage', ), 'quickstart'),
    (lambda folder: load_script('tools/data/digits/make_digits.py').
     read_digits(), ('sklearn', ), 'quickstart'),
    (_tokenizer, ('tokenizers', ), 'multimodal'),
    (lambda folder: check_table(folder / 'a.parquet'), ('pyarrow', ),
     'parquet'),
    (lambda folder: check_formats(['onnx']), ('onnxscript', ), 'export'),
    (lambda folder: _open_onnx(str(folder / 'a.onnx')), ('onnxruntime', ),
     'export'),
    (lambda folder: reader_class.__wrapped__('torchcodec'), ('torchcodec', ),
     'torchcodec'),
    (lambda folder: reader_class.__wrapped__('decord'), ('decord', ),
     'decord'),
]


@pytest.mark.parametrize(
    'call, packages, extra', CALLS, ids=lambda value: str(value)[:20])
def test_missing_packages(call: Callable[[Path], Any], packages: Tuple[str,
                                                                       ...],
                          extra: str, tmp_path: Path,
                          monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is one line with package and command, for tools as well."""
    make_absent(monkeypatch, *packages)
    with pytest.raises(SystemExit) as caught, user_errors():
        call(tmp_path)
    line = str(caught.value)
    assert line.startswith('error: ') and '\n' not in line
    assert packages[0] in line and install_command(extra) in line
    cause = caught.value.__cause__
    assert isinstance(cause, MissingExtraError)
    assert isinstance(cause, ImportError)


def test_the_cuda_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason of an unusable backend holds the command."""
    monkeypatch.setattr('mmvideomamba.ops.dispatch._absent', list)
    assert f'({install_command("cuda")})' in _check_mamba_ssm(None)


def _extras_in(tree: ast.AST) -> Iterator[str]:
    """Yield the names of extras in calls of the functions of ``extras``."""
    places = dict(require=1, missing_extra=0, install_command=0)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            place = places.get(node.func.id)
            if place is not None and isinstance(node.args[place],
                                                ast.Constant):
                yield str(ast.literal_eval(node.args[place]))


def test_every_extra_exists() -> None:
    """Names in the code are names in setup.cfg."""
    used = set()
    for folder in ('mmvideomamba', 'tools', 'demo'):
        for path in (ROOT / folder).rglob('*.py'):
            text = path.read_text()
            if 'mmvideomamba.extras' in text:
                used |= set(_extras_in(ast.parse(text)))
    used |= {info.extra for info in READERS.values()} - {''}
    used |= {kind.extra for kind in FORMATS.values()} - {''}
    assert {'cuda', 'export', 'multimodal', 'parquet', 'quickstart', 'timm'
            } < used <= set(NAMES)


def _texts() -> Iterator[Path]:
    for name in ('mmvideomamba', 'tools', 'demo', 'configs', 'docs',
                 'README.md', 'CONTRIBUTING.md'):
        path = ROOT / name
        for file in [path] if path.is_file() else path.rglob('*'):
            if file.suffix in ('.py', '.sh', '.md') and file.is_file():
                yield file


def test_no_command_names_the_package() -> None:
    """No index has the package; commands in pages have the declared ranges."""
    ours = {
        Requirement(text).name: Requirement(text)
        for name, text in extras.declared().rows if name
    }
    found = 0
    for path in _texts():
        text = path.read_text()
        assert not re.search(r'''install[^\n]*["']mmvideomamba\[''',
                             text) or path.name == 'extras.py', path
        if path.suffix != '.md' or path.name == 'from_published.md':
            continue
        for words in re.findall(r'pip install ((?:"[^"\n]+" ?)+)', text):
            for need in map(Requirement, shlex.split(words)):
                if need.name in ours:
                    assert need == ours[need.name], f'{path}: {need}'
                    found += 1
    assert found >= 5
