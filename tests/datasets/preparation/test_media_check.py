"""Files are opened and decoded once; each fault has a kind."""
import os
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence

import numpy as np
import pytest
from bad_videos import encode
from numbered_frames import damage

from mmvideomamba.datasets.preparation import media_check
from mmvideomamba.datasets.preparation.media_check import (CheckSettings,
                                                           FileCheck,
                                                           add_digests,
                                                           check_files,
                                                           make_settings)
from mmvideomamba.datasets.video import (UnsupportedVideoError, VideoReader,
                                         reader_in_use)


@pytest.fixture
def files(tmp_path: Path, make_video: Callable[..., Path]) -> Dict[str, str]:
    """Make a file of each kind; return path to kind of fault."""
    clip = make_video('good.mp4', frames=3)
    (tmp_path / 'cut.mp4').write_bytes(clip.read_bytes()[:-200])
    (tmp_path / 'empty.mp4').touch()
    (tmp_path / 'folder.mp4').mkdir()
    os.mkfifo(tmp_path / 'pipe.mp4')
    os.symlink('gone.mp4', tmp_path / 'dead.mp4')
    os.symlink('loop.mp4', tmp_path / 'loop.mp4')
    os.symlink('good.mp4', tmp_path / 'link.mp4')
    kinds = dict(
        good='',
        link='',
        cut='damaged',
        empty='damaged',
        folder='no-file',
        pipe='no-file',
        dead='missing',
        loop='missing',
        gone='missing')
    return {str(tmp_path / f'{n}.mp4'): kind for n, kind in kinds.items()}


def check(paths: Any, settings: CheckSettings = CheckSettings(),
          **kwargs: Any) -> Dict[str, FileCheck]:
    return check_files(dict.fromkeys(paths, 'video'), settings, bar=False,
                       **kwargs)  # yapf: disable


@pytest.mark.parametrize(
    'settings',
    [CheckSettings(), CheckSettings(whole=True, workers=2)])
def test_kinds(files: Dict[str, str], settings: CheckSettings) -> None:
    found = check(files, settings)
    assert {path: result.kind for path, result in found.items()} == files
    assert list(found) == list(files)
    good, link = list(found.values())[:2]
    assert good.frames == 3 and good.file_id == link.file_id
    dead = next(r for path, r in found.items() if 'dead' in path)
    assert 'gone.mp4, which does not exist' in dead.text


def test_unchanged_files_are_not_decoded_again(
        files: Dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = check(files)
    good = next(iter(files))
    monkeypatch.setattr(media_check, 'decode_video', lambda *_: (99, False))

    def frames(settings: CheckSettings) -> int:
        return check(files, settings, known=first)[good].frames

    assert frames(CheckSettings()) == 3
    assert frames(CheckSettings(whole=True)) == 99
    assert frames(CheckSettings(version='other')) == 99
    os.utime(good, (1, 1))
    assert frames(CheckSettings()) == 99
    whole = {good: first[good]._replace(whole=True, mtime=10**9)}
    assert check([good], known=whole)[good].frames == 3


def test_damage_in_the_middle(tmp_path: Path) -> None:
    path = encode(tmp_path / 'a.mp4', '-c:v', 'libx264', '-g', '5')
    damage(path, tmp_path / 'b.mp4', count=100)
    paths = [str(path), str(tmp_path / 'b.mp4')]
    quick = [result.kind for result in check(paths).values()]
    whole = check(paths, CheckSettings(whole=True))
    assert quick == ['', '']
    assert [result.kind for result in whole.values()] == ['', 'damaged']


@pytest.mark.parametrize('reader', ['pyav', 'opencv'])
def test_lost_end_that_nobody_can_see(tmp_path: Path, reader: str) -> None:
    path = encode(tmp_path / 'a.ts', '-c:v', 'libx264')
    good = encode(tmp_path / 'a.mp4', '-c:v', 'libx264')
    found = check([str(path), str(good)], CheckSettings(reader=reader))
    assert [result.open_end for result in found.values()] == [True, False]


class Counting(VideoReader):
    """A reader without its own method to decode all frames."""

    name = 'counting'

    def __len__(self) -> int:
        return 25

    def _read(self, indices: Sequence[int]) -> Dict[int, np.ndarray]:
        self.seen = [*getattr(self, 'seen', []), *indices]
        return {i: np.zeros((512, 512, 3), np.uint8) for i in indices}

    def close(self) -> None:
        pass


def test_any_reader_decodes_all_in_blocks() -> None:
    reader = Counting('a.mp4', 'a.mp4')
    blocks: List[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmvideomamba.datasets.video.reader.BLOCK_BYTES',
                      10 * 512 * 512 * 3)
        reader.decode_all(lambda: blocks.append(len(reader.seen)))
    first, *seen = reader.seen  # the first frame tells the size
    assert first == 0 and seen == list(range(25))
    assert blocks == [11, 21, 26]


def test_settings_name_the_reader() -> None:
    settings = make_settings(True, 'auto', 2, None)
    assert settings.version == reader_in_use()
    named = make_settings(False, 'pyav', 1, 5)
    assert named.version.startswith('pyav ')
    with pytest.raises(ValueError, match="reader must be .* 'ffms'"):
        make_settings(False, 'ffms', 1, None)


def hang(path: str, *args: Any) -> None:
    time.sleep(60)


def refuse(path: str, *args: Any) -> None:
    raise UnsupportedVideoError(path, 'is odd')


def lock(path: str, *args: Any) -> None:
    raise PermissionError(13, 'Permission denied')


@pytest.mark.parametrize('decode, kind, text', [
    (hang, 'hung', 'time limit'),
    (refuse, 'unsupported', 'is odd'),
    (lock, 'damaged', 'cannot be read: Permission denied'),
])
def test_decoder_at_fault(files: Dict[str, str], decode: Callable, kind: str,
                          text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good = next(iter(files))
    monkeypatch.setattr(media_check, 'decode_video', decode)
    result = check([good], CheckSettings(time_limit=1))[good]
    assert result.kind == kind and text in result.text


def test_interruption_keeps_what_was_checked(
        files: Dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    saved = []

    def some(*args: Any) -> Any:
        yield 0, FileCheck(frames=3)
        raise KeyboardInterrupt

    monkeypatch.setattr(media_check, 'run_tasks', some)
    last = list(files)[-1]
    with pytest.raises(KeyboardInterrupt):
        check(files, known={last: FileCheck('missing')}, save=saved.append)
    assert saved == [{
        next(iter(files)): FileCheck(frames=3),
        last: FileCheck('missing')
    }]


def test_path_with_a_zero_byte() -> None:
    assert check(['a\0b.mp4'])['a\0b.mp4'].kind == 'missing'


def test_images(tmp_path: Path) -> None:
    (tmp_path / 'a.jpg').write_text('no image')
    path = str(tmp_path / 'a.jpg')
    found = check_files({path: 'image'}, CheckSettings(), bar=False)
    assert found[path].kind == 'damaged'


def test_digests(tmp_path: Path) -> None:
    for name, content in dict(a='xy', b='xy', c='yx', d='z').items():
        (tmp_path / name).write_text(content)
    os.symlink('a', tmp_path / 'e')
    checks = {
        str(tmp_path / n): FileCheck(size=len(text), file_id=text_id)
        for n, text, text_id in [('a', 'xy',
                                  '1'), ('b', 'xy',
                                         '2'), ('c', 'yx',
                                                '3'), ('d', 'z',
                                                       '4'), ('e', 'xy', '1')]
    }
    found = [c.digest for c in add_digests(checks, CheckSettings()).values()]
    assert found[0] == found[1] == found[4] != found[2]
    assert all(found[:3]) and found[3] == ''
