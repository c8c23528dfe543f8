"""Lossless files: every reader gives the pixels back, bit by bit."""
import av
import numpy as np
import pytest

from mmvideomamba.datasets.preparation import lossless_video
from mmvideomamba.datasets.preparation.lossless_video import (LOSSLESS,
                                                              check_codec,
                                                              check_written,
                                                              write_grey)
from mmvideomamba.datasets.video import MediaError, open_video
from mmvideomamba.datasets.video.choice import READERS, try_reader

FRAMES = np.random.default_rng(0).integers(
    2, size=(9, 24, 40), dtype=np.uint8) * np.uint8(255)


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('codec', LOSSLESS)
def test_pixels_come_back(codec: str, reader: str, tmp_path) -> None:
    reason = try_reader(reader)
    if reason:
        pytest.skip(f'{reader}: {reason}')
    path = tmp_path / f'a.{LOSSLESS[codec].container}'
    write_grey(FRAMES, path, codec, 16)
    with open_video(path, reader) as video:
        found = video.get_frames(range(len(video)))
    assert found.shape == (9, 24, 40, 3)
    assert (found == FRAMES[..., None]).all()


@pytest.mark.parametrize('codec', LOSSLESS)
def test_bytes_and_frames_are_independent_of_other_frames(codec,
                                                          tmp_path) -> None:
    """A file of the same frames in another order has the same size."""
    paths = [tmp_path / f'{i}.{LOSSLESS[codec].container}' for i in range(3)]
    for path, frames in zip(paths, (FRAMES, FRAMES, FRAMES[::-1])):
        write_grey(frames, path, codec, 16)
    first, again, turned = (path.read_bytes() for path in paths)
    assert first == again
    assert first != turned and len(first) == len(turned)


def test_other_pixels_are_noticed(tmp_path) -> None:
    path = tmp_path / 'a.avi'
    write_grey(FRAMES, path, 'ffvhuff', 16)
    check_written(FRAMES, path)
    other = FRAMES.copy()
    other[3, 2, 1] ^= 255
    with pytest.raises(RuntimeError, match='not lossless'):
        check_written(other, path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(MediaError):
        check_written(FRAMES, path)


@pytest.mark.parametrize('codec', ['libx264', 'mjpeg', 'nothing'])
def test_other_codecs_are_refused(codec: str) -> None:
    with pytest.raises(ValueError, match='lossy.*ffvhuff') as error:
        check_codec(codec)
    assert '\n' not in str(error.value)


def test_a_missing_encoder_is_one_line(monkeypatch) -> None:
    assert check_codec('ffvhuff').container == 'avi'

    def missing(name: str, mode: str) -> None:
        raise av.codec.codec.UnknownCodecError(name)

    monkeypatch.setattr(lossless_video.av.codec, 'Codec', missing)
    with pytest.raises(ValueError, match='no encoder .ffv1.*pip') as error:
        check_codec('ffv1')
    assert '\n' not in str(error.value)
