"""Headers are read as tarfile reads them, in any format."""
import io
import tarfile
from pathlib import Path

import pytest

from mmvideomamba.datasets.captions.tar_members import (TarEndError,
                                                        TarMembers, _plain)

NAMES = ['a.png', 'b/c.txt', 'long' * 30 + '/' + 'd' * 90, 'e' * 300, 'ä']


def read(path: Path, offset: int = 0) -> list:
    with open(path, 'rb') as file:
        return list(TarMembers(file, path.stat().st_size).read(offset))


@pytest.mark.parametrize(
    'form', [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_formats(tmp_path: Path, form: int) -> None:
    path = tmp_path / 'a.tar'
    names = [n for n in NAMES if form != tarfile.USTAR_FORMAT or len(n) < 256]
    with tarfile.open(path, 'w', format=form) as file:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE):
            member = tarfile.TarInfo('other')
            member.type = kind
            file.addfile(member)
        for number, name in enumerate(names):
            member = tarfile.TarInfo(name)
            member.size = 700 * number
            file.addfile(member, io.BytesIO(bytes(member.size)))
    with tarfile.open(path) as file:
        expected = [(m.name, m.offset_data, m.size) for m in file
                    if m.isfile()]
    found = read(path)
    assert [(m.name, m.start, m.size) for m in found] == expected
    assert [name for name, _, _ in expected] == names
    # From the header of any member on.
    for number, member in enumerate(found):
        assert read(path, member.header) == found[number:]


def test_plain_headers() -> None:
    """A plain header is parsed; a header of wrong checksum is not plain."""
    info = tarfile.TarInfo('a.png')
    info.size = 1000
    header = info.tobuf(tarfile.GNU_FORMAT)
    member = _plain(header, 512)
    assert member is not None and member == ('a.png', 512, 1024, 1000, False)
    for place in (0, 100, 124, 150, 300, 511):
        other = bytes([header[place] ^ 1])
        assert _plain(header[:place] + other + header[place + 1:], 0) is None
    info.size = 9 << 30  # no room for the digits
    assert _plain(info.tobuf(tarfile.GNU_FORMAT), 0) is None


@pytest.mark.parametrize('size', [0, 300, 512, 1000])
def test_early_ends(tmp_path: Path, size: int) -> None:
    path = tmp_path / 'a.tar'
    with tarfile.open(path, 'w') as file:
        member = tarfile.TarInfo('a.png')
        member.size = 900
        file.addfile(member, io.BytesIO(bytes(900)))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(TarEndError):
        read(path)


def test_size_below_zero(tmp_path: Path) -> None:
    """A negative size does not lead back to the same header endlessly."""
    info = tarfile.TarInfo('a.png')
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b'\xff' * 10 + b'\xfc\x00'  # -1024
    header[148:156] = b' ' * 8
    header[148:156] = b'%06o\0 ' % sum(header)
    (tmp_path / 'a.tar').write_bytes(bytes(header) + bytes(1024))
    with pytest.raises(TarEndError, match='byte 0'):
        read(tmp_path / 'a.tar')
