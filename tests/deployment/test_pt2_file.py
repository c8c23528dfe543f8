"""Failing files of torch.export have an error of one line."""
from pathlib import Path

import pytest
import torch

from mmvideomamba.deployment import pt2_file
from mmvideomamba.deployment.program import Program


@pytest.mark.parametrize('script, words', [
    ('raise OSError("a\\nb: no archive")', 'b: no archive$'),
    ('raise SystemExit(2)', 'no message$'),
])
def test_a_file_that_does_not_run(script: str, words: str, tmp_path: Path,
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the last line printed by the separate process."""
    monkeypatch.setattr(pt2_file, '_CONSUMER', script)
    path = tmp_path / 'model.pt2'
    with pytest.raises(ValueError, match=f'own: {words}') as error:
        pt2_file.PT2.check(path, [torch.zeros(1)])
    assert str(path) in str(error.value) and '\n' not in str(error.value)


@pytest.mark.skipif(
    not Path('/dev/full').exists(), reason='there is no disk without room')
def test_a_full_disk() -> None:
    """A full disk raises Python's OSError; the process goes on."""
    exported = torch.export.export(torch.nn.Linear(2, 2), (torch.ones(1, 2), ))
    program = Program(exported, '{}', ('features', ))
    with pytest.raises(OSError, match='No space left'):
        pt2_file.PT2.write(program, Path('/dev/full'))
