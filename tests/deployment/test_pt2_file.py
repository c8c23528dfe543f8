"""Files of torch.export that do not run have an error of one line."""
from pathlib import Path

import pytest
import torch

from mmvideomamba.deployment import pt2_file


@pytest.mark.parametrize('script, words', [
    ('raise OSError("a\\nb: no archive")', 'b: no archive$'),
    ('raise SystemExit(2)', 'no message$'),
])
def test_a_file_that_does_not_run(script: str, words: str, tmp_path: Path,
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the last line of the process of its own."""
    monkeypatch.setattr(pt2_file, '_CONSUMER', script)
    path = tmp_path / 'model.pt2'
    with pytest.raises(ValueError, match=f'own: {words}') as error:
        pt2_file.PT2.check(path, [torch.zeros(1)])
    assert str(path) in str(error.value) and '\n' not in str(error.value)
