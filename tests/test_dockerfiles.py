"""Dockerfiles agree with setup.cfg and with the files of the repository."""
import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List, Tuple

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mmvideomamba.cli.main import build_parser
from mmvideomamba.extras import declared, requirements

ROOT = Path(__file__).parents[1]
FILES = ['docker/Dockerfile', 'docker/cpu.Dockerfile']
# Python of PyTorch's base images, based on Ubuntu 24.04.
IMAGE_PYTHON = '3.12'


def read(path: str) -> Tuple[str, Dict[str, str]]:
    """Return the steps of a file, lines joined, and the arguments."""
    lines = (ROOT / path).read_text().splitlines()
    text = '\n'.join(line for line in lines if not line.startswith('#'))
    text = text.replace('\\\n', ' ')
    return text, dict(re.findall(r'^ARG (\w+)=(\S*)$', text, re.M))


def ranges(name: str) -> SpecifierSet:
    """Return the range of a required package."""
    needs = [Requirement(text) for extra, text in declared().rows if not extra]
    found, = [need.specifier for need in needs if need.name == name]
    return found


@pytest.mark.parametrize('path', FILES)
def test_versions(path: str) -> None:
    """Python, torch and setuptools of an image are in the declared ranges."""
    text, arguments = read(path)
    python = arguments.get('PYTHON', IMAGE_PYTHON)
    assert f'{python}.0' in SpecifierSet(declared().python)
    assert arguments['TORCH'] in ranges('torch')
    assert f"'setuptools{_written('setuptools')}'" in text
    table = (ROOT / 'docs/compatibility.md').read_text()
    row = re.search(r'^\| torch, torchvision \|.*$', table, re.M)
    assert row and arguments['TORCH'] in row[0]


def _written(name: str) -> str:
    """Return the range of a required package as in setup.cfg."""
    found, = [
        text[len(name):] for extra, text in declared().rows
        if not extra and Requirement(text).name == name
    ]
    return found


@pytest.mark.parametrize('path', FILES)
def test_extras(path: str) -> None:
    """The extras of an image exist."""
    names = read(path)[1]['EXTRAS'].split(',')
    assert len(names) == len(set(names)) and all(map(requirements, names))


def test_torchvision_belongs_to_torch() -> None:
    """torchvision 0.N + 15 belongs to torch 2.N, patches included."""
    arguments = read('docker/cpu.Dockerfile')[1]
    major, minor, patch = map(int, arguments['TORCH'].split('.'))
    assert major == 2
    assert arguments['TORCHVISION'] == f'0.{minor + 15}.{patch}'


def _ignored() -> List[str]:
    lines = (ROOT / '.dockerignore').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


@pytest.mark.parametrize('path', FILES)
def test_copied_files(path: str) -> None:
    """Copied files exist and are not left out; requirements come first."""
    text, _ = read(path)
    copies = re.findall(r'^COPY (.*) \S+$', text, re.M)
    sources = [source for copy in copies for source in copy.split()]
    assert sources[-1] == '.' and len(sources) > 3
    for source in sources[:-1]:
        assert (ROOT / source).is_file() and source not in _ignored()
    assert text.index('pip install ".${EXTRAS') < text.index('COPY . .')
    # The wheel needs the folders behind the links in .mim.
    assert not {'configs', 'tools', 'demo', 'mmvideomamba'} & set(_ignored())


@pytest.mark.parametrize('path', FILES)
def test_user_and_command(path: str) -> None:
    """The command of the package runs, not as root."""
    text, _ = read(path)
    user, = re.findall(r'^USER (\d+):(\d+)$', text, re.M)
    assert '0' not in user and f'--uid {user[0]} ' in text
    assert 'ENTRYPOINT ["mmvideomamba"]\nCMD ["--help"]' in text
    with pytest.raises(SystemExit) as end:
        build_parser().parse_args(['--help'])
    assert end.value.code == 0


def test_linted() -> None:
    """hadolint has no remark."""
    program = shutil.which('hadolint')
    if program is None:
        pytest.skip('hadolint is not installed')
    done = subprocess.run([program, *(str(ROOT / path) for path in FILES)],
                          capture_output=True,
                          text=True,
                          check=False)
    assert done.returncode == 0, done.stdout
