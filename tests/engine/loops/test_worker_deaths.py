"""A dying worker loses its sample, not the run."""
import os
import signal
from pathlib import Path
from typing import Any, List

import pytest
from mmengine.dataset import BaseDataset
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from mmvideomamba.datasets.bad_media import BadMediaMixin
from mmvideomamba.datasets.bad_medium import KEY
from mmvideomamba.engine.loops.resumable_loader import ResumableLoader
from mmvideomamba.engine.loops.worker_deaths import dead_workers

pytestmark = pytest.mark.slow


class Deadly:
    """A pipeline step; a video named 'deadly' kills the process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, results: dict) -> dict:
        name = results['filename']
        if name.startswith('once') and not (self.folder / name).exists():
            (self.folder / name).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith('deadly'):
            os.kill(os.getpid(), signal.SIGSEGV)
        from mmengine.structures import BaseDataElement
        return dict(inputs=name, data_samples=BaseDataElement())


class Videos(BadMediaMixin, BaseDataset):
    """Videos by name."""

    def load_data_list(self) -> List[dict]:
        return [dict(filename=name) for name in self.ann_file.split()]


def videos(folder: Path, names: List[str], policy: str = 'replace') -> Any:
    return Videos(
        ' '.join(names),
        pipeline=[Deadly(folder)],
        bad_media=policy,
        max_bad_share=1.,
        test_mode=policy == 'report',
        serialize_data=False)


def loader(dataset: Any, **kwargs) -> ResumableLoader:
    return ResumableLoader(
        DataLoader(dataset, batch_size=2, collate_fn=list, **kwargs), 3)


def read(one: ResumableLoader) -> list:
    return [sample for batch in one for sample in batch]


@pytest.mark.parametrize('persistent', [False, True])
def test_deadly_sample_is_replaced(tmp_path: Path, persistent: bool) -> None:
    """With the same replacement for any number of workers."""
    names = ['a', 'b', 'c', 'deadly', 'e', 'f']
    found = []
    for workers in (1, 2):
        one = loader(
            ConcatDataset([
                videos(tmp_path, ['x', 'y']),
                videos(tmp_path, names),
            ]),
            num_workers=workers,
            persistent_workers=persistent)
        samples = read(one)
        assert [x['inputs'] for x in samples[:5]] == ['x', 'y', *'abc']
        assert [x['inputs'] for x in samples[6:]] == ['e', 'f']
        assert samples[5]['inputs'] in 'abcef'
        (bad, ) = samples[5]['data_samples'].get(KEY)
        assert (bad.file, bad.sample) == ('deadly', 3)
        assert bad.fault == 'ended the process that read it, twice'
        # No death in the next epoch.
        one.set_epoch(1)
        assert len(read(one)) == 8
        found.append([x['inputs'] for x in samples])
    assert found[0] == found[1]


def test_validation_leaves_the_sample_out(tmp_path: Path) -> None:
    dataset = videos(tmp_path, ['a', 'deadly', 'c'], 'report')
    dataset.watched = True
    samples = read(loader(dataset, num_workers=1))
    assert [x['data_samples'].sample_idx for x in samples] == [0, 1, 2]
    assert samples[1]['data_samples'].get(KEY)[0].file == 'deadly'


def test_worker_that_was_killed_once_costs_nothing(tmp_path: Path) -> None:
    names = ['a', 'once', 'c', 'd']
    samples = read(loader(videos(tmp_path, names), num_workers=1))
    assert [x['inputs'] for x in samples] == names
    assert not any(KEY in x['data_samples'] for x in samples)


def test_policy_raise_names_the_file(tmp_path: Path) -> None:
    dataset = videos(tmp_path, ['a', 'deadly', 'c'], 'raise')
    with pytest.raises(Exception, match='deadly ended the process that read'):
        read(loader(dataset, num_workers=1))


class Plain(Dataset):
    """A data set without a policy."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> int:
        if index == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        if index == 7:
            raise RuntimeError('an own error')
        return index


def test_data_set_without_a_policy_ends_with_the_number() -> None:
    with pytest.raises(RuntimeError, match='2 times at sample 2; look at'):
        read(loader(Plain(), num_workers=1))


def test_other_errors_are_passed_on() -> None:
    one = loader(Plain(), num_workers=1, sampler=[0, 7])
    with pytest.raises(RuntimeError, match='an own error'):
        read(one)


def die(worker: int) -> None:
    os._exit(3)


def test_workers_that_die_without_a_sample() -> None:
    """For lack of memory at the start, say."""
    one = loader(Plain(), num_workers=1, worker_init_fn=die)
    with pytest.raises(RuntimeError, match='exited unexpectedly'):
        read(one)


def test_messages_of_torch() -> None:
    text = 'DataLoader worker (pid(s) 12, 34) exited unexpectedly'
    assert dead_workers(RuntimeError(text)) == {12, 34}
    text = 'DataLoader worker (pid 56) is killed by signal: Killed. '
    assert dead_workers(RuntimeError(text)) == {56}
    text = 'Caught RuntimeError in DataLoader worker process 0.'
    assert not dead_workers(RuntimeError(text))
