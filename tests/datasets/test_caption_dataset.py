import json
import multiprocessing
import pickle
import sqlite3
from pathlib import Path
from typing import Callable, Dict, List

import numpy as np
import pytest
from tar_shards import picture, write_shard
from torch.utils.data import DataLoader

from mmvideomamba.datasets import CaptionDataset
from mmvideomamba.datasets.transforms import OpenClip, ReadImage

CAPTIONS = ['A cat.', 'a DOG', 'an Elk!']
CLEAN = ['a cat', 'a dog', 'an elk']


def shard_samples() -> List[Dict[str, bytes]]:
    parts = [
        dict({'.png': picture(i * 50)}, **{'.txt': text.encode()})
        for i, text in enumerate(CAPTIONS)
    ]
    parts[1] = {
        '.json': json.dumps(dict(caption=CAPTIONS[1])).encode(),
        '.png': picture(50)
    }
    return parts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write the same three pairs in every form."""
    entries = [
        dict(image=f'{i}.png', caption=text) for i, text in enumerate(CAPTIONS)
    ]
    for i in range(3):
        (tmp_path / f'{i}.png').write_bytes(picture(i * 50))
    (tmp_path / 'a.json').write_text(json.dumps(entries))
    lines = [json.dumps(entry) + '\n' for entry in entries]
    (tmp_path / 'a.jsonl').write_text('\n'.join(lines))
    with sqlite3.connect(tmp_path / 'a.sqlite') as database:
        database.execute('CREATE TABLE annos(id, filename, caption)')
        database.executemany('INSERT INTO annos VALUES (?, ?, ?)',
                             [(i, e['image'], e['caption'])
                              for i, e in enumerate(entries)])
    database.close()
    write_shard(tmp_path / 'a-0.tar', shard_samples()[:2])
    write_shard(tmp_path / 'a-1.tar', shard_samples()[2:])
    return tmp_path


FILES = ['a.json', 'a.jsonl', 'a.sqlite', 'a-*.tar']


def build(folder: Path, *files: str, **kwargs) -> CaptionDataset:
    return CaptionDataset(
        **{
            **dict(
                sources=[dict(ann_file=name) for name in files],
                pipeline=[ReadImage()],
                modality='image',
                data_root=str(folder)),
            **kwargs
        })


def check(samples: List[dict]) -> None:
    assert [s['text'] for s in samples] == CLEAN
    assert [s['pair_id'] for s in samples] == [0, 1, 2]
    assert [int(np.asarray(s['imgs'][0]).mean())
            for s in samples] == [0, 50, 100]


@pytest.mark.parametrize('name', FILES)
def test_every_form_says_the_same(folder: Path, name: str) -> None:
    dataset = build(folder, name)
    assert len(dataset) == 3
    check([dataset[i] for i in range(3)])
    # As a spawned worker gets it.
    dataset = pickle.loads(pickle.dumps(dataset))
    check([dataset[i] for i in (0, 1, 2)])


@pytest.mark.slow
@pytest.mark.parametrize('name', FILES[1:])
def test_workers_read_on_their_own(folder: Path, name: str) -> None:
    """Forked workers do not share the place in an open file."""
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


def test_no_list_of_samples_in_python(folder: Path) -> None:
    """What grows with the file is in arrays, which workers share."""
    dataset = build(folder, *FILES)
    for reader in dataset.readers:
        for value in vars(reader).values():
            assert not isinstance(value, (list, dict)) or len(value) <= 2
    # Entries beside shards are cut into stretches of a thousand.
    assert dataset.stretches().tolist() == [3, 6, 9, 11, 12]


def test_stretches_of_long_files(tmp_path: Path) -> None:
    lines = [json.dumps(dict(image='a.png', caption='b'))] * 2500
    (tmp_path / 'a.jsonl').write_text('\n'.join(lines))
    (tmp_path / 'b.jsonl').write_text('\n'.join(lines[:1000]))
    dataset = build(tmp_path, 'a.jsonl', 'b.jsonl')
    assert dataset.stretches().tolist() == [1000, 2000, 2500, 3500]


def test_sources_are_joined(folder: Path) -> None:
    dataset = build(folder, 'a.json', 'a.jsonl')
    ids = [dataset[i]['pair_id'] for i in range(6)]
    assert ids == [0, 1, 2, 0, 1, 2]
    dataset = build(folder, 'a.json', 'a.jsonl', pair_ids='global')
    assert [dataset[i]['pair_id'] for i in range(6)] == list(range(6))


def test_unreadable_media_are_replaced_and_counted(folder: Path,
                                                   mm_log) -> None:
    (folder / '1.png').write_bytes(b'no image')
    dataset = build(folder, 'a.json', max_refetch=20)
    found = {dataset[1]['text'] for _ in range(8)}
    # The text goes with its picture.
    assert found == {'a cat', 'an elk'}
    assert dataset.replaced >= 8
    assert any('8. replacement' in x and '1.png is damaged' in x
               for x in mm_log)
    for i in (0, 2):
        (folder / f'{i}.png').unlink()
    with pytest.raises(ValueError, match='21 samples in a row'):
        dataset[1]


def test_video_in_a_shard(tmp_path: Path, make_video: Callable) -> None:
    video = make_video(frames=12).read_bytes()
    write_shard(tmp_path / 'v.tar', [{'.mp4': video, '.txt': b'a square'}])
    dataset = build(tmp_path, 'v.tar', modality='video', pipeline=[OpenClip()])
    sample = dataset[0]
    assert sample['total_frames'] == 12 and 'content' not in sample
    assert sample['filename'].endswith('v-000.mp4')


@pytest.mark.parametrize('name, content, match', [
    ('x.json', '[{"image": "a"}]', "entry 0 has no 'caption'"),
    ('x.json', '[{"video": "a", "caption": "b"}]', "no 'image'"),
    ('x.json', '[{"image": ["a", "b"], "caption": "b"}]', "has 2 of 'image'"),
    ('x.jsonl', '', 'is empty'),
    ('x.sqlite', '', 'no table annos'),
    ('x.csv', 'a', r'must end in one of .*\.json'),
])
def test_bad_files(folder: Path, name: str, content: str, match: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(ValueError, match=match):
        build(folder, name)


@pytest.mark.parametrize('line, match', [
    ('{"image": ', 'entry 0 is no JSON'),
    ('{"image": "a"}', "entry 0 has no 'caption'"),
    ('{"image": "a", "caption": "?"}', 'entry 0 has an empty caption'),
])
def test_bad_lines(folder: Path, line: str, match: str) -> None:
    (folder / 'x.jsonl').write_text(line)
    with pytest.raises(ValueError, match=match):
        build(folder, 'x.jsonl', max_refetch=0)[0]


def test_bad_databases(folder: Path) -> None:
    with sqlite3.connect(folder / 'a.sqlite') as database:
        database.execute('DELETE FROM annos WHERE id = 0')
    with pytest.raises(ValueError, match='0 to 1 for 2 rows.*from 1 to 2'):
        build(folder, 'a.sqlite')
    with sqlite3.connect(folder / 'a.sqlite') as database:
        database.execute('ALTER TABLE annos RENAME COLUMN caption TO text')
    with pytest.raises(ValueError, match='no table annos.*caption'):
        build(folder, 'a.sqlite')


def test_database_without_index(folder: Path, mm_log) -> None:
    build(folder, 'a.sqlite')
    assert 'a.sqlite has no index of its ids' in ''.join(mm_log)
    mm_log.clear()
    with sqlite3.connect(folder / 'a.sqlite') as database:
        database.execute('CREATE UNIQUE INDEX annos_id ON annos(id)')
    check([build(folder, 'a.sqlite')[i] for i in range(3)])
    assert not mm_log


def test_damaged_database(folder: Path) -> None:
    """A row that cannot be read is replaced, or counts as a failure."""
    data = build(folder, 'a.sqlite', max_refetch=0)
    with sqlite3.connect(folder / 'a.sqlite') as database:
        database.execute('DROP TABLE annos')
    with pytest.raises(ValueError, match='id 1 cannot be read: no such table'):
        data[1]


@pytest.mark.parametrize('kwargs, match', [
    (dict(modality='audio'), "modality of .*'audio'"),
    (dict(pair_ids='none'), "pair_ids of .*'none'"),
    (dict(sources=[]), 'at least one source'),
    (dict(sources=[dict(ann_file='a-*.tar', on_short='no')]), 'on_short'),
])
def test_bad_arguments(folder: Path, kwargs: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        build(folder, **{**dict(sources=[]), **kwargs})


def test_missing_files(folder: Path) -> None:
    for name in ('n.json', 'n.jsonl', 'n.sqlite', 'n.tar'):
        with pytest.raises(FileNotFoundError, match=r'n\.'):
            build(folder, name)
    with pytest.raises(FileNotFoundError, match='media_root'):
        ReadImage()(dict(filename='nowhere.png'))
