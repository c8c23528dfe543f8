"""Recorded steps on two processes equal the steps of the host's wrapper."""
from pathlib import Path

import pytest
from preloaded_python import free_port, spawn
from step_graph_run import check_ranks, train_on_rank


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    spawn(train_on_rank, (str(tmp_path), free_port(), 'cpu'), 2)
    check_ranks(tmp_path)
