"""Reports of bad media: file, reason, and share of all files."""
from bad_media_run import medium
from mmaction.structures import ActionDataSample

from mmvideomamba.datasets.bad_medium import (KEY, allowed_bad, bad_media_in,
                                              share_error)


def test_found_in_a_batch() -> None:
    good, bad = ActionDataSample(), ActionDataSample()
    bad.set_metainfo({KEY: [medium('a')]})
    assert bad_media_in(dict(data_samples=[good, bad])) == [[], [medium('a')]]
    # Two views of test-time augmentation; a file is reported once.
    views = [(good, bad), (ActionDataSample(), ActionDataSample())]
    assert bad_media_in(dict(data_samples=views)) == [[], [medium('a')]]
    for other in (None, [1, 2], dict(inputs=3), dict(data_samples=None)):
        assert bad_media_in(other) == []


def test_error_names_the_first_files() -> None:
    faults = {f'{i}.mp4': 'is empty' for i in range(12)}
    text = str(share_error('a.txt', faults, 48, 0.1, 'bad_media.json'))
    assert text.startswith('12 of 48 files of a.txt are bad, 25 %; '
                           'max_bad_share=0.1 ends the training')
    assert '9.mp4 is empty\n  and 2 more' in text
    assert 'All of them are in bad_media.json' in text


def test_share_of_files() -> None:
    assert [allowed_bad(100, i / 100) for i in range(101)] == list(range(101))
    assert allowed_bad(7, 0.1) == 0 and allowed_bad(19, 0.1) == 1
