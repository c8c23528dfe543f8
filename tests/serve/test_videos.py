"""No request reads a file outside of the indexed folders."""
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from serve.conftest import Served

from mmvideomamba.inference.search import VideoRecord
from mmvideomamba.serve.videos import IndexedVideos, VideoError


def record(root: Path, name: str, digest: str = 'd') -> VideoRecord:
    return VideoRecord(str(root), name, 1, 1, digest, windows=1)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Return a folder with videos/, indexed, and secret.mp4, not indexed."""
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'videos' / 'a.mp4').write_text('a')
    (tmp_path / 'secret.mp4').write_text('secret')
    return tmp_path


def open_one(root: Path, name: str) -> Any:
    videos = IndexedVideos([record(root, name)])
    return videos.open(videos.name(os.path.join(root, name)))


def test_inside(folders: Path) -> None:
    root = folders / 'videos'
    assert open_one(root, 'a.mp4').path == os.path.realpath(root / 'a.mp4')
    (root / 'link.mp4').symlink_to('a.mp4')
    assert open_one(root, 'link.mp4').path.endswith('a.mp4')
    (folders / 'other').symlink_to(root)  # the indexed folder is a link
    assert open_one(folders / 'other', 'a.mp4').state.st_size == 1


def test_links_out(folders: Path) -> None:
    """A link is refused at each request, also one put there later."""
    root = folders / 'videos'
    videos = IndexedVideos([record(root, 'a.mp4')])
    name = videos.name(str(root / 'a.mp4'))
    assert videos.open(name)
    (root / 'a.mp4').unlink()
    (root / 'a.mp4').symlink_to(folders / 'secret.mp4')
    with pytest.raises(VideoError, match='a link out of the indexed'):
        videos.open(name)
    (root / 'up').symlink_to(folders)
    for text in ('up/secret.mp4', '../secret.mp4', '../videos-2/a.mp4',
                 str(folders / 'secret.mp4')):
        (folders / 'videos-2').mkdir(exist_ok=True)
        (folders / 'videos-2' / 'a.mp4').touch()
        with pytest.raises(VideoError, match='a link out of the indexed'):
            open_one(root, text)


def test_root_turned_into_a_link(folders: Path) -> None:
    """The indexed folder itself is moved away and leads elsewhere."""
    root = folders / 'videos'
    videos = IndexedVideos([record(root, 'a.mp4')])
    name = videos.name(str(root / 'a.mp4'))
    (folders / 'private').mkdir()
    (folders / 'private' / 'a.mp4').write_text('private')
    root.rename(folders / 'kept')
    root.symlink_to(folders / 'private')
    with pytest.raises(VideoError, match='a link out of'):
        videos.open(name)


def test_link_between_indexed_folders(folders: Path) -> None:
    (folders / 'more').mkdir()
    (folders / 'more' / 'b.mp4').touch()
    root = folders / 'videos'
    (root / 'b.mp4').symlink_to(folders / 'more' / 'b.mp4')
    both = [record(root, 'b.mp4'), record(folders / 'more', 'b.mp4')]
    videos = IndexedVideos(both)
    assert videos.open(videos.name(both[0].path))
    with pytest.raises(VideoError, match='link'):
        open_one(root, 'b.mp4')


def test_no_files(folders: Path) -> None:
    root = folders / 'videos'
    os.mkfifo(root / 'pipe.mp4')
    (root / 'folder.mp4').mkdir()
    held = socket.socket(socket.AF_UNIX)
    held.bind(str(root / 's.mp4'))
    for name in ('pipe.mp4', 'folder.mp4', 's.mp4'):
        with pytest.raises(VideoError, match='not a regular file'):
            open_one(root, name)
    for name in ('gone.mp4', 'a\0.mp4'):
        with pytest.raises(VideoError, match='is gone'):
            open_one(root, name)
    held.close()


def test_names(folders: Path) -> None:
    """Numbers stay; another content is another video."""
    root = folders / 'videos'
    (root / 'b.mp4').touch()
    records = [record(root, name) for name in ('a.mp4', 'b.mp4')]
    videos = IndexedVideos(records)
    first, second = (videos.name(one.path) for one in records)
    videos.update([record(root, '0.mp4'), records[1], record(root, 'a.mp4')])
    assert videos.name(records[1].path) == second
    assert videos.open(first)
    videos.update([records[1], record(root, 'a.mp4', 'other')])
    assert videos.name(records[0].path) != first
    for name in (first, f'7{first[1:]}', first[:-1], f'{first}0', f' {first}',
                 first.upper().replace('-', '_'), '', '0', '-1', '9' * 4000,
                 f'٠{first[1:]}', '../a.mp4', str(root / 'a.mp4')):
        with pytest.raises(VideoError, match='search again'):
            videos.open(name)
    videos.update([])
    with pytest.raises(VideoError, match='search again'):
        videos.open(second)


@pytest.mark.parametrize('tail', [
    '../secret.mp4', '..', '.', '%2e%2e/secret.mp4', '..%2fsecret.mp4',
    '%2e%2e%2fsecret.mp4', '%252e%252e%252fsecret.mp4', '..%5csecret.mp4',
    '..%c0%afsecret.mp4', '/{folder}/secret.mp4', '%2f{folder}%2fsecret.mp4',
    'a.mp4', 'videos/a.mp4', '0-00000000', '0', '%00', '0%00', '{name}/..',
    '{name}/../../secret.mp4', '{name}%2f..%2fsecret.mp4', '{name}%00.mp4',
    '?path={folder}/secret.mp4', 'file:%2f%2f{folder}%2fsecret.mp4'
])
def test_over_the_wire(served: Served, tail: str) -> None:
    """Names of files lead nowhere, in any spelling."""
    secret = served.folder / 'secret.mp4'
    secret.write_bytes(b'secret')
    tail = tail.format(folder=served.folder, name=served.video('a.mp4'))
    for kind, query in (('videos', ''), ('frames', '?at=0'),
                        ('clips', '?start=0&end=1'), ('page', '')):
        found = served.ask(f'/{kind}/{tail}{query if "?" not in tail else ""}')
        assert found.status in (400, 404), (kind, found)
        assert b'secret' not in found.body.replace(b'secret.mp4', b'')
    if not tail.startswith(('?', '.')):  # the page itself
        assert served.ask(f'/{tail}').status in (400, 404)


def test_no_list_of_files(served: Served) -> None:
    for path in ('/videos', '/videos/', '/page', '/page/', '/frames/',
                 '/clips/', '/api', '/api/'):
        found = served.ask(path)
        assert found.status in (307, 404), path
        assert b'.mp4' not in found.body and b'.html' not in found.body
