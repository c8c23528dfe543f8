"""Every reader, every kind of file: the right frames, or refused by name."""
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple, Type

import numpy as np
import pytest
from mmaction.datasets.transforms import UniformSample
from video_kinds import (KINDS, Video, VideoKinds, damage, decode, read_number,
                         truncate)

from mmvideomamba.datasets.transforms import DecodeFrames, OpenClip, OpenVideo
from mmvideomamba.datasets.video import MediaError
from mmvideomamba.datasets.video.choice import (READERS, open_video,
                                                reader_class)
from mmvideomamba.datasets.video.indexed_reader import PIXEL_TOLERANCES
from mmvideomamba.visualization.annotated_video import read_frames

NO_TIMES = {
    'raw.h264', 'h264.avi', 'h264_padded.avi', 'packed_xvid.avi',
    'h264_ip.avi', 'mpeg4_b_frames.avi', 'mpeg1.mpg', 'mpeg2.mpg', 'mpeg2.vob',
    'wmv1.asf', 'theora.ogv', 'palette.gif', 'odd.mpg'
}
TS = {
    'intra_refresh.ts', 'h264.ts', 'open_gop.ts', 'mbaff.ts', 'clock_wrap.ts',
    'hevc.ts', 'mpeg2.ts'
}
# Frames shown before the first key frame are in the file.
CUT = {'hevc_cut.mkv', 'hevc_cut.ts', 'mpeg2_cut.ts'}
# The libraries are known to show another picture, or other frames.
SPECIAL = {'mirrored.mp4', 'mirrored_turned.mov', 'cropped.mp4', 'rpza.mov'}
# Kinds a reader may refuse; the reader has to read all others.
REFUSED: Dict[str, set] = {
    'pyav': set(),
    'torchcodec':
    NO_TIMES | TS | CUT | SPECIAL | {'intra_refresh.mp4', 'hevc_cut.mp4'},
    'decord': NO_TIMES | TS | CUT | SPECIAL | {
        'intra_refresh.mp4', 'live.webm', 'av1.mp4', 'av1.webm',
        'edit_list_cut.mp4', 'tiny.mp4', 'turned_90.mkv', 'hevc_cut.mp4'
    },
    'opencv': NO_TIMES | CUT | SPECIAL,
}
# Files allowed to end early: the container does not store the length.
UNANNOUNCED = {
    'h264.ts', 'open_gop.ts', 'mbaff.ts', 'clock_wrap.ts', 'mpeg2_cut.ts'
}
# FFmpeg ignores the length stored in a file of another size than announced.
LENGTH_DROPPED = {'wmv2.wmv'}
# Files with damage, decoded to some picture without an error.
UNNOTICED = {'prores.mov', 'full_range.mp4'}
# A pixel of a damaged picture is off by more than readers differ.
WRONG_PIXEL = 60


def index_lists(count: int) -> Dict[str, List[int]]:
    """Return lists of frame numbers to ask for."""
    rng = np.random.RandomState(count)
    some = rng.randint(0, count, 10).tolist()
    return {
        'random': some,
        'descending': sorted(set(some), reverse=True),
        'repeated': [count // 2, 0, count // 2, count // 2],
        'first and last': [0, count - 1],
    }


def usable() -> Iterator[str]:
    """Yield the installed readers."""
    for name in READERS:
        try:
            reader_class(name)
        except ImportError:
            continue
        yield name


def numbers(frames: Iterable[np.ndarray]) -> List[int]:
    """Read the numbers of frames."""
    return [read_number(frame) for frame in frames]


def check_frames(video: Video, reader: str) -> np.ndarray:
    """Ask a reader for frames in several orders; return all frames."""
    source = str(video.path)
    with open_video(source, reader) as opened:
        assert len(opened) == len(video.numbers)
        assert opened.size == video.frames.shape[1:3]
        for name, wanted in index_lists(len(opened)).items():
            found = opened.get_frames(wanted)
            right = [video.numbers[i] for i in wanted]
            assert numbers(found) == right, f'{reader}, {name}'
        return opened.get_frames(range(len(opened)))


@pytest.mark.parametrize('reader', list(READERS))
def test_reader_is_tested(reader: str) -> None:
    """Skip an uninstalled reader with the reason."""
    try:
        reader_class(reader)
    except ImportError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize('name', list(KINDS))
def test_frames(video_kinds: VideoKinds, name: str) -> None:
    """The readers, in turn, give the right frames and the same pixels."""
    video, found = video_kinds.get(name), {}
    for reader in usable():
        try:
            found[reader] = check_frames(video, reader)
        except MediaError as error:
            assert str(video.path) in str(error)
            assert name in REFUSED[reader], str(error)
    largest, mean = PIXEL_TOLERANCES.get(video.kind.colour, (0, 0.))
    for reader, frames in found.items():
        assert numbers(frames) == video.numbers, reader
        difference = np.abs(frames.astype(np.int16) - found['pyav'])
        assert difference.max() <= largest, reader
        assert difference.mean() <= mean, reader
    # FFmpeg itself, another version, rounds at edges of colour elsewhere.
    if 'pyav' in found:
        difference = np.abs(found['pyav'].astype(np.int16) - video.frames)
        assert difference.max() <= largest


@pytest.mark.parametrize('name', ['h264.mp4', 'hevc.mp4', 'vp9.webm'])
def test_content(video_kinds: VideoKinds, name: str) -> None:
    """The content of a file gives the frames of the file."""
    video = video_kinds.get(name)
    for reader in usable():
        with open_video(video.path.read_bytes(), reader, path=name) as opened:
            found = opened.get_frames([59, 30, 2])
        assert numbers(found) == [59, 30, 2], reader


@pytest.mark.skipif(sys.platform != 'linux', reason='names are Unicode')
def test_name_in_no_encoding(video_kinds: VideoKinds, tmp_path: Path) -> None:
    """A file name not in UTF-8 crashes no library."""
    path = str(tmp_path / '\udcff.mp4')
    shutil.copy(video_kinds.get('h264.mp4').path, path)
    for reader in usable():
        try:
            with open_video(path, reader) as opened:
                assert numbers(opened.get_frames([7])) == [7]
        except MediaError as error:
            assert path in str(error) and reader != 'pyav'


# Length, numbers of frames and the frames.
Found = Tuple[int, List[int], np.ndarray]
Read = Callable[[str], Found]


def read_all(reader: str, path: str) -> Found:
    """Read all frames of a file with a reader."""
    with open_video(path, reader) as opened:
        wanted = [len(opened) - 1, len(opened) // 2, 0, *range(len(opened))]
        return len(opened), wanted, opened.get_frames(wanted)


def sample_clip(opener: Type[OpenVideo], path: str) -> Found:
    """Read a clip as recognition or, from bytes, as captions do."""
    sample: Dict[str, Any] = dict(
        filename=path, start_index=0, modality='RGB', num_clips=1)
    if opener is OpenClip:
        sample['content'] = Path(path).read_bytes()
    sample = opener()(sample)
    sample = UniformSample(clip_len=8, test_mode=True)(sample)
    sample = DecodeFrames()(sample)
    return (sample['total_frames'], sample['frame_inds'].tolist(),
            np.stack(sample['imgs']))


def read_for_demo(path: str) -> Found:
    """Read every 7th frame as the demo's annotated video does."""
    with open_video(path) as opened:
        frames = np.stack(list(read_frames(opened, range(0, len(opened), 7))))
        return len(opened), [*range(0, len(opened), 7)], frames


WAYS: Dict[str, Read] = {
    'recognition': partial(sample_clip, OpenVideo),
    'captions': partial(sample_clip, OpenClip),
    'demo': read_for_demo,
}


@pytest.mark.parametrize('name', list(KINDS))
def test_in_use(video_kinds: VideoKinds, name: str) -> None:
    """Recognition, captions and the demo get the right frames."""
    video = video_kinds.get(name)
    for way, read in WAYS.items():
        try:
            count, wanted, found = read(str(video.path))
        except MediaError as error:
            assert str(video.path) in str(error) and name in REFUSED['pyav']
            continue
        assert count == len(video.numbers), way
        assert numbers(found) == [video.numbers[i] for i in wanted], way


def check_faulty(path: Path, video: Video, read: Read) -> None:
    """Hold a reader to right frames of a faulty file, or a refusal by name."""
    try:
        count, wanted, found = read(str(path))
    except MediaError as error:
        assert str(path) in str(error)
        return
    assert numbers(found) == [video.numbers[i] for i in wanted]
    silent = path.name in UNANNOUNCED | UNNOTICED
    if count != len(video.numbers):
        assert path.name in UNANNOUNCED | LENGTH_DROPPED
    elif np.abs(found.astype(np.int16) -
                video.frames[wanted]).max() > WRONG_PIXEL:
        assert path.name in UNNOTICED
    else:
        silent = False
    if silent:  # FFmpeg is silent too
        assert not decode(path)[1]


@pytest.mark.parametrize('name', list(KINDS))
@pytest.mark.parametrize('how', ['damage', 'truncate'])
def test_faulty_files(video_kinds: VideoKinds, tmp_path: Path, name: str,
                      how: str) -> None:
    """Damage in the middle and a lost end are noticed."""
    video, path = video_kinds.get(name), tmp_path / name
    if how == 'damage':
        damage(video.path, path)
    else:
        truncate(video.path, path, 0.6)
    for reader in usable():
        check_faulty(path, video, partial(read_all, reader))
    for read in WAYS.values():
        check_faulty(path, video, read)
