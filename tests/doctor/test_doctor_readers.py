"""The readers of videos, each tried."""
import importlib
import sys

import av
from findings import by_name

from mmvideomamba.doctor.finding import FAIL, NOTE
from mmvideomamba.doctor.readers import check_readers


def test_readers(monkeypatch) -> None:
    """A reader unable to run is a note; the choice is named."""
    monkeypatch.setitem(sys.modules, 'decord', None)
    readers = importlib.import_module('mmvideomamba.datasets.video.choice')
    readers.reader_class.cache_clear()
    found = by_name(check_readers())
    assert list(found) == [*readers.READERS, "reader='auto'"]
    assert found['pyav'].text == f'pyav {av.__version__} decodes'
    assert found['decord'].status == NOTE
    assert 'pip install decord==0.6.0, or' in found['decord'].text
    assert found["reader='auto'"].text == f'takes {readers.reader_in_use()}'


def test_no_reader_works(monkeypatch) -> None:
    readers = importlib.import_module('mmvideomamba.datasets.video.choice')

    def refuse() -> str:
        raise ImportError('no reader of videos works here')

    monkeypatch.setattr(readers, 'reader_in_use', refuse)
    finding, = check_readers()
    assert finding.status == FAIL
    assert 'no reader of videos works here' in finding.text
