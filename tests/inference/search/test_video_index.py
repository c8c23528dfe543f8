"""Videos are added, changed, moved and removed; misuse is refused."""
import json
import os
import shutil
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
from fake_video_text import FakePredictor, unit

from mmvideomamba.inference.search import VideoIndex, VideoRecord
from mmvideomamba.inference.search.index_lock import IndexLock


def names(index: VideoIndex) -> Dict[str, int]:
    return {one.name: one.windows for one in index.videos}


def vectors_of(index: VideoIndex, name: str) -> np.ndarray:
    one, = [one for one in index.videos if one.name == name]
    return index.store.vectors()[one.first:one.first + one.windows]


def test_all_and_again(index: VideoIndex, videos: Path, model: Any) -> None:
    assert names(index) == {'a.mp4': 3, 'b.mp4': 1, 'more/c.mp4': 2}
    assert {one.root for one in index.videos} == {str(videos)}
    np.testing.assert_array_equal(
        vectors_of(index, 'more/c.mp4'), unit([[-1, 0], [-1, .5]]))
    assert np.asarray(index.store.tokens()).shape == (6, 2, 3)
    model.read.clear()
    added = index.add(videos, model)
    assert model.read == [] and len(added.plan.same) == 3
    assert VideoIndex.open(index.folder, model).videos == index.videos


def test_new_changed_moved_removed(index: VideoIndex, videos: Path,
                                   model: Any) -> None:
    (videos / 'a.mp4').write_text('0 -1\n')
    os.rename(videos / 'b.mp4', videos / 'more' / 'renamed.mp4')
    (videos / 'more' / 'c.mp4').unlink()
    (videos / 'd.mp4').write_text('1 1\n2 2\n')
    model.read.clear()
    plan = index.plan(videos)
    assert [one.name for one in plan.new] == ['d.mp4']
    assert [one.name for one in plan.changed] == ['a.mp4']
    assert [(old.name, new.name)
            for old, new in plan.moved] == [('b.mp4', 'more/renamed.mp4')]
    assert [one.name for one in plan.removed] == ['more/c.mp4']
    assert model.read == []
    added = index.add(videos, model)
    assert sorted(model.read) == ['a.mp4', 'd.mp4'] and added.windows == 3
    expected = {'a.mp4': 1, 'd.mp4': 2, 'more/renamed.mp4': 1}
    assert names(index) == expected
    again = VideoIndex.open(index.folder, model)
    assert names(again) == expected
    np.testing.assert_array_equal(vectors_of(again, 'a.mp4'), unit([[0, -1]]))
    np.testing.assert_array_equal(
        vectors_of(again, 'more/renamed.mp4'), unit([[0, 1]]))


def test_same_size_and_time_but_other_content(index: VideoIndex, videos: Path,
                                              model: Any) -> None:
    """A new file with size and time of a lost file is not taken as moved."""
    state = (videos / 'b.mp4').stat()
    (videos / 'b.mp4').unlink()
    (videos / 'x.mp4').write_text('1 1\n')
    os.utime(videos / 'x.mp4', ns=(state.st_mtime_ns, state.st_mtime_ns))
    assert (videos / 'x.mp4').stat().st_size == state.st_size
    added = index.add(videos, model)
    assert added.plan.moved == [] and len(added.plan.removed) == 1
    np.testing.assert_array_equal(vectors_of(index, 'x.mp4'), unit([[1, 1]]))


def test_folder_moved_as_a_whole(index: VideoIndex, videos: Path,
                                 model: Any) -> None:
    other = videos.with_name('other')
    videos.rename(other)
    model.read.clear()
    added = index.add(other, model)
    assert model.read == [] and len(added.plan.moved) == 3
    assert {one.root for one in index.videos} == {str(other)}
    assert index.windows == 6 and len(index.query(unit([1, 0])[0], 9)) == 6


def test_other_folders_stay(index: VideoIndex, tmp_path: Path,
                            model: Any) -> None:
    """A call with another folder or a file drops nothing."""
    (tmp_path / 'single.mp4').write_text('1 0\n')
    index.add([str(tmp_path / 'single.mp4')], model)
    assert len(index.videos) == 4
    (tmp_path / 'single.mp4').unlink()
    assert index.remove_missing() == [str(tmp_path / 'single.mp4')]
    shutil.rmtree(tmp_path / 'videos')  # a disk not mounted
    assert index.remove_missing() == [] and len(index.videos) == 3


def test_bad_videos(index: VideoIndex, videos: Path, model: Any) -> None:
    """An unreadable video is tried again after a change, or on demand."""
    (videos / 'bad.mp4').write_text('no numbers')
    (videos / 'nan.mp4').write_text('nan 1')
    error = f'{videos}/bad.mp4 is not a video'
    for expected in (['bad.mp4', 'nan.mp4'], []):
        model.read.clear()
        added = index.add([str(videos), str(videos / 'lost.mp4')], model)
        assert model.read == expected and len(added.errors) == 3
        assert error in added.errors
        assert f'{videos}/lost.mp4 does not exist' in added.errors
        assert any('infinite numbers' in one for one in added.errors)
    assert 'bad.mp4' in {Path(one.path).name for one in index.videos}
    model.read.clear()
    index.add(videos, model, retry=True)
    assert model.read == ['bad.mp4', 'nan.mp4']
    (videos / 'bad.mp4').write_text('1 0\n')
    assert len(index.add(videos, model).errors) == 1
    assert names(index)['bad.mp4'] == 1


def test_changed_while_read(index: VideoIndex, videos: Path,
                            model: Any) -> None:
    (videos / 'd.mp4').write_text('1 0\n')
    read = model._points

    def points(path: str) -> np.ndarray:
        found = read(path)
        Path(path).write_text('1 0\n1 0\n')
        return found

    model._points = points
    error, = index.add(videos, model).errors
    assert 'd.mp4 was changed or removed while it was read' in error
    assert 'd.mp4' not in names(index)


def test_interrupted(index: VideoIndex, videos: Path, model: Any) -> None:
    """Ctrl-C keeps the videos so far."""
    for name in 'xyz':
        (videos / f'{name}.mp4').write_text('1 0\n')

    def stop(record: VideoRecord) -> None:
        if record.name == 'y.mp4':
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.add(videos, model, stop)
    assert {'x.mp4', 'y.mp4'} < set(names(index))
    again = VideoIndex.open(index.folder)
    assert names(again) == names(index)
    again.add(videos, model)
    assert again.windows == 9
    assert not (index.folder / IndexLock.name).exists()


def test_room_of_dropped_videos(index: VideoIndex, videos: Path,
                                model: Any) -> None:
    """The matrix is copied when dropped videos take much room."""
    reader = VideoIndex.open(index.folder)
    (videos / 'a.mp4').unlink()
    added = index.add(videos, model)
    assert any('room of 3 windows' in note for note in added.notes)
    names_of: List[str] = sorted(os.listdir(index.folder))
    assert names_of == ['data-2', 'index.json']
    assert (index.folder / 'data-2/vectors.bin').stat().st_size == 3 * 16
    hits = index.query(unit([-1, 0])[0], 9)
    assert len(hits) == 3 and hits[0].video.endswith('c.mp4')
    # An open reader keeps the old matrix, without the lost file.
    old = reader.query(unit([-1, 0])[0], 9)
    assert old[:3] == hits and old.missing == [str(videos / 'a.mp4')]
    reader.reload()
    assert reader.videos == index.videos


def test_refusals(index: VideoIndex, videos: Path, tmp_path: Path,
                  model: Any) -> None:
    other = FakePredictor('other')
    for call in (lambda: VideoIndex.open(index.folder, other),
                 lambda: index.add(videos, other),
                 lambda: index.query('up', predictor=other)):
        with pytest.raises(ValueError, match='index of another model') as e:
            call()
        assert other.fingerprint[:16] in str(e.value)
        assert model.fingerprint[:16] in str(e.value)
    with pytest.raises(ValueError, match='window None and not 4.0'):
        index.check_settings(window=4.)
    index.check_settings(tokens=True, precision='float32')
    with pytest.raises(ValueError, match='is an index already'):
        VideoIndex.create(index.folder, model)
    with pytest.raises(ValueError, match='holds other files .a.mp4'):
        (tmp_path / 'x').mkdir()
        (tmp_path / 'x/a.mp4').touch()
        VideoIndex.create(tmp_path / 'x', model)
    with pytest.raises(FileNotFoundError, match='is not a search index'):
        VideoIndex.open(videos)
    with pytest.raises(ValueError, match='give window, the length'):
        VideoIndex.create(tmp_path / 'y', model, stride=2)
    path = index.folder / 'index.json'
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, 'format': 99}))
    with pytest.raises(ValueError, match='has format 99'):
        VideoIndex.open(index.folder)


def test_two_writers(index: VideoIndex, videos: Path, model: Any) -> None:
    (videos / 'd.mp4').write_text('1 0\n')
    second = VideoIndex.open(index.folder)
    seen = []

    def step(record: VideoRecord) -> None:
        with pytest.raises(ValueError, match='held by a command that writes'):
            second.add(videos, model)
        seen.append(record.name)

    index.add(videos, model, step)
    assert seen == ['d.mp4'] and len(second.videos) == 3
    second.add(videos, model)
    assert len(second.videos) == 4
