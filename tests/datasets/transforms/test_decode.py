"""A bad video gives one error that names it, wherever it is read."""
import io
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from bad_videos import FAULTS, FRAMES, make_bad_videos
from mmaction.datasets.transforms import DecordDecode, DecordInit
from mmengine.dataset import Compose
from mmengine.fileio import BaseStorageBackend, FileClient
from torch.utils.data import DataLoader, Dataset

from mmvideomamba.datasets.transforms import DecodeFrames, OpenVideo
from mmvideomamba.datasets.transforms.decode import missing_bytes, video_path
from mmvideomamba.registry import TRANSFORMS

GOOD = ('whole.mp4', 'fast.mp4', 'whole.avi', 'whole.mkv', 'whole.webm')


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('videos')
    make_bad_videos(path)
    return path


def from_memory(folder: Path, **kwargs) -> OpenVideo:
    """Return a transform that gets bytes, as from an object store."""
    transform = OpenVideo(io_backend='petrel', **kwargs)
    transform.file_client = SimpleNamespace(
        get=lambda path: Path(path).read_bytes())
    return transform


def read(opener, decoder, path: Path) -> dict:
    results = opener(dict(filename=str(path)))
    results['frame_inds'] = np.array([0, 7, FRAMES - 1])
    return decoder(results)


@pytest.mark.parametrize('name', GOOD)
def test_good_files_give_what_the_host_gives(folder: Path, name: str) -> None:
    expected = read(DecordInit(), DecordDecode(), folder / name)
    for opener in (OpenVideo(min_frames=FRAMES), from_memory(folder)):
        found = read(opener, DecodeFrames(), folder / name)
        assert found.keys() == expected.keys()
        np.testing.assert_array_equal(found['imgs'], expected['imgs'])
        for key in ('total_frames', 'avg_fps', 'original_shape', 'img_shape'):
            assert found[key] == expected[key]
        assert found['video_reader'] is None


@pytest.mark.parametrize('name', FAULTS)
@pytest.mark.parametrize('memory', [False, True])
def test_bad_files_are_named(folder: Path, name: str, memory: bool) -> None:
    opener = from_memory(folder) if memory else OpenVideo()
    path = folder / name
    fault = FAULTS[name]
    with pytest.raises(fault.error, match=fault.text) as caught:
        opener(dict(filename=str(path)))
    message = str(caught.value)
    assert f'video {path} ' in message
    assert re.search('Copy or download it again|Correct its path', message)


@pytest.mark.parametrize('name', ['text.mp4', 'audio.mp4', 'data_lost.mp4'])
def test_error_of_decord_is_chained(folder: Path, name: str) -> None:
    with pytest.raises(ValueError) as caught:
        OpenVideo()(dict(filename=str(folder / name)))
    assert 'decord' in type(caught.value.__cause__).__module__ or isinstance(
        caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize('mode', ['accurate', 'efficient'])
def test_frames_that_cannot_be_decoded(folder: Path, mode: str) -> None:
    path = folder / 'damaged.mp4'
    with pytest.raises(
            ValueError, match=f'{path} is damaged: .* 0 and {FRAMES - 1}'):
        read(OpenVideo(), DecodeFrames(mode), path)


def test_index_beyond_the_end_is_no_damage(folder: Path) -> None:
    """The fault of a sampler is not put down to the file."""
    results = OpenVideo()(dict(filename=str(folder / 'whole.mp4')))
    results['frame_inds'] = np.array([0, FRAMES])
    with pytest.raises(IndexError):
        DecodeFrames()(results)


def test_short_video(folder: Path) -> None:
    sample = dict(filename=str(folder / 'short.mp4'))
    assert OpenVideo()(sample.copy())['total_frames'] == 3
    assert OpenVideo(min_frames=3)(sample.copy())['total_frames'] == 3
    with pytest.raises(
            ValueError, match='short.mp4 has 3 frames.*min_frames=4.*None'):
        OpenVideo(min_frames=4)(sample.copy())


@pytest.mark.parametrize('value', [0, -1])
def test_min_frames_is_checked(value: int) -> None:
    with pytest.raises(ValueError, match=f'min_frames .* {value}'):
        OpenVideo(min_frames=value)


def test_extension_is_completed_as_in_the_host(folder: Path) -> None:
    results = OpenVideo()(dict(filename=str(folder / 'whole')))
    assert results['total_frames'] == FRAMES
    assert video_path('a.b/c') == 'a.b/c.mp4'
    assert video_path('a/c.webm') == 'a/c.webm'
    with pytest.raises(FileNotFoundError, match='nothing.mp4 does not exist'):
        OpenVideo()(dict(filename=str(folder / 'nothing')))


class Shelf(BaseStorageBackend):
    """A remote storage that holds a folder.

    Args:
        folder (str): The folder.
    """
    built = 0

    def __init__(self, folder: str) -> None:
        Shelf.built += 1
        self.folder = Path(folder)

    def get(self, filepath: str) -> bytes:
        """Return the bytes of a file."""
        return (self.folder / filepath[len('shelf://'):]).read_bytes()

    def get_text(self, filepath: str, encoding: str = 'utf-8') -> str:
        """Return the text of a file."""
        raise NotImplementedError


def test_videos_of_another_storage(folder: Path) -> None:
    """The storage is opened with the further arguments, and once."""
    FileClient.register_backend('shelf', Shelf, force=True)
    name = GOOD[0]
    opener = OpenVideo(io_backend='shelf', folder=str(folder))
    for _ in range(2):
        found = opener(dict(filename=f'shelf://{name}'))
        local = OpenVideo()(dict(filename=str(folder / name)))
        assert found['total_frames'] == local['total_frames']
        np.testing.assert_array_equal(found['video_reader'][0].asnumpy(),
                                      local['video_reader'][0].asnumpy())
    assert Shelf.built == 1
    with pytest.raises(
            FileNotFoundError, match='video shelf://no.mp4 does not exist'):
        opener(dict(filename='shelf://no.mp4'))


def test_colon_in_a_relative_name(folder: Path, monkeypatch) -> None:
    (folder / '1:30.mp4').write_bytes((folder / 'whole.mp4').read_bytes())
    monkeypatch.chdir(folder)
    assert OpenVideo()(dict(filename='1:30.mp4'))['total_frames'] == FRAMES


def test_unreadable_file_keeps_its_error(folder: Path) -> None:
    (folder / 'folder.mp4').mkdir(exist_ok=True)
    with pytest.raises(IsADirectoryError, match='folder.mp4'):
        OpenVideo()(dict(filename=str(folder / 'folder.mp4')))


@pytest.mark.parametrize('key', ['array', 'frame_dir'])
def test_other_inputs_of_the_inferencer_pass(key: str) -> None:
    sample = {key: 'anything', 'total_frames': 1}
    assert OpenVideo(min_frames=8)(sample.copy()) == sample


class Videos(Dataset):
    """Read videos with a pipeline of a config."""

    def __init__(self, *paths: Path) -> None:
        self.paths = paths
        self.pipeline = Compose([
            dict(type='mmvideomamba.OpenVideo', min_frames=4),
            dict(type='mmaction.UniformSample', clip_len=8),
            dict(type='mmvideomamba.DecodeFrames')
        ])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> int:
        return len(
            self.pipeline(
                dict(filename=str(self.paths[index]), start_index=0))['imgs'])


@pytest.mark.parametrize('name', [*FAULTS, 'short.mp4', 'damaged.mp4'])
def test_error_leaves_a_worker_whole(folder: Path, name: str) -> None:
    """Type and message pass from the process that reads to the training."""
    loader = DataLoader(
        Videos(folder / 'whole.mp4', folder / name),
        num_workers=1,
        batch_size=None)
    batches = iter(loader)
    assert next(batches) == 8
    error = FAULTS[name].error if name in FAULTS else ValueError
    with pytest.raises(error, match=f'video {folder / name} '):
        next(batches)


def box(kind: bytes, size: int) -> bytes:
    return size.to_bytes(4, 'big') + kind + bytes(max(0, size - 8))


def long_box(kind: bytes, size: int) -> bytes:
    return b'\0\0\0\1' + kind + size.to_bytes(8, 'big') + bytes(size - 16)


def riff(kind: bytes, size: int) -> bytes:
    return b'RIFF' + size.to_bytes(4, 'little') + kind + bytes(size - 4)


EBML = b'\x1a\x45\xdf\xa3\x83\0\0\0\x18\x53\x80\x67'


@pytest.mark.parametrize(
    'whole', [
        box(b'ftyp', 16) + box(b'moov', 40) + box(b'mdat', 100),
        box(b'ftyp', 16) + long_box(b'mdat', 100),
        riff(b'AVI ', 100),
        riff(b'AVI ', 40) + riff(b'AVIX', 60),
        EBML + b'\xc0' + bytes(64),
        EBML + b'\x40\x40' + bytes(64),
    ],
    ids=[
        'mp4', 'mp4-64-bit', 'avi', 'avi-large', 'matroska', 'matroska-2-bytes'
    ])
def test_lost_bytes_are_counted(whole: bytes) -> None:
    assert missing_bytes(io.BytesIO(whole)) == 0
    assert missing_bytes(io.BytesIO(whole + b'end')) == 0
    for lost in (1, 30):
        assert missing_bytes(io.BytesIO(whole[:-lost])) == lost


@pytest.mark.parametrize(
    'data', [
        b'',
        b'\0',
        bytes(range(64)),
        box(b'ftyp', 16) + box(b'mdat', 0)[:8] + bytes(50),
        b'RIFF\0\0\0\0AVI ',
        b'RIFF\xff\xff\xff\xffAVI ',
        EBML + b'\x01' + b'\xff' * 7 + bytes(9),
        EBML,
        EBML[:6],
    ],
    ids=[
        'empty', 'byte', 'noise', 'mp4-open-end', 'avi-0', 'avi-stream',
        'matroska-live', 'matroska-cut-in-size', 'matroska-cut-in-header'
    ])
def test_files_that_do_not_tell_their_length(data: bytes) -> None:
    assert missing_bytes(io.BytesIO(data)) == 0


def test_built_by_their_config_names() -> None:
    steps = [
        TRANSFORMS.build(
            dict(type='mmvideomamba.OpenVideo', min_frames=8, num_threads=2)),
        TRANSFORMS.build(dict(type='mmvideomamba.DecodeFrames'))
    ]
    assert repr(steps[0]) == ('OpenVideo(min_frames=8, io_backend=disk, '
                              'num_threads=2)')
    assert repr(steps[1]).startswith('DecodeFrames(mode=accurate')
