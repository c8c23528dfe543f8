"""``--help`` answers before slow imports."""
import os
import subprocess
import sys

import pytest
from script import ROOT, load_script

from mmvideomamba.checkpoints import HEADS

TOOLS = [
    str(path) for folder in ('tools', 'demo')
    for path in sorted((ROOT / folder).rglob('*.py'), key=str)
]
# A fork for each tool, so that mmengine.config is imported once.
FORKS = '''
import os, runpy, sys
import mmengine.config, mmvideomamba
assert 'torch' not in sys.modules
for path in sys.argv[1:]:
    child = os.fork()
    if not child:
        sys.argv = [path, '--help']
        sys.path[0] = os.path.dirname(path)
        sys.stdout = open(os.devnull, 'w')
        said = 1
        try:
            runpy.run_path(path, run_name='__main__')
        except SystemExit as end:
            said = 2 if 'torch' in sys.modules else end.code or 0
        finally:
            os._exit(said)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        print(path, code)
print('asked', len(sys.argv) - 1)
'''


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
def test_no_tool_imports_torch() -> None:
    done = subprocess.run([sys.executable, '-c', FORKS, *TOOLS],
                          env=dict(os.environ, PYTHONPATH=str(ROOT)),
                          capture_output=True,
                          text=True)
    assert done.stdout.split() == ['asked', str(len(TOOLS))], done
    assert len(TOOLS) > 20


def test_choices_are_those_of_the_package() -> None:
    """The converter repeats names, since their module loads torch."""
    converter = load_script('tools/model_converters/videomamba_to_mm.py')
    assert converter.TASKS == tuple(HEADS)
