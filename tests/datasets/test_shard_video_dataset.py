"""Videos in shards train as files do; missing videos are named."""
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from tar_shards import write_shard

from mmvideomamba.datasets import CheckedVideoDataset, ShardVideoDataset
from mmvideomamba.datasets.captions import shard_counts
from mmvideomamba.datasets.captions.tar_shard import ShardCutError
from mmvideomamba.datasets.preparation import write_video_shards
from mmvideomamba.datasets.video.errors import MediaError

SHARD = 25_000  # bytes, two or three of the clips
STEPS = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='UniformSample', clip_len=2, test_mode=True),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]


@pytest.fixture(autouse=True, scope='module')
def scope(own_default_scope: None) -> None:
    """Take the steps of mmaction."""
    init_default_scope('mmaction')


@pytest.fixture(scope='module')
def packed(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the training clips in shards."""
    folder = tmp_path_factory.mktemp('packed')
    found = write_video_shards(
        clips / 'data' / 'train.txt',
        clips / 'data',
        folder,
        shard_bytes=SHARD)
    assert len(found.shards) > 2
    return folder


@pytest.fixture
def folder(packed: Path, tmp_path: Path) -> Path:
    """Return a copy for a test to damage."""
    return Path(shutil.copytree(packed, tmp_path / 'shards'))


def build(folder: Path, **options: Any) -> ShardVideoDataset:
    options = dict(dict(ann_file='train.txt', pipeline=STEPS), **options)
    return ShardVideoDataset(data_root=str(folder), **options)


def origin(path: str) -> str:
    """Return the name of a clip before it was packed."""
    return path.rsplit('/', 1)[1]


def edit(folder: Path, change: Callable[[List[str]], List[str]]) -> None:
    path = folder / 'train.txt'
    lines = path.read_text().splitlines(True)
    path.write_text(''.join(change(lines)))


def test_samples_are_those_of_the_files(clips: Path, packed: Path) -> None:
    data = build(packed, num_classes=2)
    files = CheckedVideoDataset(
        'train.txt', STEPS, dict(video=''), data_root=str(clips / 'data'))
    expected = {
        Path(files.get_data_info(i)['filename']).name: files[i]
        for i in range(8)
    }
    seen = set()
    for i in range(8):
        info, sample = data.get_data_info(i), data[i]
        name = origin(info['filename'])
        path = clips / 'data' / name
        assert info['content'] == path.read_bytes()
        assert info['label'] == int(name[0]) == data.get_cat_ids(i)[0]
        assert torch.equal(sample['inputs'], expected[name]['inputs'])
        seen.add(name)
    assert len(seen) == 8 == len(data)


def test_written_counts_are_taken(packed: Path, monkeypatch) -> None:

    def no_shard(path: str) -> None:
        raise AssertionError(f'{path} is read')

    monkeypatch.setattr(shard_counts, 'TarShard', no_shard)
    assert len(build(packed)) == 8


def test_lines_left_out_and_moved(folder: Path) -> None:
    edit(folder, lambda lines: lines[:0:-1])
    data = build(folder)
    assert len(data) == 7 == data.stretches()[-1]
    for i in range(7):
        info = data.get_data_info(i)
        assert info['label'] == int(origin(info['filename'])[0])
    assert len(build(folder, indices=3)) == 3 == build(
        folder, indices=3).stretches()[-1]


@pytest.mark.parametrize('options, labels', [
    (dict(multi_class=True,
          num_classes=3), lambda x: [1. - x, float(x), 0.]),
    (dict(regression=True), lambda x: [float(x)]),
])
def test_other_labels(packed: Path, options: dict, labels: Callable) -> None:
    data = build(packed, **options)
    for i in range(8):
        info = data.get_data_info(i)
        expected = labels(int(origin(info['filename'])[0]))
        assert info['label'].tolist() == expected


def test_repeats(packed: Path) -> None:
    assert len(build(packed, num_repeats=3)[0]) == 3


@pytest.mark.parametrize('change, options, fault', [
    (lambda x: [*x[:-1], x[-1][:-2] + '7\n'], dict(num_classes=2),
     'line 8: label 7 is out of range for num_classes=2'),
    (lambda x: ['a.mp4 0\n', *x], {}, "line 1: 'a.mp4 0' does not begin with "
     'SHARD.tar/NUMBER/NAME'),
    (lambda x: [*x, x[0].replace('/000000/', '/000007/')], {},
     'shard .*train-000000.tar: there is no sample 7'),
])
def test_faulty_list(folder: Path, change: Callable, options: dict,
                     fault: str) -> None:
    edit(folder, change)
    with pytest.raises(ValueError, match=fault):
        build(folder, **options)


@pytest.mark.parametrize('change, fault', [
    (lambda x: [x[0].replace('mp4 ', 'mp4 1'), *x[1:]], 'has the label'),
    (lambda x: [x[0].replace('_', '-'), *x[1:]], 'stands where .*train.txt'),
])
def test_list_of_other_shards(folder: Path, change: Callable,
                              fault: str) -> None:
    """Not a bad medium: every label may be wrong."""
    edit(folder, change)
    data = build(folder, bad_media='replace')
    with pytest.raises(ValueError, match=fault) as caught:
        data[0]
    assert not isinstance(caught.value, MediaError)


def shorten(folder: Path) -> None:
    path = folder / 'train-000001.tar'
    path.write_bytes(path.read_bytes()[:3000])


def remove(folder: Path) -> None:
    (folder / 'train-000001.tar').unlink()


@pytest.mark.parametrize('harm, fault', [
    (shorten, 'train-000001.tar ends early .* after 0 samples; copy it again'),
    (remove, '(?s)1 shards of the list are gone.*train-000001.tar'),
])
def test_shard_that_ends_early_or_is_gone(folder: Path, harm: Callable,
                                          fault: str) -> None:
    harm(folder)
    for policy in ('raise', 'replace'):
        with pytest.raises(ShardCutError, match=fault):
            build(folder, bad_media=policy)
    skipping: Dict[str, Any] = dict(on_short='skip', bad_media='replace')
    with pytest.raises(ValueError, match='train-000001.tar: there is no'):
        build(folder, **skipping)
    data = build(folder, **skipping, max_bad_share=0.9)
    places = [
        'train-000001.tar' in line
        for line in (folder / 'train.txt').read_text().splitlines()
    ]
    for i, lost in enumerate(places):
        found = data[i]['data_samples'].metainfo.get('bad_media', [])
        assert len(found) >= lost and all('train-000001.tar' in bad.file
                                          for bad in found)
        assert bool(found) == lost


def test_shard_cut_during_the_training(folder: Path) -> None:
    data = build(folder, bad_media='replace')
    shorten(folder)
    with pytest.raises(ShardCutError, match='train-000001.tar ends early'):
        [data[i] for i in range(8)]


def test_damaged_video_is_a_bad_medium(folder: Path) -> None:
    path = folder / 'train-000000.tar'
    content = bytearray(path.read_bytes())
    content[512:1024] = bytes(512)
    path.write_bytes(content)
    data = build(folder)
    with pytest.raises(MediaError, match='train-000000.tar/000000/'):
        data[0]
    replaced = build(folder, bad_media='replace', max_bad_share=0.2)[0]
    assert 'train-000000.tar' in replaced['data_samples'].bad_media[0].file


def test_shards_of_a_pattern(clips: Path, tmp_path: Path) -> None:
    video = (clips / 'data' / '0_0.mp4').read_bytes()
    write_shard(tmp_path / 'a 1.tar', [{
        '.mp4': video,
        '.txt': b'1\n'
    }, {
        '.mp4': video,
        '.json': b'{"label": 2}'
    }])
    write_shard(tmp_path / 'a 2.tar', [{'.mp4': video, '.txt': b'0'}])
    data = build(tmp_path, ann_file='a*.tar', num_classes=3)
    assert [data.get_data_info(i)['label'] for i in range(3)] == [1, 2, 0]
    assert data[2]['inputs'].shape[2] == 2
    assert data.stretches().tolist() == [2, 3]
    with pytest.raises(ValueError, match='a 1.tar/a 1-001.mp4: label 2 is'):
        build(tmp_path, ann_file='a*.tar', num_classes=2)
    write_shard(tmp_path / 'a 3.tar', [{'.mp4': video, '.json': b'[1]'}])
    with pytest.raises(ValueError, match="1 of 4 .*(?s:.)*without the key"):
        build(tmp_path, ann_file='a*.tar')
    assert len(
        build(
            tmp_path, ann_file='a*.tar', bad_media='replace',
            max_bad_share=.3)) == 3


def test_opener_of_the_host_is_refused(packed: Path) -> None:
    with pytest.raises(ValueError, match='DecordInit .*opens files, not'):
        build(packed, pipeline=[dict(type='DecordInit')])


@pytest.mark.parametrize('num_workers', [0, 1])
def test_recipe_reads_from_shards(packed: Path, num_workers: int) -> None:
    """The lines of docs/video_shards.md, in the quickstart's recipe."""
    root = Path(__file__).parents[2]
    text = (root / 'docs' / 'video_shards.md').read_text()
    text = text.split('```python')[1].split('```')[0]
    text = text.replace('data/shards', str(packed))
    cfg = Config.fromfile(root / 'configs/_base_/datasets/quickstart.py')
    cfg.train_dataloader.dataset.update(num_classes=2, metainfo=None)
    cfg.merge_from_dict(Config.fromstring(text, '.py')._cfg_dict)
    cfg.train_dataloader.update(
        num_workers=num_workers, batch_size=4, persistent_workers=False)
    loader = Runner.build_dataloader(cfg.train_dataloader, 7)
    assert type(loader.dataset) is ShardVideoDataset
    orders = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        batches = list(loader)
        assert all(b['inputs'][0].shape[-1] == 48 for b in batches)
        names = [s.filename for b in batches for s in b['data_samples']]
        labels = [int(s.gt_label) for b in batches for s in b['data_samples']]
        assert labels == [int(origin(name)[0]) for name in names]
        assert len(set(names)) == 8
        orders.append(names)
    assert orders[0] != orders[1]


def test_sampler_reads_on_in_each_shard(packed: Path) -> None:
    cfg = dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type='mmvideomamba.ShardSampler', buffer_size=1),
        dataset=dict(
            type='mmvideomamba.ShardVideoDataset',
            data_root=str(packed),
            ann_file='train.txt',
            pipeline=[]))
    loader = Runner.build_dataloader(cfg, 7)
    order = list(loader.sampler)
    assert sorted(order) == list(range(8)) != order
    ends = loader.dataset.stretches()
    shards = np.searchsorted(ends, order, side='right')
    for number in range(len(ends)):
        inside = np.array(order)[shards == number]
        assert (np.diff(inside) == 1).all()
