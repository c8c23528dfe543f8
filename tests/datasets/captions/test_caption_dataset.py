import json
from pathlib import Path
from typing import Callable

import pytest
from caption_files import FILES, build, shard_samples
from mmaction.datasets.transforms import PackActionInputs
from tar_shards import pairs, picture, write_shard

from mmvideomamba.datasets.bad_medium import BadMediaShareError
from mmvideomamba.datasets.samplers import Place
from mmvideomamba.datasets.transforms import OpenClip, ReadImage
from mmvideomamba.datasets.video.errors import MediaError


def test_no_list_of_samples_in_python(folder: Path) -> None:
    """All data growing with the file are in arrays, shared by the workers."""
    dataset = build(folder, *FILES)
    for reader in dataset.readers:
        for value in vars(reader).values():
            assert not isinstance(value, (list, dict)) or len(value) <= 2
    # Besides shards, entries are split into stretches of a thousand.
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


def test_unreadable_media_are_replaced(folder: Path, mm_log) -> None:
    (folder / '1.png').write_bytes(b'no image')
    dataset = build(folder, 'a.json', bad_media='replace', max_bad_share=0.5)
    found = {dataset[Place(1, position=i)]['text'] for i in range(8)}
    # A replacement takes text and picture of the same entry.
    assert found == {'a cat', 'an elk'}
    assert sum('1.png is damaged' in x for x in mm_log) == 8
    with pytest.raises(MediaError, match='1.png is damaged'):
        build(folder, 'a.json')[1]
    for i in (0, 2):
        (folder / f'{i}.png').unlink()
    with pytest.raises(BadMediaShareError, match='2 of 3 files of .*a.json'):
        dataset[0]


@pytest.mark.parametrize('share', [0.1, 0.3])
def test_many_missing_files(tmp_path: Path, share: float) -> None:
    """Each sample is drawn, and drawn again alike."""
    lines = []
    for i in range(100):
        lines.append(json.dumps(dict(image=f'{i}.png', caption=f'grey {i}')))
        if i >= 100 * share:
            (tmp_path / f'{i}.png').write_bytes(picture(i))
    (tmp_path / 'a.jsonl').write_text('\n'.join(lines))
    kwargs = dict(bad_media='replace', max_bad_share=0.4)
    pipeline = [ReadImage(), PackActionInputs(algorithm_keys=('text', ))]
    data = build(tmp_path, 'a.jsonl', pipeline=pipeline, **kwargs)
    again = build(tmp_path, 'a.jsonl', pipeline=pipeline, **kwargs)
    for position in range(600):
        place = Place(position % 100, position // 100, position, seed=3)
        sample = data[place]
        # Text and picture come from the same entry.
        text = sample['data_samples'].text
        assert text == f'grey {int(sample["inputs"][0][0, 0, 0])}'
        assert text == again[place]['data_samples'].text


def test_sample_of_a_shard_is_a_bad_medium(folder: Path) -> None:
    """The error of an undecodable picture names shard and member."""
    samples = shard_samples()
    samples[1]['.png'] = b'no image'
    write_shard(folder / 'b-0.tar', samples)
    with pytest.raises(MediaError, match='b-0.tar/b-0-001.png is damaged'):
        build(folder, 'b-*.tar')[1]
    dataset = build(folder, 'b-*.tar', bad_media='replace', max_bad_share=0.5)
    assert dataset[1]['text'] in ('a cat', 'an elk')


@pytest.mark.parametrize('ending', ['json', 'jsonl', 'tar'])
def test_a_bad_entry_costs_one_sample(tmp_path: Path, mm_log,
                                      ending: str) -> None:
    """Bad entries are counted, found early or late; max_bad_share holds."""
    lines = [
        json.dumps(dict(image=f'{i}.png', caption=f'grey {i}'))
        for i in range(30)
    ]
    samples = pairs(*range(30))
    for i in range(30):
        (tmp_path / f'{i}.png').write_bytes(picture(i))
    for i in (3, 7):
        lines[i], samples[i] = '{"image": "a.png"}', {'.png': picture(i)}
    path = tmp_path / f'a.{ending}'
    if ending == 'tar':
        write_shard(path, samples)
    else:
        path.write_text('[' + ',\n'.join(lines) +
                        ']' if ending == 'json' else '\n'.join(lines))
    data = build(tmp_path, path.name, bad_media='replace', max_bad_share=0.1)
    early = ending != 'jsonl'  # Lines are checked when read.
    assert any('2 of 30 entries cannot be used' in x for x in mm_log) == early
    texts = [data[Place(i, position=i)]['text'] for i in range(30)]
    assert texts[:3] == ['grey 0', 'grey 1', 'grey 2']
    assert [t for t in texts if t in ('grey 3', 'grey 7')] == []
    assert sum('another sample is taken' in x for x in mm_log) == 2
    with pytest.raises(MediaError, match=f'entry 3 of .*a.{ending} cannot'):
        build(tmp_path, path.name, bad_media='report')._strict(3)
    for kwargs in (dict(), dict(bad_media='replace', max_bad_share=0.05)):
        if early:
            with pytest.raises(ValueError, match='2 of 30 entries cannot be'):
                build(tmp_path, path.name, **kwargs)


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


@pytest.mark.parametrize('kwargs, match', [
    (dict(modality='audio'), "modality of .*'audio'"),
    (dict(pair_ids='none'), "pair_ids of .*'none'"),
    (dict(sources=[]), 'at least one source'),
    (dict(sources=[dict(ann_fil='a.json')]), "needs an ann_file, .*'ann_fil'"),
    (dict(sources=[dict(ann_file='a.json')],
          max_refetch=3), "max_refetch limits .*bad_media='raise'"),
    (dict(sources=[dict(ann_file='a-*.tar', on_short='no')]), 'on_short'),
])
def test_bad_arguments(folder: Path, kwargs: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        build(folder, **{**dict(sources=[]), **kwargs})
