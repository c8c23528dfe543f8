"""Frames of PyAV's reader are right, also on the ways around a fault."""
import copy
import gc
import multiprocessing
import os
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List

import numpy as np
import pytest
from bad_videos import encode
from numbered_frames import damage, read_number
from video_kinds import VideoKinds, decode, run_ffmpeg

from mmvideomamba.datasets.video import (MediaError, frame_table, open_video,
                                         pyav_reader)
from mmvideomamba.datasets.video.pyav_packets import TableError
from mmvideomamba.datasets.video.pyav_reader import PyAVReader

# Kinds of .mp4 file, with and without open groups of pictures and edit lists.
SOUGHT = ('h264.mp4', 'pyramid.mp4', 'hevc.mp4', 'mpeg4_b_frames.mp4',
          'uneven.mp4', 'edit_list_cut.mp4', 'av1.mp4', 'prores.mov')
# Kinds with and without droppable pictures, for requests of few frames.
SPARSE = ('prepared.mp4', 'no_b_frames.mp4', 'h264.mp4', 'h264.mkv',
          'pyramid.mp4', 'open_gop.mp4', 'open_gop.ts', 'one_key_frame.mp4',
          'uneven.mp4', 'edit_list_cut.mp4', 'mbaff.mp4', 'hevc.mp4',
          'mpeg4_b_frames.mp4', 'mpeg4.avi', 'vp9_alt_ref.webm', 'av1.mp4')


def opened(path: Path) -> PyAVReader:
    """Open a video with PyAV."""
    video = open_video(str(path), 'pyav')
    assert isinstance(video, PyAVReader)
    return video


def numbers(video: PyAVReader, indices: List[int]) -> List[int]:
    return [read_number(frame) for frame in video.get_frames(indices)]


@pytest.mark.parametrize('keep', [0, 8 << 20])
@pytest.mark.parametrize('name', SPARSE)
def test_few_frames_are_those_of_all(video_kinds: VideoKinds, name: str,
                                     keep: int, monkeypatch) -> None:
    """Bit by bit, whether packets are kept or sought."""
    monkeypatch.setattr(frame_table, 'KEEP_PACKETS', keep)
    with opened(video_kinds.path(name)) as video:
        assert (video.table.packets is None) is not keep
        count = len(video)
        frames = [video._convert(f, i) for i, f in enumerate(video._walk())]
        asked = [[i] for i in range(0, count, 5 if keep else 11)]
        for wanted in [*asked, [count - 1, 2, 3], range(3, count, 8)]:
            found = video.get_frames(wanted)
            assert np.array_equal(found, [frames[i] for i in wanted])
        assert video.table.sequential == ''


def test_decoder_is_emptied_behind_the_last_frame(video_kinds: VideoKinds,
                                                  monkeypatch) -> None:
    """No packet after the wanted frame's is decoded, except for fields."""
    sent: Dict[str, int] = {}
    for name in ('prepared.mp4', 'mbaff.mp4'):
        with opened(video_kinds.path(name)) as video:
            packets = video._packets_from

            def counted(start: int, name: str = name) -> Iterator[Any]:
                for sent[name], packet in packets(start):
                    yield sent[name], packet

            monkeypatch.setattr(video, '_packets_from', counted)
            assert numbers(video, [4]) == [4]
            # Packets of frames 0, 4 and 8 are followed by the frames in
            # between.
            sent[name] -= int(video.table.order[4])
            assert video._drains is (name == 'prepared.mp4')
    assert sent['prepared.mp4'] == 0 < sent['mbaff.mp4']


def test_packets_are_freed(video_kinds: VideoKinds) -> None:
    video = opened(video_kinds.path('h264.mp4'))
    assert len(video.table.packets or []) == 60
    video.close()
    assert video.table.packets is None


def test_header_without_facts(video_kinds: VideoKinds, monkeypatch) -> None:
    """After lost frames the decoder reads the facts from the pictures."""
    read = PyAVReader._read_sought

    def lose(self: PyAVReader, indices: List[int]) -> Dict[int, np.ndarray]:
        if self._quick:
            raise TableError('packets without a frame')
        return read(self, indices)

    monkeypatch.setattr(PyAVReader, '_read_sought', lose)
    with opened(video_kinds.path('h264.mp4')) as video:
        assert video._quick
        assert numbers(video, [30, 2]) == [30, 2]
        assert not video._quick and video.table.sequential == ''


@pytest.mark.parametrize('name', SOUGHT)
def test_long_files_are_read_by_their_index(video_kinds: VideoKinds, name: str,
                                            monkeypatch) -> None:
    """The table of a long file is read where frames are asked for."""
    monkeypatch.setattr(frame_table, 'LONG', 0)
    truth = video_kinds.get(name).numbers
    wanted = [len(truth) - 1, 0, len(truth) // 2, 7, 7, 20, 19]
    with opened(video_kinds.path(name)) as video:
        edited = name.startswith('edit')
        assert (video.table.order is None) is not edited
        assert len(video) == len(truth)
        assert numbers(video, wanted) == [truth[i] for i in wanted]
        assert video.table.sequential == ''


@pytest.mark.parametrize('ending', ['mp4', 'mkv', 'avi'])
def test_cut_in_an_open_group(video_kinds: VideoKinds, tmp_path: Path,
                              ending: str) -> None:
    """H.264 cut without encoding; FFmpeg has a harmless complaint."""
    path = tmp_path / f'cut.{ending}'
    run_ffmpeg('-ss', 0.9, '-i', video_kinds.path('open_gop.mp4'), '-c',
               'copy', path)
    frames, complaint = decode(path)
    assert 'mmco: unref short failure' in complaint
    with opened(path) as video:
        assert len(video) == len(frames)
        wanted = [len(frames) - 1, 20, 0, 5]
        assert numbers(video,
                       wanted) == [read_number(frames[i]) for i in wanted]


def test_key_frames(video_kinds: VideoKinds, monkeypatch) -> None:
    """The key frames are 16 frames apart; a table and a long file agree."""
    found = []
    for least in (2000, 0):
        monkeypatch.setattr(frame_table, 'LONG', least)
        with opened(video_kinds.path('h264.mp4')) as video:
            found.append([video.key_frame(i) for i in (0, 15, 16, 40)])
            frames = video.get_key_frames([18, 3])
            assert [read_number(f) for f in frames] == [16, 0]
    assert found == [[0, 0, 16, 32]] * 2
    with opened(video_kinds.path('raw.h264')) as video:
        assert video.key_frame(18) == 18  # no table


@pytest.mark.parametrize('name', ['h264.mp4', 'mpeg2.ts'])
def test_wrong_table_is_noticed(video_kinds: VideoKinds, name: str) -> None:
    """The reader then decodes from the start."""
    truth = video_kinds.get(name).numbers
    with opened(video_kinds.path(name)) as video:
        video.table.pts[20:] += 1
        assert numbers(video, [3, 50]) == [truth[3], truth[50]]
        assert video.table.sequential != ''


def test_wrong_length_is_an_error(video_kinds: VideoKinds) -> None:
    with opened(video_kinds.path('h264.mp4')) as video:
        video.table.pts[20:] += 1
        video._count = 61
        with pytest.raises(MediaError, match='announces 61 frames, but 60'):
            video.get_frames([50])


@pytest.mark.parametrize('keep', [0, 64 << 20])
def test_pictures_of_short_files_are_kept(video_kinds: VideoKinds, keep: int,
                                          monkeypatch) -> None:
    """Without a table a file is decoded once, or twice if large."""
    monkeypatch.setattr(pyav_reader, 'KEEP_BYTES', keep)
    walks: List[int] = []
    walk = PyAVReader._walk

    def noted(self: PyAVReader) -> Iterator[Any]:
        walks.append(1)
        return walk(self)

    monkeypatch.setattr(PyAVReader, '_walk', noted)
    with opened(video_kinds.path('h264.avi')) as video:
        assert numbers(video, [30, 2]) == [30, 2]
    assert len(walks) == (1 if keep else 2)


def test_each_frame_is_converted_once(video_kinds: VideoKinds,
                                      monkeypatch) -> None:
    converted: List[int] = []
    convert = PyAVReader._convert

    def noted(self: PyAVReader, frame: Any, index: int) -> np.ndarray:
        converted.append(index)
        return convert(self, frame, index)

    monkeypatch.setattr(PyAVReader, '_convert', noted)
    with opened(video_kinds.path('h264.mp4')) as video:
        assert numbers(video, [9, 9, 4, 9]) == [9, 9, 4, 9]
    assert sorted(converted) == [4, 9]


def test_closed_video(video_kinds: VideoKinds) -> None:
    video = opened(video_kinds.path('h264.mp4'))
    video.close()
    video.close()
    with pytest.raises(ValueError, match='h264.mp4 is closed'):
        video.get_frames([0])


def test_fork_with_an_open_video(video_kinds: VideoKinds) -> None:
    """A worker may collect what the main process has left in memory."""
    video = opened(video_kinds.path('hevc_10_bit.mkv'))
    video.get_frames([5])
    cycle: list = [video]
    cycle.append(cycle)
    del video, cycle
    child = multiprocessing.get_context('fork').Process(target=gc.collect)
    child.start()
    child.join(60)
    assert child.exitcode == 0


def test_threads_read_side_by_side(video_kinds: VideoKinds,
                                   tmp_path: Path) -> None:
    """An error in one file is not attributed to another file."""
    good = video_kinds.path('h264.mp4')
    bad = damage(good, tmp_path / 'bad.mp4')
    found: Dict[str, list] = dict(good=[], bad=[])

    def read(path: Path, name: str) -> None:
        for _ in range(10):
            try:
                with opened(path) as video:
                    found[name].append(numbers(video, [59, 33]))
            except MediaError:
                found[name].append(None)

    threads = [
        threading.Thread(target=read, args=(path, name))
        for path, name in ((good, 'good'), (bad, 'bad'), (good, 'good'))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found['good'] == [[59, 33]] * 20 and found['bad'] == [None] * 10


@pytest.mark.parametrize('reader', ['pyav', 'opencv'])
def test_damage_in_the_middle(tmp_path: Path, reader: str) -> None:
    good = encode(tmp_path / 'a.mp4', '-c:v', 'libx264', '-g', '5')
    damage(good, tmp_path / 'b.mp4', count=100)
    with open_video(str(good), reader) as video:
        video.decode_all(lambda: None)
    with open_video(str(tmp_path / 'b.mp4'), reader) as video:
        with pytest.raises(MediaError, match='b.mp4'):
            video.decode_all(lambda: None)


def test_no_frame_is_sought(tmp_path: Path,
                            monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeking in a file with one key frame would decode all for each block."""
    path = encode(tmp_path / 'a.mp4', '-c:v', 'libx264', '-g', '999')
    monkeypatch.setattr(pyav_reader, 'STEP', 10)
    steps: List[int] = []

    def refuse(self: object, indices: object) -> Dict[int, np.ndarray]:
        raise AssertionError('sought')

    with opened(path) as video:
        monkeypatch.setattr(type(video), '_read', refuse)
        video.decode_all(lambda: steps.append(1))
    assert len(steps) == 3


def test_file_shrinks(tmp_path: Path, monkeypatch) -> None:
    """A cut of an open file is damage, if the packet index is not kept."""
    monkeypatch.setattr(frame_table, 'KEEP_PACKETS', 0)
    path = tmp_path / 'shrinks.mp4'
    # Larger than the library's read-ahead.
    encode(path, *'-c:v libx264 -qp 0 -g 4 -s 640x480 -vf noise=c0s=9'.split())
    with opened(path) as video:
        os.truncate(path, path.stat().st_size // 3)
        with pytest.raises(MediaError, match='shrinks.mp4'):
            video.get_frames([len(video) - 1])


@pytest.mark.parametrize('name', ['pyramid.mp4', 'mpeg4_b_frames.avi'])
def test_walk(video_kinds: VideoKinds, name: str) -> None:
    """All frames in order, with and without a table."""
    truth = video_kinds.get(name).numbers
    with opened(video_kinds.path(name)) as video:
        shown = [read_number(f.to_ndarray(format='rgb24'))
                 for f in video.walk()]  # yapf: disable
        assert shown == truth
        assert bool(video.table.sequential) == name.endswith('avi')
        video._count += 1
        with pytest.raises(
                MediaError, match='61 frames are announced, but 60'):
            list(video.walk())


def test_arguments(video_kinds: VideoKinds) -> None:
    with opened(video_kinds.path('h264.mp4')) as video:
        for wrong in ([], [1.5], [True], [2**70], None):
            with pytest.raises(ValueError, match='whole numbers, but got'):
                video.get_frames(wrong)  # type: ignore[arg-type]
        for outside in ([-1], [0, 60]):
            with pytest.raises(IndexError, match='the frames 0 to 59'):
                video.get_frames(outside)
        with pytest.raises(TypeError, match='cannot be copied'):
            copy.copy(video)
