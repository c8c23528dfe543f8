"""The two ways of the benchmark give the same clips."""
from pathlib import Path
from types import ModuleType
from typing import Callable

import torch

from mmvideomamba.datasets.preparation import NoiseSettings, make_noise_set
from mmvideomamba.engine.loops.packed_batch import PackedCollate


def test_two_ways_of_the_same_clips(bench: Callable[[str], ModuleType],
                                    tmp_path: Path) -> None:
    script = bench('worker_batches')
    make_noise_set(tmp_path / 'set', NoiseSettings('kinds', 144, 18, 18))
    batches, times = [], []
    for packed in (False, True):
        loader = script.make_loader(tmp_path / 'set', 1, packed)
        assert isinstance(loader.collate_fn, PackedCollate) == packed
        batches.append(next(iter(loader))['inputs'])
        times.append(script.run_epoch(loader))
        del loader
    assert len(batches[0]) == len(batches[1]) == 128
    assert all(map(torch.equal, *batches))
    memories = [
        len({x.untyped_storage().data_ptr()
             for x in batch}) for batch in batches
    ]
    assert memories == [128, 1]
    assert all(len(found) == 3 and found[0] > 0 for found in times)
