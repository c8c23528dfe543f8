"""Complaints of FFmpeg are gathered by thread; settings are restored."""
import threading

import av.logging
import pytest

from mmvideomamba.datasets.video.library_log import watch


def test_errors_and_losses_are_complaints() -> None:
    with watch() as found:
        av.logging.log(av.logging.ERROR, 'h264', 'no  frame!\n')
        av.logging.log(av.logging.WARNING, 'flv', 'Packet mismatch 1 2')
        av.logging.log(av.logging.WARNING, 'mov', 'a harmless remark')
        av.logging.log(av.logging.ERROR, 'h264', 'no  frame!\n')
    assert found == [
        'h264: no frame!', 'flv: Packet mismatch 1 2', 'h264: no frame!'
    ]


def test_settings_are_restored_after_an_error() -> None:
    before = av.logging.get_level(), av.logging.get_skip_repeated()
    with pytest.raises(KeyError):
        with watch():
            with watch():
                raise KeyError
    assert before == (av.logging.get_level(), av.logging.get_skip_repeated())


def test_threads_do_not_hear_each_other() -> None:

    def complain() -> None:
        with watch():
            av.logging.log(av.logging.ERROR, 'h264', 'of the thread')

    with watch() as found:
        thread = threading.Thread(target=complain)
        thread.start()
        thread.join()
        av.logging.log(av.logging.ERROR, 'h264', 'of the main thread')
    assert found == ['h264: of the main thread']
