"""Files of torch.export, .pt2."""
import io
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable, List, Sequence

import torch
from torch import Tensor

from .interface import KEY
from .program import Format, Outputs, Program, count_nodes

# A consumer: torch and nothing of ours.
_CONSUMER = """
import sys, torch
model, threads, inputs, outputs = sys.argv[1:]
torch.set_num_threads(int(threads))
module = torch.export.load(model).module()
with torch.no_grad():
    found = [module(x) for x in torch.load(inputs, weights_only=True)]
torch.save(found, outputs)
assert 'mmvideomamba' not in sys.modules
"""


def _write(program: Program, path: Path) -> int:
    # In memory first: on a full disk the writer of torch ends the process.
    # With a path under another suffix than .pt2 torch warns.
    buffer = io.BytesIO()
    torch.export.save(
        program.exported, buffer, extra_files={KEY: program.metadata})
    path.write_bytes(buffer.getbuffer())
    return count_nodes(program.exported.graph_module)


def _check(path: Path, inputs: Sequence[Tensor]) -> List[Outputs]:
    """Run a file in a separate process."""
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, 'inputs.pt'), Path(folder, 'outputs.pt')
        torch.save(list(inputs), given)
        command = [
            sys.executable, '-c', _CONSUMER,
            str(path.resolve()),
            str(torch.get_num_threads()),
            str(given),
            str(found)
        ]
        # python -c imports from the working folder, too: in a clone the
        # package would be found.
        run = subprocess.run(
            command, cwd=folder, capture_output=True, text=True)
        if run.returncode:
            lines = run.stderr.strip().splitlines() or ['no message']
            raise ValueError(f'{path} does not run in a process of its own: '
                             f'{lines[-1]}')
        return torch.load(found, weights_only=True)


def _open(path: Path) -> Callable[[Tensor], Outputs]:
    with path.open('rb') as file:
        module = torch.export.load(file).module()
    return lambda x: module(x)


PT2 = Format('.pt2', (), '', _write, _check, _open)
