import json
from pathlib import Path
from typing import Any, Callable

import pytest

from mmvideomamba.datasets import RetrievalDataset


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., RetrievalDataset]:
    """Return a function to write a caption file and build the data set."""

    def make(entries: Any, **kwargs: Any) -> RetrievalDataset:
        for name in 'abc':
            (tmp_path / f'{name}.mp4').touch()
        path = tmp_path / 'captions.json'
        path.write_text(
            entries if isinstance(entries, str) else json.dumps(entries))
        return RetrievalDataset(
            str(path), [], data_prefix=dict(video=str(tmp_path)), **kwargs)

    return make


def pair_ids(dataset: RetrievalDataset) -> list:
    return [dataset.get_data_info(i)['pair_id'] for i in range(len(dataset))]


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
    # Lists needed for evaluation alone are not sent to the workers.
    assert not found.texts and not found.texts_of_video
    # Texts of one video are positives, and so are videos of one text.
    assert [s['pair_id'] for s in samples] == [0, 0, 1, 0, 0]


def test_ids_by_caption(build) -> None:
    """Eight videos of two captions, as in Something-Something V2."""
    entries = [
        dict(
            video=f'{i}.mp4', caption=['Moving a [cup].', 'Opening it'][i % 2])
        for i in range(8)
    ]
    options = dict(check_files=False)
    found = build(entries, pair_ids='caption', **options)
    assert pair_ids(found) == [0, 1] * 4
    assert pair_ids(build(entries, **options)) == list(range(8))


@pytest.mark.parametrize('ids, wanted', [('video', [0, 0, 1, 2, 1, 1, 3]),
                                         ('caption', [0, 0, 1, 1, 1, 1, 0])])
def test_what_belongs_together_has_one_id(build, ids: str,
                                          wanted: list) -> None:
    found = build(
        [
            dict(video='a.mp4', caption=['a cat', 'a pet']),
            dict(video='b.mp4', caption='a dog'),
            # The same name in another folder, another video.
            dict(video='x/b.mp4', caption='a dog'),
            dict(video=['b.mp4', 'c.mp4'], caption='a hound'),
            dict(video='d.mp4', caption='a pet')
        ],
        pair_ids=ids,
        check_files=False)
    assert pair_ids(found) == wanted


def test_doubles_train_once(build, mm_log) -> None:
    entries = [
        dict(video=['a.mp4', 'a.mp4'], caption=['A cat!', 'a cat']),
        dict(video='b.mp4', caption='a dog'),
        dict(video=['b.mp4', 'c.mp4'], caption='A dog.')
    ]
    found = build(entries)
    samples = [found.get_data_info(i) for i in range(len(found))]
    assert [(Path(s['filename']).stem, s['text'])
            for s in samples] == [('a', 'a cat'), ('b', 'a dog'),
                                  ('c', 'a dog')]
    assert '4 of 7 pairs of a video and a caption are doubles' in ' '.join(
        mm_log)
    # Each text of an evaluation is a query, as published.
    assert len(build(entries, test_mode=True).texts) == 4


def test_a_path_spelt_in_two_ways(build, tmp_path: Path) -> None:
    (tmp_path / 'deep').mkdir()
    entries = [
        dict(video='./a.mp4', caption='a cat'),
        dict(
            video=[str(tmp_path / 'deep' / '..' / 'a.mp4'), 'b.mp4'],
            caption='a pet'),
        dict(video='deep//../a.mp4', caption='a cat')
    ]
    found = build(entries)
    assert pair_ids(found) == [0, 0, 0]  # else a negative of an own caption
    assert len({found.get_data_info(i)['filename'] for i in range(3)}) == 2
    assert build(entries, test_mode=True).texts_of_video == [[0, 1, 2], [1]]


def test_urls_stay_as_they_are(build) -> None:
    entries = [dict(video=f's3://x{i}a.mp4', caption='a') for i in ('/', '//')]
    found = build(entries)
    assert pair_ids(found) == [0, 1]
    assert found.get_data_info(1)['filename'].endswith('s3://x//a.mp4')


def test_captions_that_join_most_pairs_are_told(build, mm_log) -> None:
    build([
        dict(video='a.mp4', caption=['a cat', 'a pet']),
        dict(video='b.mp4', caption=['a pet', 'a dog']),
        dict(video='c.mp4', caption='a bird')
    ],
          pair_ids='caption')
    assert '4 of 5 pairs positives of each other' in ' '.join(mm_log)


def test_random_texts(build) -> None:
    found = build(ENTRIES, train_texts='random')
    # Each video is one sample, with the texts of all entries of the video.
    samples = [found.get_data_info(0) for _ in range(60)]
    assert len(found) == 3
    assert {s['text'] for s in samples} == {'a cat', 'a kitten', 'a pet'}


def test_paragraphs_and_images(build) -> None:
    found = build([dict(image='a.mp4', caption=['A cat.', 'It runs.'])],
                  paragraph=True,
                  test_mode=True)
    assert found.texts == ['a cat it runs']


@pytest.mark.parametrize('entries, match', [
    ('{', 'not JSON'),
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


@pytest.mark.parametrize('name', ['train_texts', 'pair_ids'])
def test_unknown_options(build, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}.*'all'"):
        build(ENTRIES, **{name: 'all'})
