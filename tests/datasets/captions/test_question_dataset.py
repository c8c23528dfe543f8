import json
from pathlib import Path
from typing import Any, Callable

import pytest
from mmaction.datasets.msrvtt_datasets import MSRVTTVQA, MSRVTTVQAMC

from mmvideomamba.datasets import VideoMCDataset, VideoQADataset

QUESTIONS = [
    dict(
        video='a.mp4',
        question='What is the MAN doing?',
        question_id=7,
        answer='run'),
    dict(
        video='b.mp4',
        question='who?',
        question_id='b_1',
        answer=['a cat', 'dog', 'a cat', 'Dog'])
]
CHOICES = [
    dict(video='a.mp4', caption=['A cat.', 'b', 'c'], answer=2),
    dict(video='b.mp4', caption=['d', 'e', 'f'], answer=0)
]


@pytest.fixture
def build(tmp_path: Path) -> Callable:
    """Return a function to write a question file and build the data set."""

    def make(kind: type, entries: Any, **kwargs: Any) -> Any:
        for name in 'ab':
            (tmp_path / f'{name}.mp4').touch()
        path = tmp_path / 'questions.json'
        path.write_text(json.dumps(entries))
        if kind is VideoMCDataset:
            kwargs.setdefault('num_options', 3)
        return kind(
            str(path),
            pipeline=[],
            data_prefix=dict(video=str(tmp_path)),
            **kwargs)

    return make


def listed(dataset: Any) -> list:
    return [dataset.get_data_info(i) for i in range(len(dataset))]


@pytest.mark.parametrize('ours, host, entries', [
    (VideoQADataset, MSRVTTVQA, QUESTIONS),
    (VideoMCDataset, MSRVTTVQAMC, CHOICES),
])
def test_samples_are_those_of_the_host(build, ours: type, host: type,
                                       entries: list) -> None:
    assert listed(build(ours, entries)) == listed(build(host, entries))


def test_questions(build) -> None:
    first, second = listed(build(VideoQADataset, QUESTIONS))
    assert Path(first['filename']).name == 'a.mp4'
    assert first['question'] == 'what is the man doing'
    assert (first['gt_answer'], first['gt_answer_weight']) == (['run'], [1.])
    assert (first['question_id'], second['question_id']) == (7, 'b_1')
    assert second['gt_answer'] == ['a cat', 'dog', 'Dog']
    assert second['gt_answer_weight'] == [0.5, 0.25, 0.25]


def test_choices(build) -> None:
    first, second = listed(build(VideoMCDataset, CHOICES))
    assert first['caption_options'] == ['a cat', 'b', 'c']
    assert (first['label'], second['label']) == (2, 0)


def changed(entry: dict, **kwargs: Any) -> list:
    """Return two entries; keys given as None are missing in the second."""
    new = {**entry, **kwargs}
    return [entry, {k: v for k, v in new.items() if v is not None}]


@pytest.mark.parametrize('change, match', [
    (dict(video=None), "1 of 2 entries.*\n.*entry 1 has no 'video'"),
    (dict(question=None), "entry 1 has no 'question', only"),
    (dict(answer=None), "entry 1 has no 'answer'"),
    (dict(question_id=None), "entry 1 has no 'question_id'"),
    (dict(video=['a.mp4', 'b.mp4']), "has 2 of 'video', not one"),
    (dict(question='?!'), 'entry 1 has an empty question'),
    (dict(answer=' '), 'entry 1 has an empty answer'),
    (dict(answer=['dog', '']), 'entry 1 has an empty answer'),
    (dict(answer=[]), 'neither a text nor a list'),
    (dict(answer=3), 'neither a text nor a list'),
])
def test_bad_questions(build, change: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        build(VideoQADataset, changed(QUESTIONS[0], **change))


@pytest.mark.parametrize('change, match', [
    (dict(video=None), "entry 1 has no 'video'"),
    (dict(caption=None), "entry 1 has no 'caption'"),
    (dict(caption=['a', '.', 'c']), 'entry 1 has an empty caption'),
    (dict(caption=['a', 'b']), '2 options, but num_options is 3'),
    (dict(answer=None), "'answer': None, .* 0 to 2"),
    (dict(answer=3), "'answer': 3, .* 0 to 2"),
    (dict(answer=-1), "'answer': -1"),
    (dict(answer=True), "'answer': True"),
    (dict(answer='1'), "'answer': '1'"),
])
def test_bad_choices(build, change: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        build(VideoMCDataset, changed(CHOICES[0], **change))


def test_too_few_options(build) -> None:
    with pytest.raises(ValueError, match='num_options.*at least 2, but is 1'):
        build(VideoMCDataset, CHOICES, num_options=1)


@pytest.mark.parametrize('kind, entry', [(VideoQADataset, QUESTIONS[0]),
                                         (VideoMCDataset, CHOICES[0])])
def test_missing_videos(build, kind: type, entry: dict) -> None:
    entries = changed(entry, video='x.mp4')
    with pytest.raises(FileNotFoundError, match='1 of 2 videos.*\n.*x.mp4'):
        build(kind, entries)
    assert len(build(kind, entries, check_files=False)) == 2
    with pytest.raises(FileNotFoundError, match='nothing.json does not exist'):
        kind('nothing.json', pipeline=[])
