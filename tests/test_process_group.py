"""Processes of a run end together."""
from pathlib import Path

import torch

from mmvideomamba.process_group import leave_process_group


def test_processes_part_at_the_end(tmp_path: Path) -> None:
    torch.distributed.init_process_group(
        'gloo', f'file://{tmp_path}/meet', rank=0, world_size=1)
    leave_process_group()
    assert not torch.distributed.is_initialized()
    leave_process_group()  # a run of one process has no group
