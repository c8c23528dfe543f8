"""The benchmark of the judge runs, and compares like with like."""
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / 'benchmarks'


def test_tiny_run(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import rerank
    out = tmp_path / 'rerank.md'
    rerank.main(['--tiny', '--dtypes', 'float32', '--out', str(out)])
    lines = out.read_text().splitlines()
    head = next(line for line in lines if line.startswith('| word')).split('|')
    rows = [
        dict(zip(map(str.strip, head), map(str.strip, line.split('|'))))
        for line in lines if '| float32 |' in line and 'cpu' in line
    ]
    base, now, halved = rows
    assert [row['judge'] for row in rows] == ['base', 'now', 'now']
    assert halved['tokens wait on'] == 'cpu, bfloat16'
    assert base['ratio'] == '' and float(now['ratio']) > 0
    # Rounding alone; the logits themselves differ by far more.
    assert float(now['largest difference']) < 1e-5 < float(now['spread'])
    assert 1e-5 < float(halved['largest difference']) < 0.1
    assert now['same first'] == '100.0%'
    assert any(line.startswith('| float32 |') for line in lines)


def test_comparison_sees_another_order(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from rerank import RetrievalScores, compare
    base = torch.tensor([[3., 1., -100.], [1., 2., -100.]])
    other = torch.tensor([[3., 1., -100.], [2., 1.5, -100.]])
    same = compare(*[RetrievalScores(base, base, base.t())] * 2)
    assert same['worst'] == 0 and same['first'] == same['order'] == 1
    found = compare(*[RetrievalScores(x, x, x.t()) for x in (other, base)])
    assert found['worst'] == 1
    # One of two videos; of three texts the second, the third is not judged.
    assert found['first'] == found['order'] == pytest.approx(4 / 5)
