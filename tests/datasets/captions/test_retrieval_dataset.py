import json
from pathlib import Path
from typing import Any, Callable

import pytest

from mmvideomamba.datasets import RetrievalDataset


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., RetrievalDataset]:
    """Return a function that writes a caption file and reads it."""

    def make(entries: Any, **kwargs: Any) -> RetrievalDataset:
        for name in 'abc':
            (tmp_path / f'{name}.mp4').touch()
        path = tmp_path / 'captions.json'
        path.write_text(
            entries if isinstance(entries, str) else json.dumps(entries))
        return RetrievalDataset(
            str(path), [], data_prefix=dict(video=str(tmp_path)), **kwargs)

    return make


ENTRIES = [
    dict(video='a.mp4', caption=['A Cat!', 'a kitten']),
    dict(video='b.mp4', caption='a dog'),
    dict(video=['a.mp4', 'c.mp4'], caption='a pet')
]


def test_relations(build) -> None:
    found = build(ENTRIES, test_mode=True)
    assert found.texts == ['a cat', 'a kitten', 'a dog', 'a pet']
    assert found.videos_of_text == [[0], [0], [1], [0, 2]]
    assert found.texts_of_video == [[0, 1, 3], [2], [3]]
    samples = [found.get_data_info(i) for i in range(len(found))]
    assert [s['video_index'] for s in samples] == [0, 1, 2]
    assert [Path(s['filename']).name
            for s in samples] == ['a.mp4', 'b.mp4', 'c.mp4']


def test_training_samples(build) -> None:
    found = build(ENTRIES)
    samples = [found.get_data_info(i) for i in range(len(found))]
    assert [s['text'] for s in samples
            ] == ['a cat', 'a kitten', 'a dog', 'a pet', 'a pet']
    # No worker gets lists that only evaluation needs.
    assert not found.texts and not found.texts_of_video
    # Texts of one video are positives, and videos of one text.
    assert [s['pair_id'] for s in samples] == [0, 0, 1, 5, 5]


def test_random_texts(build) -> None:
    found = build(ENTRIES[:2], train_texts='random')
    assert len(found) == 2
    texts = {found.get_data_info(0)['text'] for _ in range(40)}
    assert texts == {'a cat', 'a kitten'}


def test_paragraphs_and_images(build) -> None:
    found = build([dict(image='a.mp4', caption=['A cat.', 'It runs.'])],
                  paragraph=True,
                  test_mode=True)
    assert found.texts == ['a cat it runs']


@pytest.mark.parametrize('entries, match', [
    ('{', 'no JSON'),
    ([], 'at least one entry'),
    (dict(video='a'), 'must hold a list'),
    ([dict(caption='a')], "1 of 1 entries.*\n.*entry 0 has no 'video'"),
    ([dict(video='a.mp4')], "entry 0 has no 'caption', only .'video'"),
    ([dict(video='a.mp4', caption='?!')], 'entry 0 has an empty caption'),
    ([dict(video='', caption='a')], "entry 0 has an empty video: .''"),
    ([dict(video='a.mp4', caption=3)], 'neither a text nor a list'),
    ([dict(video='a.mp4', caption=[])], 'neither a text nor a list'),
    ([1] * 12, 'and 2 more'),
])
def test_bad_files(build, entries: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        build(entries)


def test_missing_files(build, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='1 of 2 videos.*\n.*x.mp4'):
        build([*ENTRIES[:1], dict(video='x.mp4', caption='a')])
    assert len(build([dict(video='x.mp4', caption='a')], check_files=False))
    with pytest.raises(FileNotFoundError, match='nothing.json does not exist'):
        RetrievalDataset(str(tmp_path / 'nothing.json'), [])


def test_unknown_way_to_train(build) -> None:
    with pytest.raises(ValueError, match="train_texts.*'all'"):
        build(ENTRIES, train_texts='all')
