"""Lines of the log do not mix with results."""
import sys

import pytest
from mmengine.logging import MMLogger

from mmvideomamba.cli.log_stream import logs_to_stderr


def test_lines(capsys: pytest.CaptureFixture) -> None:
    """Handlers made before are moved, and come back."""
    logger = MMLogger('log_stream_test', logger_name='log_stream_test')
    handler = logger.handlers[0]
    handler.setStream(sys.stdout)
    current = MMLogger.get_current_instance
    try:
        MMLogger.get_current_instance = classmethod(lambda cls: logger)
        with logs_to_stderr() as stream:
            logger.info('a line')
            sys.stdout.write('of a host\n')
            stream.write('a result\n')
    finally:
        MMLogger.get_current_instance = current
    assert handler.stream is sys.stdout
    printed = capsys.readouterr()
    assert printed.out == 'a result\n'
    assert 'a line' in printed.err and 'of a host' in printed.err
