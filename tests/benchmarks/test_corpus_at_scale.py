"""The simulation of a large corpus, with a small one."""
import argparse
import queue
from pathlib import Path

import pytest
from script import load_script

from mmvideomamba.datasets.samplers import placed_sampler, shard_sampler


@pytest.mark.parametrize('kind', ['tar', 'jsonl', 'sqlite', 'json'])
def test_each_source(tmp_path: Path, monkeypatch, kind: str) -> None:
    benchmark = load_script('benchmarks/corpus_at_scale.py')
    for module in (shard_sampler, placed_sampler):  # to be restored
        monkeypatch.setattr(module, 'get_dist_info', lambda: (0, 1))
    for name, value in dict(
            SHARD_SAMPLES=20, BATCH=2, TO_COUNT=2, LIST_SAMPLES=100).items():
        monkeypatch.setattr(benchmark, name, value)
    benchmark.write_corpus(tmp_path, 200)
    results: queue.Queue = queue.Queue()
    args = argparse.Namespace(folder=tmp_path, ranks=2, workers=2, batches=6)
    benchmark.run(kind, args, results)
    rows = results.get()
    count = 100 if kind == 'json' else 200
    assert rows['samples'] == str(count)
    drawn = rows['samples drawn per epoch, never / once / twice']
    assert drawn == f'0 / {count} / 0'
    assert rows['the next 10 batches are those of the whole epoch'] == 'yes'
    assert ('start that counts 2 shards' in rows) == (kind == 'tar')
