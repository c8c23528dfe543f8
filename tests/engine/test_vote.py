"""A flag of any process is known to all processes one call later."""
from pathlib import Path

import pytest
import torch
from preloaded_python import spawn

from mmvideomamba.engine.vote import Vote


def test_one_process() -> None:
    vote = Vote(2)
    assert vote.result() == [False, False]
    vote.cast([True, False])
    assert vote.result() == [True, False]
    vote.cast([False, False])
    assert vote.result() == [False, False]


def test_settle_keeps_flags_under_way() -> None:
    vote = Vote(2)
    vote.cast([True, False])
    assert vote.settle([False, True]) == [True, True]


def work(rank: int, folder: str) -> None:
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2)
    vote = Vote(2)
    seen = [vote.result()]
    for step in range(3):
        vote.cast([rank == 0 and step == 1, rank == 1 and step == 2])
        seen.append(vote.result())
    seen.append(vote.settle([False, rank == 0]))
    torch.save(seen, Path(folder, f'{rank}.pth'))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    spawn(work, (str(tmp_path), ), 2)
    one, other = (torch.load(tmp_path / f'{rank}.pth') for rank in range(2))
    assert one == other
    assert one == [[False, False], [False, False], [True, False],
                   [False, True], [False, True]]
