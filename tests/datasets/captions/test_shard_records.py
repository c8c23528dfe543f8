"""Tar shards: counted once, read on from start to end, cut ones named."""
import os
import pickle
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from mmengine.runner import Runner
from preloaded_python import spawn
from tar_shards import cut_off, pairs, picture, write_shard
from torch.utils.data import get_worker_info

from mmvideomamba.datasets import CaptionDataset
from mmvideomamba.datasets.captions import shard_records
from mmvideomamba.datasets.captions.shard_counts import ShardCount
from mmvideomamba.datasets.captions.shard_records import ShardRecords
from mmvideomamba.datasets.captions.tar_shard import ShardCutError
from mmvideomamba.datasets.samplers import ShardSampler, shard_sampler

SIZES = (5, 9, 2, 7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write 23 pairs in 4 shards; the grey is the number of the pair."""
    start = 0
    for number, size in enumerate(SIZES):
        write_shard(tmp_path / f'a-{number}.tar',
                    pairs(*range(start, start + size)))
        start += size
    return tmp_path


class Note:
    """Keep grey level, shard and worker of each sample."""

    def __call__(self, results: dict) -> Dict[str, Any]:
        info = get_worker_info()
        shard = Path(results['filename']).name.split('-')[1]
        return dict(
            grey=int(results['text'].split()[-1]),
            shard=int(shard),
            worker=info.id if info else 0)


def config(folder: Path, num_workers: int, **sampler: Any) -> dict:
    return dict(
        batch_size=2,
        num_workers=num_workers,
        sampler=dict(
            type='mmvideomamba.ShardSampler',
            batch_size=2,
            num_workers=num_workers,
            **sampler),
        dataset=dict(
            type='mmvideomamba.CaptionDataset',
            data_root=str(folder),
            modality='image',
            sources=[dict(ann_file='a-*.tar', count_file='n.json')],
            pipeline=[Note()]))


@pytest.mark.slow
@pytest.mark.parametrize('world', [1, 2])
@pytest.mark.parametrize('num_workers', [0, 1, 2])
def test_the_hosts_loader_reads_all(folder: Path, monkeypatch, world: int,
                                    num_workers: int) -> None:
    """An epoch reads each pair once, and each shard in one worker."""
    for epoch in range(2):
        batches: List[int] = []
        greys: Counter = Counter()
        readers = set()
        for rank in range(world):
            monkeypatch.setattr(shard_sampler, 'get_dist_info', lambda:
                                (rank, world))
            loader = Runner.build_dataloader(config(folder, num_workers), 7)
            # As the host's DistSamplerSeedHook does.
            loader.sampler.set_epoch(epoch)
            found = list(loader)
            batches.append(len(found))
            assert len(found) == len(loader)
            for batch in found:
                greys.update(batch['grey'])
                readers |= {(rank, w, s)
                            for w, s in zip(batch['worker'], batch['shard'])}
        assert set(greys) == set(range(23))
        assert sum(greys.values()) == (23 if world == 1 else 24)
        assert len(set(batches)) == 1
        assert (folder / 'n.json').is_file()
        # A cut may go through a shard.
        workers = world * max(num_workers, 1)
        assert len(readers) <= len(SIZES) + workers


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2)
    counted: List[str] = []
    count = shard_records.count_samples

    def watched(path: str, **options: bool) -> ShardCount:
        counted.append(path)
        return count(path, **options)

    shard_records.count_samples = watched
    dataset = CaptionDataset([dict(ann_file='a-*.tar')], [Note()], 'image',
                             folder)
    sampler = ShardSampler(dataset, num_workers=2, batch_size=2)
    found = [dataset[i]['grey'] for i in sampler]
    try:
        ShardRecords(os.path.join(folder, 'cut.tar'))
    except ShardCutError as error:
        found.append(str(error))
    torch.save((found, len(counted)), os.path.join(folder, f'{rank}.pth'))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes(folder: Path) -> None:
    """One process counts for both; errors reach both, and pairs are shared."""
    write_shard(folder / 'cut.tar', pairs(1, 2))
    cut_off(folder / 'cut.tar', 1)
    spawn(work, (str(folder), ), 2)
    (one, counted), (other, none) = (
        torch.load(folder / f'{rank}.pth') for rank in range(2))
    assert (counted, none) == (5, 0)
    assert one.pop() == other.pop()
    assert len(one) == len(other) == 12
    assert set(one) | set(other) == set(range(23))


def test_a_copy_for_a_worker_does_not_grow(tmp_path: Path) -> None:
    """The pickled data set is as large for 3 pairs as for 300."""
    sizes = []
    for count in (3, 300):
        folder = tmp_path / f'{count:03d}'
        folder.mkdir()
        write_shard(folder / 'a.tar', pairs(*[1] * count))
        dataset = CaptionDataset([dict(ann_file='a.tar')], [], 'image',
                                 str(folder))
        assert len(dataset) == count
        dataset[count - 1]  # Records read so far are not pickled.
        sizes.append(len(pickle.dumps(dataset)))
    # A number takes some bytes more.
    assert abs(sizes[1] - sizes[0]) < 10


def test_few_shards_stay_open(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(
        'mmvideomamba.datasets.captions.shard_records.MAX_OPEN', 2)
    for number in range(5):
        write_shard(tmp_path / f'{number}.tar', pairs(number))
    records = ShardRecords(str(tmp_path / '*.tar'))
    for index in (0, 1, 0, 2, 0, 4):
        assert records[index].captions == [f'grey {index}']
    assert list(records.opened.get()) == [0, 4]


def test_shard_that_ends_early(folder: Path, mm_log) -> None:
    """A cut shard is named, with the number of samples left."""
    cut_off(folder / 'a-1.tar', 6)
    pattern = str(folder / 'a-*.tar')
    match = r'a-1.tar ends early \(.*\) after 6 samples; copy it again'
    with pytest.raises(ShardCutError, match=match):
        ShardRecords(pattern)
    kept = dict(count_file=str(folder / 'counts.json'))
    for _ in range(2):  # The next start reports the shard again.
        mm_log.clear()
        records = ShardRecords(pattern, on_short='skip', **kept)
        assert len(records) == 20
        found = [line for line in mm_log if 'a-1.tar ends early' in line]
        assert len(found) == 1 and 'after 6 samples: the rest' in found[0]
    with pytest.raises(ShardCutError, match=match):
        ShardRecords(pattern, **kept)
    greys = [records[i].captions[0] for i in range(20)]
    assert greys == [f'grey {i}' for i in [*range(11), *range(14, 23)]]


def test_cut_sample_of_three_parts(tmp_path: Path) -> None:
    """Two captions without a medium are not a sample."""
    sample = {'.json': b'{"caption": "a"}', '.txt': b'a', '.png': b'x' * 99}
    write_shard(tmp_path / 's.tar', [sample] * 2)
    with tarfile.open(tmp_path / 's.tar') as file:
        end = file.getmembers()[-1].offset_data + 10
    (tmp_path / 's.tar').write_bytes((tmp_path / 's.tar').read_bytes()[:end])
    assert len(ShardRecords(str(tmp_path / 's.tar'), on_short='skip')) == 1


@pytest.mark.parametrize('rewritten', [False, True])
def test_shard_that_lost_some_since_it_was_counted(folder: Path, mm_log,
                                                   rewritten: bool) -> None:

    def build(**kwargs: Any) -> CaptionDataset:
        return CaptionDataset([dict(ann_file='a-*.tar', **kwargs)], [Note()],
                              'image',
                              str(folder),
                              bad_media='replace',
                              max_bad_share=0.5)

    strict, lenient = build(), build(on_short='skip')
    if rewritten:
        write_shard(folder / 'a-1.tar', pairs(*range(5, 11)))
    else:
        cut_off(folder / 'a-1.tar', 6)
    # The strict data set does not take another pair instead.
    assert strict[10]['grey'] == 10
    match = 'a-1.tar .* counted with 9: 3 samples are lost; copy it again'
    for index in (11, 13):
        with pytest.raises(ShardCutError, match=match):
            strict[index]
    assert strict[9]['grey'] == 9 and strict[14]['grey'] == 14
    found = [lenient[i]['grey'] for i in range(23)]
    assert [f for f in found if f in (11, 12, 13)] == []
    assert found[:11] == list(range(11)) and found[14:] == list(range(14, 23))
    assert sum('another sample is taken' in x for x in mm_log) >= 3
    warned = [x for x in mm_log if x.startswith('shard') and 'a-1.tar' in x]
    assert len(warned) == 1 and '3 samples are lost' in warned[0]


def test_damaged_header(folder: Path) -> None:
    """A damaged header is an error, not the end of the shard."""
    path = folder / 'a-1.tar'
    with tarfile.open(path) as file:
        start = file.getmembers()[8].offset
    content = bytearray(path.read_bytes())
    content[start:start + 512] = b'x' * 512
    path.write_bytes(content)
    with pytest.raises(ShardCutError, match=f'byte {start}.*after 4 samples'):
        ShardRecords(str(path))


def test_shard_without_its_end_mark(folder: Path) -> None:
    path = folder / 'a-0.tar'
    with tarfile.open(path) as file:
        last = file.getmembers()[-1]
    path.write_bytes(path.read_bytes()[:last.offset_data + 512])
    with pytest.raises(ShardCutError, match='no header or end mark'):
        ShardRecords(str(path))


def test_no_sample(tmp_path: Path) -> None:
    write_shard(tmp_path / 's.tar', [])
    with pytest.raises(ValueError, match='no sample in 1 shards of .*tar'):
        ShardRecords(str(tmp_path / 's.tar'))


@pytest.mark.parametrize('broken', [False, True])
@pytest.mark.parametrize('on_short', ['raise', 'skip'])
def test_shard_that_is_gone(folder: Path, mm_log, broken: bool,
                            on_short: str) -> None:
    """A shard deleted after the count, or a broken link, is reported."""

    def build() -> ShardRecords:
        return ShardRecords(
            str(folder / 'a-*.tar'),
            on_short=on_short,
            count_file=str(folder / 'n.json'))

    build()
    (folder / 'a-1.tar').unlink()
    if broken:
        (folder / 'a-1.tar').symlink_to('nowhere')
    for _ in range(2):  # The next start reports the shard again.
        mm_log.clear()
        if on_short == 'raise':
            with pytest.raises(
                    ShardCutError, match='1 shards .* are gone\n  a-1.tar\n'):
                build()
        else:
            assert len(build()) == 14
            assert mm_log.count('  a-1.tar') == 1


def test_shard_that_goes_during_a_training(folder: Path) -> None:
    strict, lenient = (
        CaptionDataset([dict(ann_file='a-*.tar', on_short=on_short)], [Note()],
                       'image',
                       str(folder),
                       bad_media='replace',
                       max_bad_share=0.5) for on_short in ('raise', 'skip'))
    (folder / 'a-1.tar').unlink()
    with pytest.raises(ShardCutError, match='are gone\n  .*a-1.tar'):
        strict[7]
    assert lenient[7]['shard'] != 1 and lenient[4]['grey'] == 4


@pytest.mark.parametrize('parts, caption', [
    ({
        '.txt': b'The Text',
        '.json': b'{"caption": "other"}'
    }, 'the text'),
    ({
        '.txt': b'The Text',
        '.json': b'no JSON'
    }, 'the text'),
    ({
        '.txt': b'\xef\xbb\xbfMarked'
    }, 'marked'),
    ({
        '.json': b'{"caption": "only", "caption2": NaN, "a": 1, "a": 2}'
    }, 'only'),
])
def test_text_beside_json(tmp_path: Path, parts: dict, caption: str) -> None:
    """As img2dataset writes them: the text is the caption."""
    write_shard(tmp_path / 's.tar', [{'.jpg': b'x', **parts}])
    record = ShardRecords(str(tmp_path / 's.tar'))[0]
    assert record.captions == [caption] and record.content == b'x'


BAD_PARTS = {
    'no JSON': ({
        '.json': b'{"caption": '
    }, 'not JSON'),
    'no caption': ({
        '.json': b'{"url": "a"}'
    }, "no 'caption', only"),
    'empty caption': ({
        '.txt': b' ?'
    }, 'an empty caption'),
    'no text': ({
        '.json': b'{"caption": 3}'
    }, "'caption': 3, neither"),
    'NaN': ({
        '.json': b'{"caption": NaN}'
    }, "'caption': nan, neither"),
    'deep': ({
        '.json': b'{"a": ' + b'[' * 99999
    }, 'brackets'),
    'long number': ({
        '.json': b'[' + b'9' * 5000 + b']'
    }, 'not usable JSON'),
    'twice': ({
        '.json': b'{"caption": "a", "caption": "b"}'
    }, 'twice'),
    'latin': ({
        '.txt': b'na\xe9'
    }, r'not UTF-8 text \(byte 2\)'),
    'latin JSON': ({
        '.json': b'{"caption": "na\xefve"}'
    }, 'not UTF-8 text'),
    'half a pair': ({
        '.json': b'{"caption": "\\ud800"}'
    }, 'not Unicode text'),
}


@pytest.mark.parametrize('name', BAD_PARTS)
def test_bad_captions(tmp_path: Path, name: str) -> None:
    """The error names shard and sample; the others are read."""
    parts, match = BAD_PARTS[name]
    samples = pairs(0, 1, 2)
    samples[1] = {'.png': b'x', **parts}
    write_shard(tmp_path / 's.tar', samples)
    records = ShardRecords(str(tmp_path / 's.tar'))
    assert len(records) == 3 and not records.faults
    with pytest.raises(
            ValueError, match=f"s.tar: sample 's-001.png'.*{match}"):
        records[1]
    assert [records[i].captions for i in (0, 2)] == [['grey 0'], ['grey 2']]


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / 's.tar').write_bytes(b'')
    with pytest.raises(ShardCutError, match='after 0 samples'):
        ShardRecords(str(tmp_path / 's.tar'))


def test_shards_that_webdataset_wrote(tmp_path: Path) -> None:
    webdataset = pytest.importorskip('webdataset')
    with webdataset.ShardWriter(
            str(tmp_path / '%06d.tar'), maxcount=4, verbose=0) as writer:
        for i in range(10):
            parts = dict(txt=f'Grey {i}!') if i % 2 else dict(
                json=dict(caption=[f'Grey {i}!', 'other']))
            writer.write(dict(__key__=f'{i:09d}', png=picture(i), **parts))
    records = ShardRecords(str(tmp_path / '*.tar'))
    assert list(records.shard_ends) == [4, 8, 10]
    for i in range(10):
        name, captions, content = records[i]
        assert Path(name).name == f'{i:09d}.png' and content == picture(i)
        assert captions == [f'grey {i}'] + ['other'] * (i % 2 == 0)


def test_any_order_jumps_to_samples(folder: Path, monkeypatch) -> None:
    """First bytes are counted once, also for a file of counts without."""
    counts = str(folder / 'n.json')
    plain = ShardRecords(str(folder / 'a-*.tar'), count_file=counts)
    expected = [plain[i] for i in range(23)]
    ShardRecords(str(folder / 'a-*.tar'), count_file=counts, any_order=True)
    monkeypatch.setattr(shard_records.TarShard, 'read_on', None)
    found = ShardRecords(
        str(folder / 'a-*.tar'), count_file=counts, any_order=True)
    found = pickle.loads(pickle.dumps(found))
    assert [found[i] for i in range(22, -1, -1)] == expected[::-1]
    monkeypatch.undo()
    cut_off(folder / 'a-1.tar', 3)
    with pytest.raises(ShardCutError, match='a-1.tar ends early.* 3 samples'):
        ShardRecords(
            str(folder / 'a-*.tar'), count_file=counts, any_order=True)
    with pytest.raises(ShardCutError, match='a-1.tar ends early.*are lost'):
        pickle.loads(pickle.dumps(found))[5 + 8]
