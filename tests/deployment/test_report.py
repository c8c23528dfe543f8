"""The report of an export."""
import json
from pathlib import Path

from mmvideomamba.deployment.report import processor, versions, write_report

TENSORS = dict(
    inputs=[dict(name='image', dtype='uint8', shape=['batch', 16, 16, 3])],
    outputs=[dict(name='logits', dtype='float32', shape=['batch', 3])])


def test_report(tmp_path: Path) -> None:
    """Markdown and JSON hold the same values."""
    row = dict(
        kind='pt2',
        path='model.pt2',
        size=2_500_000,
        nodes=77,
        difference=2e-7,
        seconds=0.03)
    times = {'eager numba': 0.02, 'pt2': 0.03}
    write_report(tmp_path, [row], times,
                 dict(task='image-classification', tensors=TENSORS), 1e-3)
    text = (tmp_path / 'report.md').read_text()
    assert '| model.pt2 | 2.5 MB | 77 | 2.0e-07 | 30.0 ms |' in text
    assert '| pt2 | 30.0 ms | 1.50 |' in text
    assert '`image` uint8 (batch, 16, 16, 3)' in text
    found = json.loads((tmp_path / 'report.json').read_text())
    assert found['files'] == [row] and found['seconds'] == times
    assert found['versions'] == versions()
    assert found['threads'] >= 1 and found['processor'] == processor()
