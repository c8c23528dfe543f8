"""Priority and threads, asked inside of workers."""
import os
from typing import Any, List

import cv2
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from mmvideomamba.engine.worker_priority import GiveWay, give_way


class Settings(Dataset):

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> List[int]:
        return [
            os.nice(0),
            torch.get_num_threads(),
            cv2.getNumThreads(),
            int(os.environ.get('STARTED', -1))
        ]


def start(worker: int) -> None:
    """Stand for the loader's own function."""
    os.environ['STARTED'] = str(worker)


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = cv2.getNumThreads()
    cv2.setNumThreads(0)  # as the runner sets it
    yield
    cv2.setNumThreads(before)


def rows(loader: Any) -> List[List[int]]:
    return [batch[0] for batch in loader]


@pytest.mark.parametrize('nice', [10, 0])
def test_settings_in_workers(nice: int) -> None:
    """Persistent workers keep the settings, in the second epoch too."""
    loader: Any = DataLoader(
        Settings(),
        num_workers=2,
        worker_init_fn=start,
        persistent_workers=True,
        collate_fn=list)
    give_way(loader, 1)
    give_way(loader, nice)  # replaces, and does not add
    own = os.nice(0)
    for _ in range(2):
        assert sorted(rows(loader)) == sorted(
            [min(own + nice, 19), 1, 1, i % 2] for i in range(4))
    assert os.nice(0) == own


def test_function_inside_of_another(monkeypatch: Any) -> None:
    """As the second run of a runner finds the loader."""
    now = [2]
    monkeypatch.setattr(os, 'nice',
                        lambda more: now.append(now[-1] + more) or now[-1])
    GiveWay(3, GiveWay(3))(0)
    assert now[-1] == 5


def test_threads_of_a_worker_that_is_no_fork() -> None:
    function = GiveWay(0)
    cv2.setNumThreads(3)  # stands for a new process
    function(0)
    assert cv2.getNumThreads() == 1


def test_without_niceness(monkeypatch: Any) -> None:
    monkeypatch.delattr(os, 'nice')
    called: List[int] = []
    GiveWay(10, called.append)(7)
    assert called == [7]
