"""Errors of the disk."""
import errno
import pickle
from pathlib import Path

import pytest

from mmvideomamba.datasets.preparation.disk_errors import (DiskError,
                                                           DraftFile,
                                                           disk_errors)


def test_error_names_the_file() -> None:
    with pytest.raises(DiskError) as caught:
        with disk_errors(Path('out/a.mp4')):
            raise OSError(errno.ENOSPC, 'No space left on device')
    error = pickle.loads(pickle.dumps(caught.value))  # as between processes
    assert type(error) is DiskError and error.errno == errno.ENOSPC
    assert error.strerror == 'out/a.mp4: No space left on device'


def test_draft(tmp_path: Path) -> None:
    file = DraftFile(tmp_path / 'a')
    assert file.write(b'abcd') == 4 and file.tell() == 4
    assert file.seek(1) == 1
    file.write(b'x')
    file.close()
    assert (tmp_path / 'a').read_bytes() == b'axcd'
    with pytest.raises(DiskError, match='No such file'):
        DraftFile(tmp_path / 'gone' / 'a')
