"""Errors of media keep their parts on the way from a worker."""
import pickle

import pytest

from mmvideomamba.datasets.video import (HungMediaError, MediaError,
                                         MissingMediaError,
                                         UnsupportedVideoError)


@pytest.mark.parametrize(
    'kind',
    [MediaError, MissingMediaError, UnsupportedVideoError, HungMediaError])
def test_message_survives_pickling(kind: type) -> None:
    error = kind('a/b.mp4', 'is cut off', 'Download it.', 'image')
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind and isinstance(copy, MediaError)
    assert str(copy) == 'image a/b.mp4 is cut off. Download it.'
    assert (copy.path, copy.fault) == ('a/b.mp4', 'is cut off')


def test_missing_file_is_both_kinds_of_error() -> None:
    with pytest.raises(FileNotFoundError, match='video a does not exist. Cor'):
        raise MissingMediaError('a')
    assert issubclass(MissingMediaError, ValueError)


@pytest.mark.parametrize('kind', [MediaError, MissingMediaError])
def test_text_of_a_data_loader_is_the_message(kind: type) -> None:
    """torch raises the error of a worker anew, from a text alone."""
    text = 'Caught error in DataLoader worker process 0.'
    assert str(kind(text)) == text
