"""A workaround heals once, with a cause; packages are found unimported."""
from typing import List

import pytest

from mmvideomamba.compat.workaround import (Workaround, installed_version,
                                            package_dir)


@pytest.mark.parametrize('cause, state, calls', [
    ('old host', 'applied', ['cure']),
    ('', 'not needed', []),
])
def test_apply(cause: str, state: str, calls: List[str]) -> None:
    called: List[str] = []
    workaround = Workaround(
        name='name',
        cause=lambda: cause,
        link='link',
        until='release',
        cure=lambda: called.append('cure'))
    workaround.apply()
    workaround.apply()
    assert (workaround.state, workaround.reason) == (state, cause)
    assert called == calls


def test_failed_cure_is_not_reported_as_applied() -> None:

    def fail() -> None:
        raise RuntimeError

    workaround = Workaround('name', lambda: 'cause', 'link', 'release', fail)
    with pytest.raises(RuntimeError):
        workaround.apply()
    assert workaround.state == ''


def test_package_dir() -> None:
    folder = package_dir('mmpretrain')
    assert folder is not None and (folder / 'version.py').is_file()
    assert package_dir('no_such_package') is None


def test_installed_version() -> None:
    assert installed_version('mmaction2') == '1.2.0'
    assert installed_version('no-such-distribution') == ''
