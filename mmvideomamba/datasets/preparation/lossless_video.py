"""Small grey videos in lossless coding, each frame by itself.

Files are written with PyAV, in the process: to start an ffmpeg for each of
20,000 clips would take longer than the clips.
"""
from pathlib import Path
from typing import Any, Dict, NamedTuple

import av
import numpy as np

from mmvideomamba.datasets.video import open_video


class Codec(NamedTuple):
    """A lossless coding.

    Args:
        container (str): Ending of the file.
        encoder (str): Name of FFmpeg's encoder.
    """
    container: str
    encoder: str


# All readers of mmvideomamba give the same pixels back; each frame is coded by
# itself. ffvhuff is the default: a third of rawvideo's bytes, read in half the
# time of ffv1.
LOSSLESS: Dict[str, Codec] = {
    'ffvhuff': Codec('avi', 'ffvhuff'),
    'ffv1': Codec('mkv', 'ffv1'),
    'rawvideo': Codec('avi', 'rawvideo'),
}


def check_codec(name: str) -> Codec:
    """Check the name of a coding, and the presence of the encoder.

    Args:
        name (str): A key of ``LOSSLESS``.

    Returns:
        Codec: The coding.

    Raises:
        ValueError: If the coding is not in the table, or FFmpeg lacks the
            encoder.
    """
    if name not in LOSSLESS:
        raise ValueError(
            f'codec {name!r} is refused: a lossy codec, or frames predicted '
            'from other frames, let artefacts or the size of a file tell the '
            f'class; choose one of {list(LOSSLESS)}.')
    codec = LOSSLESS[name]
    try:
        av.codec.Codec(codec.encoder, 'w')
    except ValueError:  # of PyAV, for an unknown codec
        raise ValueError(
            f'this PyAV ({av.__version__}) has no encoder {codec.encoder!r}: '
            'choose another --codec, or install the wheel of PyAV '
            '(pip install --force-reinstall av).') from None
    return codec


def write_grey(frames: np.ndarray, path: Path, codec: str,
               frame_rate: int) -> None:
    """Write grey frames, bit by bit the same in each run.

    Args:
        frames (np.ndarray): Shape (t, h, w), uint8.
        path (Path): The file, with the ending of the coding.
        codec (str): A key of ``LOSSLESS``.
        frame_rate (int): Frames per second.
    """
    # Else the file tells the version of FFmpeg.
    with av.open(str(path), 'w', options=dict(fflags='+bitexact')) as file:
        stream: Any = file.add_stream(LOSSLESS[codec].encoder, frame_rate)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = 'gray'
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format='gray')
            file.mux(stream.encode(picture))
        file.mux(stream.encode())


def check_written(frames: np.ndarray, path: Path) -> None:
    """Read a file, and compare every pixel.

    Args:
        frames (np.ndarray): As written, shape (t, h, w), uint8.
        path (Path): The file.

    Raises:
        RuntimeError: If a pixel differs.
    """
    with open_video(path) as video:
        found = video.get_frames(range(len(video)))
    if found.shape[:3] != frames.shape or (found != frames[..., None]).any():
        raise RuntimeError(
            f'{path}: the pixels read are not the pixels written; the codec '
            'of this PyAV is not lossless, choose another --codec.')
