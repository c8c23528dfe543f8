"""Half-written, damaged and full: whole videos only."""
import errno
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmvideomamba.inference.search import VideoIndex, store
from mmvideomamba.inference.search.records import read_journal

FORK = multiprocessing.get_context('fork')


def add_slowly(folder: Path, videos: Path, model: Any) -> None:
    """Index slowly, so that a kill leaves half a video or half a line."""
    write = store._write_all

    def slowly(number: int, data: Any) -> None:
        data = memoryview(data).cast('B')
        for part in (data[:len(data) // 2], data[len(data) // 2:]):
            write(number, part)
            time.sleep(.004)

    store._write_all = slowly
    VideoIndex.open(folder).add(videos, model)


def test_killed(tmp_path: Path, videos: Path, model: Any) -> None:
    """kill -9 at several moments: the index opens, and goes on."""
    for i in range(120):
        (videos / f'v{i:03d}.mp4').write_text(f'1 {i}\n{i} 1\n')
    folder = tmp_path / 'index'
    VideoIndex.create(folder, model, tokens=True)
    counts, rests = [0], 0
    for _ in range(3):
        run = FORK.Process(target=add_slowly, args=(folder, videos, model))
        run.start()
        journal = folder / 'data-1' / store.JOURNAL
        vectors = folder / 'data-1' / store.VECTORS
        # Wait for a few lines, and for rows not yet in the journal.
        enough, end = journal.stat().st_size + 2000, time.monotonic() + 60
        while (journal.stat().st_size < enough
               or vectors.stat().st_size <= 16 * read_journal(journal)[1]):
            assert run.is_alive() and time.monotonic() < end
            time.sleep(.003)
        run.kill()
        run.join()
        index = VideoIndex.open(folder)
        counts.append(len(index.videos))
        found = index.store
        rests += vectors.stat().st_size > 16 * found.rows
        for one in index.videos:
            rows = slice(one.first, one.first + one.windows)
            expected, = model.embed_videos([one.path], tokens=True)
            np.testing.assert_array_equal(found.vectors()[rows],
                                          expected.vectors)
            np.testing.assert_array_equal(
                np.asarray(found.tokens())[rows], expected.tokens)
    assert counts == sorted(set(counts)) and counts[-1] < 123
    assert rests, 'no kill hit a video half written'
    model.read.clear()
    index.add(videos, model)
    assert len(model.read) == 123 - counts[-1]
    assert len(index.videos) == 123 and index.windows == 246


@pytest.mark.parametrize('rest', [b'12', b'0' * 90, b'00000000 {}\n'])
def test_rest_of_a_killed_writer(index: VideoIndex, videos: Path, model: Any,
                                 rest: bytes) -> None:
    """Half of a line or of rows is removed by the next writer, who says so."""
    data = index.folder / 'data-1'
    sizes = {path: path.stat().st_size for path in data.iterdir()}
    for path in sizes:
        with open(path, 'ab') as file:
            file.write(rest)
    again = VideoIndex.open(index.folder, model)
    assert again.videos == index.videos
    assert len(again.query('up', 9, predictor=model)) == 6
    added = again.add(videos, model)
    assert f'{4 * len(rest)} bytes of a video half written' in added.notes[0]
    assert {path: path.stat().st_size for path in data.iterdir()} == sizes


def test_unfinished_creation_and_copy(index: VideoIndex, videos: Path,
                                      model: Any, tmp_path: Path) -> None:
    (index.folder / 'data-2').mkdir()
    added = index.add(videos, model)
    assert added.notes == ['data-2, an unfinished copy, is removed']
    (index.folder / 'index.json').unlink()
    with pytest.raises(FileNotFoundError, match='not a search index'):
        VideoIndex.open(index.folder)
    assert VideoIndex.create(index.folder, model).videos == []


def test_damage(index: VideoIndex) -> None:
    journal = index.folder / 'data-1' / store.JOURNAL
    content = journal.read_bytes()
    journal.write_bytes(content.replace(b'b.mp4', b'X.mp4'))
    with pytest.raises(ValueError, match='damaged in line 2'):
        VideoIndex.open(index.folder)
    journal.write_bytes(content)
    os.truncate(index.folder / 'data-1' / store.TOKENS, 10)
    with pytest.raises(ValueError, match='tokens.bin is damaged: 10 bytes'):
        VideoIndex.open(index.folder)
    journal.unlink()
    with pytest.raises(ValueError, match='videos.jsonl of the index is miss'):
        VideoIndex.open(index.folder)


@pytest.mark.parametrize('name', [store.TOKENS, store.JOURNAL])
def test_full_disk(index: VideoIndex, videos: Path, model: Any, name: str,
                   monkeypatch: pytest.MonkeyPatch) -> None:
    """The error tells the number of videos kept; the next call goes on."""
    for i in range(4):
        (videos / f'v{i}.mp4').write_text('1 0\n')
    write, calls = store._write_all, []

    def full(number: int, data: Any) -> None:
        file = os.readlink(f'/proc/self/fd/{number}')
        if file.endswith(name):
            calls.append(file)
            if len(calls) == (3 if name == store.TOKENS else 1):
                os.write(number, memoryview(data).cast('B')[:5])
                raise OSError(errno.ENOSPC, 'No space left on device')
        write(number, data)

    monkeypatch.setattr(store, '_write_all', full)
    kept = 5 if name == store.TOKENS else 3
    with pytest.raises(OSError, match=f'{kept} videos are kept, make room'):
        index.add(videos, model)
    assert len(VideoIndex.open(index.folder).videos) == kept
    index.add(videos, model)
    assert len(index.videos) == 7 and index.windows == 10
    assert VideoIndex.open(index.folder).videos == index.videos
    tokens = np.asarray(index.store.tokens())
    for one in index.videos:
        expected, = model.embed_videos([one.path], tokens=True)
        np.testing.assert_array_equal(
            tokens[one.first:one.first + one.windows], expected.tokens)
