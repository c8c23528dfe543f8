"""Data sets raise, replace or report unreadable media."""
import json
import random
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import PackActionInputs
from torch.utils.data import DataLoader

from mmvideomamba.datasets import (CheckedVideoDataset, RetrievalDataset,
                                   VideoMCDataset, VideoQADataset,
                                   WindowVideoDataset)
from mmvideomamba.datasets.bad_medium import (BadMediaShareError, BadMedium,
                                              bad_media_in)
from mmvideomamba.datasets.samplers import Place
from mmvideomamba.datasets.video.errors import HungMediaError, MediaError

QA_KEYS = ('text', 'pair_id', 'video_index', 'question', 'caption_options')


class Decode:
    """Fail by the file's name, after drawing; else decode the number."""

    def __init__(self) -> None:
        self.opened: List[str] = []

    def __call__(self, results: dict) -> dict:
        name = Path(results['filename']).stem
        self.opened.append(name)
        drawn = [random.random(), np.random.rand(), float(torch.rand(1))]
        if 'hung' in name:
            raise HungMediaError(results['filename'], 'did not answer')
        if 'bad' in name:
            raise MediaError(results['filename'], 'is damaged')
        number = int(name.split('_')[0])
        return dict(results, imgs=torch.tensor([number, *drawn]))


def pipeline() -> list:
    return [Decode(), PackActionInputs(algorithm_keys=QA_KEYS)]


def videos(names: List[str], tmp_path: Path, **kwargs: Any) -> Any:
    """Build a data set; the label of a video is the number in the name."""
    lines = [f'{name}.mp4 {name.split("_")[0]}' for name in names]
    (tmp_path / 'list.txt').write_text('\n'.join(lines))
    return CheckedVideoDataset(
        str(tmp_path / 'list.txt'), pipeline(),
        **dict(dict(check_files=False, max_bad_share=0.5), **kwargs))


def label(sample: dict) -> int:
    return int(sample['data_samples'].gt_label)


def events(sample: dict) -> List[BadMedium]:
    return bad_media_in(dict(data_samples=[sample['data_samples']]))[0]


NAMES = ['0', '1_bad', '2', '3', '4_bad', '5', '6', '7']


def test_a_replacement_is_complete(tmp_path: Path) -> None:
    data = videos(NAMES, tmp_path, bad_media='replace')
    for position in range(20):
        sample = data[Place(1, position=position)]
        assert label(sample) == int(sample['inputs'][0]) not in (1, 4)
        first = events(sample)[0]
        assert Path(first.file).name == '1_bad.mp4'
        assert (first.fault, first.policy, first.num_files) == ('is damaged',
                                                                'replace', 8)
    assert events(data[Place(0)]) == []


def test_draws_depend_on_the_place_alone(tmp_path: Path) -> None:

    def draw(**place: int) -> int:
        data = videos(NAMES, tmp_path, bad_media='replace')
        random.seed(draws[0])
        torch.manual_seed(draws[0])
        np.random.seed(draws[0])
        draws[0] += 1
        return label(data[Place(1, **place)])

    draws = [0]
    key = dict(epoch=3, position=11, seed=5)
    assert len({draw(**key) for _ in range(5)}) == 1
    for changed in key:
        found = {draw(**dict(key, **{changed: i})) for i in range(12)}
        assert len(found) > 2, changed


@pytest.mark.parametrize('workers, persistent', [(0, False), (1, True),
                                                 (2, False)])
def test_numbers_of_workers_draw_the_same(tmp_path: Path, workers: int,
                                          persistent: bool) -> None:
    data = videos(NAMES, tmp_path, bad_media='replace')
    places = [Place(i, 1, i, 3) for i in range(8)]
    loader = DataLoader(
        data,
        batch_sampler=[places[:3], places[3:6], places[6:]],
        num_workers=workers,
        persistent_workers=persistent,
        collate_fn=list)
    for _ in range(2):
        found = [label(sample) for batch in loader for sample in batch]
        assert found == [label(data[place]) for place in places]


def test_the_sample_draws_as_if_nothing_had_failed(tmp_path: Path) -> None:
    """Whether a file fails before or after the transforms have drawn."""
    data = videos(['0', '1_hung', '2'], tmp_path, bad_media='replace')
    found = []
    for _ in range(2):
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        found.append(data[Place(1)]['inputs'])
    assert torch.equal(found[0], found[1])
    # The second time the file was not tried.
    assert data.pipeline.transforms[0].opened.count('1_hung') == 1


def test_hung_files_told_by_others_are_not_tried(tmp_path: Path) -> None:
    data = videos(NAMES, tmp_path, bad_media='replace')
    data.known_hung.add(str(tmp_path / '3.mp4'))
    data.known_hung.add('3.mp4')
    sample = data[Place(3)]
    assert label(sample) != 3 and events(sample)[0].hung
    assert '3' not in data.pipeline.transforms[0].opened


def test_raise(tmp_path: Path) -> None:
    data = videos(NAMES, tmp_path)
    assert label(data[0]) == 0
    with pytest.raises(MediaError, match='1_bad.mp4 is damaged'):
        data[1]


def test_without_the_hook(tmp_path: Path) -> None:
    data = videos(NAMES, tmp_path, bad_media='replace')
    assert label(data[1]) == label(data[Place(1, position=1)])
    strict = videos(NAMES, tmp_path, bad_media='replace', max_bad_share=0.1)
    with pytest.raises(BadMediaShareError, match='1 of 8 files .*12.5 %'):
        strict[1]
    report = videos(NAMES, tmp_path, bad_media='report', test_mode=True)
    with pytest.raises(MediaError, match='only with mmvideomamba.BadMedia'):
        report[1]


def test_report_marks_a_stand_in(tmp_path: Path) -> None:
    data = videos([*NAMES, '8_bad'],
                  tmp_path,
                  bad_media='report',
                  test_mode=True)
    for i in range(9):
        sample = data[Place(i)]
        assert sample['data_samples'].sample_idx == i
        bad = events(sample)
        if i in (1, 4, 8):
            assert label(sample) != i
            assert [b.sample for b in bad] == [i]
        else:
            assert label(sample) == i and not bad


@pytest.mark.parametrize('policy', ['replace', 'report'])
def test_all_bad_ends_soon(tmp_path: Path, policy: str) -> None:
    data = videos(['0_bad', '1_bad'],
                  tmp_path,
                  bad_media=policy,
                  max_bad_share=1.,
                  test_mode=policy == 'report')
    with pytest.raises(
            BadMediaShareError, match='no file of .*list.txt can be read'):
        data[Place(0)]
    assert sorted(data.pipeline.transforms[0].opened) == ['0_bad', '1_bad']


def test_many_bad_files_end_a_worker_that_nobody_stops(tmp_path: Path) -> None:
    names = [f'{i}_bad' for i in range(2000)]
    data = videos(names, tmp_path, bad_media='replace', max_bad_share=0.01)
    with pytest.raises(BadMediaShareError, match='and .* more'):
        data[Place(0)]
    assert len(data.pipeline.transforms[0].opened) < 150


def test_limit_of_the_user_is_kept(tmp_path: Path) -> None:
    names = ['0', *(f'{i}_bad' for i in range(1, 40))]
    kwargs = dict(bad_media='replace', max_bad_share=1.)
    data = videos(names, tmp_path, max_refetch=2, **kwargs)
    with pytest.raises(MediaError, match='max_refetch=2'):
        for position in range(20):
            data[Place(5, position=position)]
    assert label(videos(names, tmp_path, **kwargs)[Place(5)]) == 0


def test_pipeline_that_gives_up(tmp_path: Path) -> None:
    """By the host's convention a sample of None is taken again."""
    data = videos(NAMES, tmp_path, bad_media='replace')
    data.pipeline.transforms.insert(0, lambda x: None
                                    if x['label'] == 3 else x)
    sample = data[Place(3)]
    assert label(sample) != 3
    assert events(sample)[0].fault == 'was given up by the pipeline'


def test_copies(tmp_path: Path) -> None:
    data = videos(NAMES, tmp_path, bad_media='replace', num_repeats=2)
    data.pipeline.transforms.insert(1, lambda x: dict(x))
    copies = data[Place(1)]
    assert len({label(copy) for copy in copies}) == 1 and len(copies) == 2
    # Logged once, not once per copy.
    assert [len(events(copy)) for copy in copies] == [1, 0]


def test_copies_that_the_pipeline_gives_up(tmp_path: Path) -> None:
    for place in (0, 1):
        data = videos(NAMES, tmp_path, bad_media='replace', num_repeats=2)
        data.pipeline.transforms.insert(
            place, lambda x: None if x['label'] == 3 else dict(x))
        copies = data[Place(3)]
        assert len({label(copy) for copy in copies} - {3}) == 1


def test_views_of_test_time_augmentation(tmp_path: Path) -> None:
    data = videos(NAMES, tmp_path, bad_media='report', test_mode=True)
    data.pipeline.transforms.append(lambda x: {
        k: [v, v]
        for k, v in x.items()
    })
    views = data[Place(1)]['data_samples']
    assert events(dict(data_samples=views[0]))[0].sample == 1
    assert views[0].sample_idx == 1


def test_windows(tmp_path: Path) -> None:
    (tmp_path / 'list.txt').write_text('0.mp4 0 120\n1_bad.mp4 1 120')
    data = WindowVideoDataset(
        str(tmp_path / 'list.txt'),
        pipeline(),
        check_files=False,
        test_mode=True,
        bad_media='report')
    # Windows are samples, videos are files.
    assert len(data) > 2 and data.num_files == 2
    found = [events(data[Place(i)]) for i in range(len(data))]
    assert [bool(x) for x in found] == [False] * (len(data) // 2) + [True] * (
        len(data) // 2)


def json_set(kind: str, tmp_path: Path, names: List[str], **kwargs: Any):
    entry: Dict[str, Callable[[str], dict]] = dict(
        retrieval=lambda n: dict(caption=[f'text {n}', f'other {n}']),
        qa=lambda n: dict(question=f'text {n}', question_id=n, answer='a'),
        mc=lambda n: dict(caption=[f'text {n}', 'no'], answer=0))
    options = dict(mc=dict(num_options=2)).get(kind, {})
    entries = [dict(entry[kind](n), video=f'{n}.mp4') for n in names]
    (tmp_path / 'x.json').write_text(json.dumps(entries))
    cls = dict(
        retrieval=RetrievalDataset, qa=VideoQADataset, mc=VideoMCDataset)[kind]
    return cls(
        str(tmp_path / 'x.json'),
        pipeline(),
        check_files=False,
        **kwargs,
        **options)


@pytest.mark.parametrize('kind', ['retrieval', 'qa', 'mc'])
def test_json_sets(tmp_path: Path, kind: str) -> None:
    names = ['0', '1_bad', '2']
    data = json_set(
        kind, tmp_path, names, bad_media='replace', max_bad_share=0.5)
    for i in range(len(data)):
        sample = data[Place(i, position=i)]
        one = sample['data_samples']
        text = getattr(one, 'question', None) or getattr(
            one, 'text', None) or one.caption_options[0]
        assert text.endswith(str(int(sample['inputs'][0])))
    data = json_set(kind, tmp_path, names, bad_media='report', test_mode=True)
    assert [bool(events(data[Place(i)]))
            for i in range(3)] == [False, True, False]


@pytest.mark.parametrize('policy, missing, fine', [
    ('raise', 1, False),
    ('replace', 2, True),
    ('replace', 3, False),
    ('report', 7, True),
    ('report', 8, False),
])
def test_missing_files_at_the_start(tmp_path: Path, mm_log, policy: str,
                                    missing: int, fine: bool) -> None:
    for i in range(missing, 8):
        (tmp_path / f'{i}.mp4').touch()
    kwargs = dict(
        bad_media=policy,
        max_bad_share=0.25,
        check_files=True,
        data_prefix=dict(video=str(tmp_path)),
        test_mode=policy == 'report')
    names = [str(i) for i in range(8)]
    match = f'{missing} of 8 videos do not exist'
    if fine:
        videos(names, tmp_path, **kwargs)
        assert any(match in line for line in mm_log)
    else:
        with pytest.raises(FileNotFoundError, match=match) as caught:
            videos(names, tmp_path, **kwargs)
        limit = dict(replace='let 2 be missing', report='let 7 be missing')
        assert limit.get(policy, 'leaves this to') in str(caught.value)


@pytest.mark.parametrize('kwargs, match', [
    (dict(bad_media='skip'),
     r"one of \['raise', 'replace', 'report'\], but is 'skip'"),
    (dict(max_bad_share=1.5), 'max_bad_share must be from 0 to 1.* 1.5'),
    (dict(max_bad_share=-.1), 'max_bad_share must be from 0 to 1.* -0.1'),
    (dict(max_bad_share='x'), "max_bad_share must be from 0 to 1.* 'x'"),
    (dict(max_refetch=-1), 'max_refetch must be at least 0'),
    (dict(max_refetch='3'), "max_refetch must be at least 0, but is '3'"),
    (dict(bad_media='report', test_mode=True,
          max_refetch=3), "max_refetch limits .*bad_media='report'"),
    (dict(bad_media='replace', test_mode=True), 'would test on other'),
])
def test_bad_arguments(tmp_path: Path, kwargs: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        videos(NAMES, tmp_path, **kwargs)
