import json
from pathlib import Path
from typing import Any, Callable

import pytest

from mmvideomamba.datasets import CaptionClassDataset

ENTRIES = [
    dict(video='a.mp4', caption='Riding a bike'),
    dict(video=['b.mp4', 'c.mp4'], caption='abseiling'),
    dict(video='d.mp4', caption=['riding a bike.', 'cycling'])
]


@pytest.fixture
def build(tmp_path: Path) -> Callable:
    """Return a function to write an annotation file and build the data set."""

    def make(entries: Any = ENTRIES, **kwargs: Any) -> CaptionClassDataset:
        for name in 'abcd':
            (tmp_path / f'{name}.mp4').touch()
        path = tmp_path / 'list.json'
        path.write_text(json.dumps(entries))
        return CaptionClassDataset(
            str(path),
            pipeline=[],
            data_prefix=dict(video=str(tmp_path)),
            test_mode=True,
            **kwargs)

    return make


def labels(dataset: CaptionClassDataset) -> dict:
    samples = [dataset.get_data_info(i) for i in range(len(dataset))]
    return {Path(s['filename']).stem: s['label'] for s in samples}


def test_the_distinct_captions_are_the_classes(build) -> None:
    dataset = build()
    assert dataset.metainfo['classes'] == ['abseiling', 'riding a bike']
    assert dataset.metainfo['wordings'] == [['abseiling'],
                                            ['riding a bike', 'cycling']]
    assert labels(dataset) == dict(a=1, b=0, c=0, d=1)


def test_given_classes_number_the_labels(build, tmp_path: Path) -> None:
    names = tmp_path / 'classes.txt'
    names.write_text('Zumba\n\nRiding a bike\nAbseiling\n')
    dataset = build(metainfo=dict(classes=str(names)))
    assert dataset.metainfo['classes'] == [
        'zumba', 'riding a bike', 'abseiling'
    ]
    assert labels(dataset) == dict(a=1, b=2, c=2, d=1)
    with pytest.raises(ValueError, match="entry 1 has the class 'abseiling'"):
        build(metainfo=dict(classes=['riding a bike']))
    with pytest.raises(ValueError, match='there is no file none.txt'):
        build(metainfo=dict(classes='none.txt'))


def test_a_video_has_one_class(build) -> None:
    again = dict(video='a.mp4', caption='riding a bike')
    assert labels(build([*ENTRIES, again])) == dict(a=1, b=0, c=0, d=1)
    again['caption'] = 'abseiling'
    with pytest.raises(
            ValueError,
            match="entry 3 has .*a.mp4 of class 'abseiling', "
            "which is of class 'riding a bike'"):
        build([*ENTRIES, again])


def test_missing_videos(build) -> None:
    entries = [dict(image='none.jpg', caption='x'), *ENTRIES]
    with pytest.raises(FileNotFoundError, match='1 of 5 .*do not exist'):
        build(entries)
    assert len(build(entries, check_files=False)) == 5
