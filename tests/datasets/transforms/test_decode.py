"""A bad video gives one error naming the file, at every step of reading."""
import re
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from bad_videos import FAULTS, FRAMES, make_bad_videos
from mmengine.dataset import Compose
from mmengine.fileio import BaseStorageBackend, FileClient
from torch.utils.data import DataLoader, Dataset

from mmvideomamba.datasets.transforms import DecodeFrames, OpenVideo
from mmvideomamba.datasets.transforms.decode import (open_whole_video,
                                                     video_path)
from mmvideomamba.datasets.video import HungMediaError
from mmvideomamba.datasets.video.time_limit import hung_files
from mmvideomamba.registry import TRANSFORMS

GOOD = ('whole.mp4', 'fast.mp4', 'whole.avi', 'whole.mkv', 'whole.webm')


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('videos')
    make_bad_videos(path)
    return path


def from_memory(folder: Path, **kwargs) -> OpenVideo:
    """Return a transform reading bytes, as from an object store."""
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
    pytest.importorskip('decord', reason='decord is not installed')
    from mmaction.datasets.transforms import DecordDecode, DecordInit
    expected = read(DecordInit(), DecordDecode(), folder / name)
    for opener in (OpenVideo(min_frames=FRAMES), from_memory(folder)):
        found = read(opener, DecodeFrames(), folder / name)
        assert found.keys() == expected.keys()
        # The decoders of MPEG-4 round otherwise from release to release.
        np.testing.assert_allclose(
            np.float32(found['imgs']),
            np.float32(expected['imgs']),
            atol=3 if name == 'whole.avi' else 0)
        for key in ('total_frames', 'avg_fps', 'original_shape', 'img_shape'):
            assert found[key] == expected[key]
        assert found['video_reader'] is None


@pytest.mark.parametrize('name', FAULTS)
@pytest.mark.parametrize('memory', [False, True])
def test_bad_files_are_named(folder: Path, name: str, memory: bool) -> None:
    if memory and name in ('pipe.mp4', 'folder.mp4'):
        pytest.skip('only a local path can be of this kind')
    opener = from_memory(folder) if memory else OpenVideo()
    path = folder / name
    fault = FAULTS[name]
    with pytest.raises(fault.error, match=fault.text) as caught:
        opener(dict(filename=str(path)))
    message = str(caught.value)
    assert f'video {path} ' in message
    assert re.search(
        'Copy or download it again|Correct its path|Replace it by', message)


@pytest.mark.parametrize('mode', ['accurate', 'efficient'])
def test_frames_that_cannot_be_decoded(folder: Path, mode: str) -> None:
    path = folder / 'damaged.mp4'
    with pytest.raises(ValueError, match=f'{path} is damaged: '):
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
    bare = folder / 'bare'
    bare.write_bytes((folder / 'whole.mp4').read_bytes())
    assert OpenVideo()(dict(filename=str(bare)))['total_frames'] == FRAMES
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
        np.testing.assert_array_equal(found['video_reader'].get_frames([3]),
                                      local['video_reader'].get_frames([3]))
    assert Shelf.built == 1
    with pytest.raises(
            FileNotFoundError, match='video shelf://no.mp4 does not exist'):
        opener(dict(filename='shelf://no.mp4'))


def test_colon_in_a_relative_name(folder: Path, monkeypatch) -> None:
    (folder / '1:30.mp4').write_bytes((folder / 'whole.mp4').read_bytes())
    monkeypatch.chdir(folder)
    assert OpenVideo()(dict(filename='1:30.mp4'))['total_frames'] == FRAMES


def test_hung_decoder_is_bad_media(folder: Path, monkeypatch) -> None:
    """A hung thread is abandoned; the file is not tried again."""
    gate = threading.Event()
    # The first video of a process takes longer, to import the reader.
    OpenVideo()(dict(filename=str(folder / 'whole.mp4')))
    opener, decoder = OpenVideo(time_limit=0.5), DecodeFrames()
    path = folder / 'hung.mp4'
    path.write_bytes((folder / 'whole.mp4').read_bytes())
    results = opener(dict(filename=str(path)))
    video = results['video_reader']
    monkeypatch.setattr(video, '_read', lambda indices: gate.wait())
    results['frame_inds'] = np.array([0])
    with pytest.raises(HungMediaError, match='hung.mp4 lets .* within 0.5 s'):
        decoder(results)
    gate.set()
    with pytest.raises(HungMediaError, match='hung.mp4 has let a decoder ha'):
        opener(dict(filename=str(path)))
    assert str(path) in hung_files()


@pytest.mark.parametrize('options, words', [
    (dict(reader='vlc'), "'auto' or one of .*'vlc'"),
    (dict(num_threads=0), 'num_threads must be at least 1, but is 0'),
    (dict(time_limit=0), 'time_limit must be None or above 0 seconds'),
])
def test_bad_arguments(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        OpenVideo(**options)
    with pytest.raises(ValueError, match="mode of DecodeFrames .*'fast'"):
        DecodeFrames('fast')


def test_boxes_become_pixels(folder: Path) -> None:
    """As the host does for spatio-temporal detection."""
    results = OpenVideo()(dict(filename=str(folder / 'whole.mp4')))
    results.update(
        frame_inds=np.array([[0, 1]]),
        gt_bboxes=np.array([[0, 0.5, 1, 1]]),
        proposals=None)
    results = DecodeFrames()(results)
    assert results['gt_bboxes'].tolist() == [[0, 24, 64, 48]]
    assert results['gt_bboxes'].dtype == np.float32
    assert len(results['imgs']) == 2


def test_whole_video(folder: Path) -> None:
    with open_whole_video(str(folder / 'whole')) as video:
        assert len(video) == FRAMES and video.size == (48, 64)
    with pytest.raises(ValueError, match='damaged.mp4 is damaged'):
        open_whole_video(str(folder / 'damaged.mp4'))


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


@pytest.mark.parametrize(
    'name',
    ['missing.mp4', 'zero.mp4', 'lost.avi', 'short.mp4', 'damaged.mp4'])
def test_error_leaves_a_worker_whole(folder: Path, name: str) -> None:
    """Type and message of an error pass from the worker to the training."""
    loader = DataLoader(
        Videos(folder / 'whole.mp4', folder / name),
        num_workers=1,
        batch_size=None)
    batches = iter(loader)
    assert next(batches) == 8
    error = FAULTS[name].error if name in FAULTS else ValueError
    with pytest.raises(error, match=f'video {folder / name} '):
        next(batches)


def test_built_by_their_config_names() -> None:
    steps = [
        TRANSFORMS.build(
            dict(type='mmvideomamba.OpenVideo', min_frames=8, num_threads=2)),
        TRANSFORMS.build(dict(type='mmvideomamba.DecodeFrames'))
    ]
    assert repr(steps[0]) == ('OpenVideo(min_frames=8, io_backend=disk, '
                              'num_threads=2, reader=auto, time_limit=300.0)')
    assert repr(steps[1]) == "DecodeFrames(mode='accurate')"
