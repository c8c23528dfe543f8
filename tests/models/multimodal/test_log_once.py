"""Lines of a log without repetition."""
from mmvideomamba.models.multimodal import log_once


def test_same_words_are_logged_once(mm_log: list, monkeypatch) -> None:
    monkeypatch.setattr(log_once, '_SAID', set())
    for message in ('one', 'one', 'other', 'one'):
        log_once.log_once(message)
    assert mm_log == ['one', 'other']
