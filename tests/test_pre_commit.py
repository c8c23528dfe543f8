"""pre-commit and the public workflows run what ``make`` runs."""
import re
import shlex
import subprocess
from pathlib import Path
from typing import Dict, Iterator, List

import pytest
import yaml

ROOT = Path(__file__).parents[1]
# pre-commit hands files over, a few to each of its processes.
FOLDERS_ONLY = {'--recursive', '--parallel'}


def lint_lines() -> Iterator[List[str]]:
    """Yield the words of each command of ``make lint``."""
    rule = re.search(r'^lint:.*\n((?:\t.*\n)+)',
                     (ROOT / 'Makefile').read_text(), re.M)
    assert rule is not None
    for line in rule[1].replace('\\\n', ' ').splitlines():
        yield shlex.split(line.replace('$(BIN)/', ''))


def tool(words: List[str]) -> str:
    """Name the tool of a command, by its module or program."""
    return words[2] if words[:2] == ['python', '-m'] else words[0]


def options(words: List[str]) -> List[str]:
    """Return the options and their values, without files and folders."""
    after = words[words.index(tool(words)) + 1:]
    return [
        x for x in after
        if x not in FOLDERS_ONLY and x != '$(SOURCES)' and not (ROOT /
                                                                x).exists()
    ]


def hooks() -> Dict[str, dict]:
    """Return the hooks by the name of their tool."""
    config = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())
    repo, = config['repos']
    assert repo['repo'] == 'local'
    return {tool(shlex.split(hook['entry'])): hook for hook in repo['hooks']}


def test_hooks_are_the_commands_of_make_lint() -> None:
    commands = {tool(words): words for words in lint_lines()}
    assert len(commands) >= 6 and list(hooks()) == list(commands)
    for name, hook in hooks().items():
        entry = shlex.split(hook['entry'])
        assert options(entry) == options(commands[name]), name
        assert hook['language'] == 'system', name


@pytest.mark.skipif(not (ROOT / '.git').exists(), reason='no clone')
def test_hooks_see_the_files_of_make_lint() -> None:
    """Every tracked file below the paths of a command is a hook's."""
    sources = re.search(r'^SOURCES := (.*)$', (ROOT / 'Makefile').read_text(),
                        re.M)
    assert sources is not None
    tracked = subprocess.run(['git', 'ls-files'],
                             cwd=ROOT,
                             capture_output=True,
                             text=True,
                             check=True).stdout.splitlines()
    for words in lint_lines():
        hook = hooks()[tool(words)]
        paths = ' '.join(words).replace('$(SOURCES)', sources[1]).split()
        places = [x for x in paths if not x.startswith('-')]
        for file in tracked:
            if hook.get('types') == ['python'] and not file.endswith('.py'):
                continue
            inside = any(file == x or file.startswith(f'{x}/') for x in places)
            assert inside == bool(re.search(hook['files'], file)), file


def test_workflows_call_make() -> None:
    """Each workflow runs a target; the tests run on every Python."""
    found: Dict[str, dict] = {}
    for path in (ROOT / '.github' / 'workflows').glob('*.yml'):
        job, = yaml.safe_load(path.read_text())['jobs'].values()
        found[path.stem] = job
        runs = [step['run'] for step in job['steps'] if 'run' in step]
        target = dict(tests='test').get(path.stem, path.stem)
        assert runs[-1] == f'make {target}'
        uses = [step['uses'] for step in job['steps'] if 'uses' in step]
        assert uses and all(re.search(r'@v\d+$', use) for use in uses)
    assert set(found) == {'lint', 'tests', 'docs'}
    setup = (ROOT / 'setup.cfg').read_text()
    pythons = re.findall(r'Python :: (3\.\d+)', setup)
    assert found['tests']['strategy']['matrix']['python'] == pythons
