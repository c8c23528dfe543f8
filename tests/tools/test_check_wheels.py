"""Requirements are resolved for the target machine, not for this one."""
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import List, Set

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from script import ROOT, load_script


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    return load_script('tools/check_wheels.py')


def names(needs: List[str]) -> Set[str]:
    """Return the names of requirements, as pip compares names."""
    return {canonicalize_name(Requirement(need).name) for need in needs}


def required_by(distribution: str) -> Set[str]:
    """Return the names in a distribution's metadata, without extras."""
    needs = map(Requirement, importlib.metadata.requires(distribution) or [])
    return names([
        str(need) for need in needs if need.marker is None
        or need.marker.evaluate(dict(extra='', python_version='3.11'))
    ])


@pytest.mark.parametrize('machine', ['aarch64', 'arm64'])
def test_host_is_replaced_by_its_requirements(tool: ModuleType,
                                              machine: str) -> None:
    """We require all requirements of mmaction2 but decord."""
    environment = tool.environment_of(machine, '3.11')
    found = names(tool.needed_on(tool.declared([]), environment))
    assert not found & {'mmaction2', 'decord'}
    assert required_by('mmaction2') - {'decord'} <= found


@pytest.mark.parametrize('system, machine, with_host', [
    ('linux', 'x86_64', True),
    ('win32', 'AMD64', True),
    ('linux', 'aarch64', False),
    ('darwin', 'arm64', False),
    ('darwin', 'x86_64', False),
])
def test_host_is_required_where_decord_has_a_wheel(tool: ModuleType,
                                                   system: str, machine: str,
                                                   with_host: bool) -> None:
    environment = dict(
        tool.environment_of('aarch64', '3.11'),
        sys_platform=system,
        platform_machine=machine)
    found = tool.needed_on(tool.declared([]), environment)
    assert ('mmaction2==1.2.0' in found) == with_host


@pytest.mark.parametrize('name', ['moviepy'])
def test_sources_are_replaced_by_their_requirements(tool: ModuleType,
                                                    name: str) -> None:
    pytest.importorskip(name, reason='the extra demo is not installed')
    assert names(tool.SOURCES[name]) == required_by(name)
    found = tool.needed_on(
        tool.declared(['demo']), tool.environment_of('arm64', '3.12'))
    assert names(tool.SOURCES[name]) < names(found)
    assert name not in names(found)


def test_pip_resolves_for_the_other_machine(tool: ModuleType, monkeypatch,
                                            capsys) -> None:
    """Markers belong to the machine, and only wheels are taken."""
    calls = []

    def run(command: List[str], check: bool) -> None:
        calls.append(command)
        url = 'https://x/a-1-py3-none-any.whl'
        Path(command[command.index('--report') + 1]).write_text(
            json.dumps(dict(install=[dict(download_info=dict(url=url))])))

    monkeypatch.setattr(subprocess, 'run', run)
    monkeypatch.setattr(sys, 'argv', ['x', 'arm64', '--python', '3.12'])
    tool.main()
    assert 'a-1-py3-none-any.whl' in capsys.readouterr().out
    host, rest = calls
    assert host[-2:] == ['--no-deps', 'mmaction2==1.2.0']
    assert 'mmengine==0.10.7' in rest and 'tensorboard' in rest
    for command in calls:
        environment = json.loads(command[3])
        assert environment['platform_machine'] == 'arm64'
        assert environment['python_version'] == '3.12'
        assert 'macosx_11_0_arm64' in command
        assert {'--dry-run', '--only-binary=:all:'} < set(command)


def test_markers_reach_pip(tool: ModuleType) -> None:
    """The released pip can be given the markers of another machine."""
    code = tool.PIP.replace(
        'sys.exit(main(sys.argv[2:]))',
        'print(markers.Marker("platform_machine == \'arm64\'").evaluate())')
    for machine, found in (('arm64', 'True'), ('aarch64', 'False')):
        done = subprocess.run([
            sys.executable, '-c', code,
            json.dumps(tool.environment_of(machine, '3.11'))
        ],
                              capture_output=True,
                              text=True,
                              check=True)
        assert done.stdout.strip() == found


def test_docs_and_makefile_name_the_host(tool: ModuleType) -> None:
    """The docs install the required version of mmaction2."""
    host, = (need for need in tool.declared([]) if need.name == 'mmaction2')
    for page in ('README.md', 'docs/get_started.md'):
        text = (ROOT / page).read_text()
        assert f'pip install --no-deps mmaction2{host.specifier}' in text
    dry = subprocess.run(['make', '-n', 'VENV=absent', 'quickstart'],
                         cwd=ROOT,
                         capture_output=True,
                         text=True,
                         check=True)
    assert '--no-deps' in dry.stdout
