"""Sample numbers carry epoch, position and seed to the workers."""
import pickle

from mmengine.dataset import DefaultSampler
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from mmvideomamba.datasets.samplers import Place, PlacedSampler, placed_sampler


class Note(Dataset):
    """Samples return the number, epoch, position and seed of their request."""
    metainfo: dict = {}

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple:
        assert isinstance(index, Place)
        return int(index), index.epoch, index.position, index.seed


def test_place_survives_copies_and_wrappers() -> None:
    place = Place(5, epoch=2, position=9, seed=7)
    assert place == 5 and [10, 11, 12, 13, 14, 15][place] == 15
    for copy in (pickle.loads(pickle.dumps(place)), place - 0, place % 6):
        assert (int(copy), copy.epoch, copy.position, copy.seed) == (5, 2, 9,
                                                                     7)
    assert ConcatDataset([Note(), Note()])[place] == (2, 2, 9, 7)


def test_workers_get_places(monkeypatch) -> None:
    sampler = DefaultSampler(Note(), shuffle=False, seed=0)
    monkeypatch.setattr(placed_sampler, 'get_dist_info', lambda: (1, 2))
    loader = DataLoader(
        Note(),
        batch_size=2,
        sampler=PlacedSampler(sampler, seed=7),
        num_workers=1,
        persistent_workers=True,
        collate_fn=list)
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)  # of the sampler inside
        found = [sample for batch in loader for sample in batch]
        assert found == [(i, epoch, 2 * i + 1, 7) for i in range(3)]


def test_sampler_that_is_told_no_epoch() -> None:
    sampler = PlacedSampler([4, 2], seed=0)
    sampler.own_epoch = 3
    assert len(sampler) == 2
    assert [(int(p), p.epoch, p.position) for p in sampler] == [(4, 3, 0),
                                                                (2, 3, 1)]
