import multiprocessing
import pickle
from pathlib import Path

import pytest
from caption_files import CAPTIONS, FILES, build, check
from torch.utils.data import DataLoader

from mmvideomamba.datasets.captions.formats import FORMATS, open_captions
from mmvideomamba.datasets.captions.record import Record, parse_record


@pytest.mark.parametrize('name', FILES)
def test_every_form_says_the_same(folder: Path, name: str) -> None:
    dataset = build(folder, name)
    assert len(dataset) == 3
    check([dataset[i] for i in range(3)])
    # As pickled for a spawned worker.
    dataset = pickle.loads(pickle.dumps(dataset))
    check([dataset[i] for i in (0, 1, 2)])


@pytest.mark.slow
@pytest.mark.parametrize('name', FILES[1:])
def test_workers_read_on_their_own(folder: Path, name: str) -> None:
    """Forked workers do not share the offset of an open file."""
    dataset = build(folder, name)
    check([dataset[i] for i in range(3)])  # opened here before the fork
    loader = DataLoader(
        dataset,
        batch_size=None,
        num_workers=3,
        sampler=list(range(3)) * 20,
        multiprocessing_context=multiprocessing.get_context('fork'))
    samples = list(loader)
    for start in range(0, 60, 3):
        check(samples[start:start + 3])


def test_missing_files(folder: Path) -> None:
    for name in ('n.json', 'n.jsonl', 'n.sqlite', 'n.tar'):
        with pytest.raises(FileNotFoundError, match=r'n\.'):
            build(folder, name)


@pytest.mark.parametrize('name, match', [
    ('a-*.tar', 'takes no on_shrt, but on_short, count_file'),
    ('a.json', 'a.json .* takes no on_shrt, and no other option'),
])
def test_options_that_a_format_does_not_take(folder: Path, name: str,
                                             match: str) -> None:
    with pytest.raises(ValueError, match=match):
        open_captions(str(folder / name), 'image', on_shrt='skip')


def test_adding_a_format(folder: Path, monkeypatch) -> None:
    """A new format needs a reader and a row of the table, nothing else."""

    class TabRecords:
        """Lines of a path, a tab and a caption."""

        def __init__(self, path: str, key: str, comment: str = '') -> None:
            lines = Path(path).read_text().splitlines()
            self.rows = [
                line.split('\t') for line in lines
                if not comment or not line.startswith(comment)
            ]

        def __len__(self) -> int:
            return len(self.rows)

        def __getitem__(self, index: int) -> Record:
            name, caption = self.rows[index]
            return parse_record(
                dict(image=name, caption=caption), 'image', f'line {index}')

    monkeypatch.setitem(FORMATS, '.tsv', TabRecords)
    rows = [f'{i}.png\t{text}' for i, text in enumerate(CAPTIONS)]
    (folder / 'a.tsv').write_text('\n'.join(['# pairs', *rows]))
    source = dict(ann_file='a.tsv', comment='#')
    dataset = build(folder, sources=[source])
    check([dataset[i] for i in range(3)])
    assert dataset.stretches().tolist() == [3]
