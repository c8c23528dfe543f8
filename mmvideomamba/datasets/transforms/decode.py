"""Opening and decoding of video files, with errors that say what is wrong."""
import io
import os
from typing import Any, BinaryIO, Optional

import decord
import numpy as np
from mmaction.datasets.transforms import DecordDecode, DecordInit
from mmengine.fileio import FileClient

from mmvideomamba.registry import TRANSFORMS

LOCAL_BACKENDS = ('disk', 'local')
# What decord raises for files that it cannot open (an assertion holds the
# number of frames above 0) and for frames that it cannot decode.
_OPEN_ERRORS = (decord.DECORDError, RuntimeError, AssertionError)
_DECODE_ERRORS = (decord.DECORDError, RuntimeError, StopIteration)
_REMEDY = ('Copy or download it again, re-encode it (ffmpeg -i OLD NEW.mp4), '
           'or leave it out of the list.')


def video_path(filename: str) -> str:
    """Complete the name of a video as the host does.

    Args:
        filename (str): Path of a video.

    Returns:
        str: The path; '.mp4' is appended where it has no extension.
    """
    return filename if os.path.splitext(filename)[1] else filename + '.mp4'


def _end_of_boxes(stream: BinaryIO) -> int:
    """Return where the last box of an MP4 or MOV file should end."""
    end = 0
    while True:
        stream.seek(end)
        head = stream.read(16)
        size = int.from_bytes(head[:4], 'big')
        if size == 1:
            size = int.from_bytes(head[8:], 'big')
        # Less is no box; 0 stands for the rest of the file.
        if len(head) < 8 or size < 8:
            return end
        end += size


def _end_of_riff(stream: BinaryIO) -> int:
    """Return where the last RIFF chunk of an AVI file should end."""
    end = 0
    while True:
        stream.seek(end)
        head = stream.read(8)
        if head[:4] != b'RIFF':
            return end
        size = int.from_bytes(head[4:], 'little')
        if size in (0, 0xffffffff):  # never filled in
            return 0
        end += 8 + size


def _matroska_size(stream: BinaryIO) -> int:
    """Read the size of an element, 0 if unknown; moves to its content."""
    first = stream.read(1) or b'\0'
    length = 9 - first[0].bit_length()
    value = int.from_bytes(first + stream.read(length - 1), 'big')
    ones = (1 << 7 * length) - 1
    return value & ones if value & ones != ones else 0


def _end_of_matroska(stream: BinaryIO) -> int:
    """Return where the segment of a Matroska or WebM file should end."""
    stream.seek(4)
    stream.seek(_matroska_size(stream), os.SEEK_CUR)
    if stream.read(4) != b'\x18\x53\x80\x67':
        return 0
    size = _matroska_size(stream)
    return stream.tell() + size if size else 0


def missing_bytes(stream: BinaryIO) -> int:
    """Count the bytes that a video file has lost at its end.

    Args:
        stream (BinaryIO): The file.

    Returns:
        int: By how much its headers announce more than there is; 0 for a
        container that does not say how long it is.
    """
    stream.seek(0)
    head = stream.read(8)
    if head[:4] == b'RIFF':
        end = _end_of_riff(stream)
    elif head[:4] == b'\x1a\x45\xdf\xa3':
        end = _end_of_matroska(stream)
    elif _is_mp4(stream):
        end = _end_of_boxes(stream)
    else:
        end = 0
    return max(0, end - stream.seek(0, os.SEEK_END))


def _is_mp4(stream: BinaryIO) -> bool:
    """Tell whether a file starts like one of the MP4 family."""
    stream.seek(4)
    return stream.read(4) in (b'ftyp', b'moov', b'mdat', b'wide', b'free',
                              b'skip')


def _check_whole(path: str, stream: BinaryIO) -> None:
    """Raise ValueError for a file whose loss decord would not notice.

    It opens the rest of a Matroska file as if that were all, and crashes on
    the bytes of an AVI file that ends within a frame.
    """
    size = stream.seek(0, os.SEEK_END)
    if size == 0:
        raise ValueError(f'video {path} is empty (0 bytes). {_REMEDY}')
    missing = missing_bytes(stream)
    if missing and not _is_mp4(stream):
        raise ValueError(f'video {path} {_cut_off(size, missing)}. {_REMEDY}')


def _cut_off(size: int, missing: int) -> str:
    return (f'is cut off: {size} bytes are left of the {size + missing} that '
            'its header announces')


def _fault(stream: BinaryIO, error: Exception) -> str:
    """Say in words why decord could not open a file."""
    missing = missing_bytes(stream)
    if missing:
        return _cut_off(stream.seek(0, os.SEEK_END), missing)
    if 'cannot find video stream' in str(error):
        return ('has no video stream that decord can decode: it holds only '
                'audio, or uses a codec, such as AV1, that decord lacks')
    if isinstance(error, RuntimeError):
        return 'is not a video file, or its header is damaged'
    return 'is damaged, or a kind of file that decord cannot count frames in'


@TRANSFORMS.register_module()
class OpenVideo(DecordInit):
    """Open a video with decord, or say what is wrong with it.

    The host's ``DecordInit`` with errors that name the file. A file on a
    local disk is read by decord itself instead of being copied into memory.
    The other inputs of the host's inferencer, arrays and folders of frames,
    pass unchanged.

    Required Keys:

    - filename (str): '.mp4' is appended to a name without extension

    Added Keys:

    - video_reader (decord.VideoReader)
    - total_frames (int)
    - avg_fps (float): Frames per second

    Args:
        min_frames (int, optional): Fewest frames that a video may have, for
            example the length of the clip. None allows any; the samplers
            then repeat frames. Defaults to None.
        io_backend (str): Where the files are, see mmengine's ``FileClient``.
            Defaults to 'disk'.
        num_threads (int): Threads of decord per video. Defaults to 1.
        **kwargs: Further arguments of the ``FileClient``.
    """

    def __init__(self,
                 min_frames: Optional[int] = None,
                 io_backend: str = 'disk',
                 num_threads: int = 1,
                 **kwargs: Any) -> None:
        super().__init__(io_backend, num_threads, **kwargs)
        if min_frames is not None and min_frames < 1:
            raise ValueError('min_frames must be None or at least 1, but is '
                             f'{min_frames}')
        self.min_frames = min_frames

    def transform(self, results: dict) -> dict:
        """Open the video of a sample.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with the added keys.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If it is empty, cut off, no video, without a picture,
                or shorter than ``min_frames``.
        """
        if 'array' in results or 'frame_dir' in results:
            return results
        results = super().transform(results)
        found, least = results['total_frames'], self.min_frames
        if least is not None and found < least:
            raise ValueError(
                f'video {video_path(results["filename"])} has {found} frames, '
                f'fewer than min_frames={least}. Leave it out of the list, '
                'sample shorter clips, or set min_frames=None, which lets '
                'the sampler repeat frames.')
        return results

    def _get_video_reader(self, filename: str) -> decord.VideoReader:
        """Open a file; the name is that of the host's method."""
        path = video_path(filename)
        with self._open_stream(path) as stream:
            _check_whole(path, stream)
            stream.seek(0)
            local = self.io_backend in LOCAL_BACKENDS
            # An absolute path, as a name like 1:30.mp4 looks like a URL.
            source = os.path.abspath(path) if local else stream
            try:
                return decord.VideoReader(source, num_threads=self.num_threads)
            except _OPEN_ERRORS as error:
                raise ValueError(f'video {path} {_fault(stream, error)}. '
                                 f'{_REMEDY}') from error

    def _open_stream(self, path: str) -> BinaryIO:
        """Open the bytes of a file."""
        try:
            if self.io_backend in LOCAL_BACKENDS:
                return open(path, 'rb')
            if self.file_client is None:
                self.file_client = FileClient(self.io_backend, **self.kwargs)
            return io.BytesIO(self.file_client.get(path))
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'video {path} does not exist. Correct its path; in a '
                'dataset that is data_prefix and the annotation file.'
            ) from error

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(min_frames={self.min_frames}, '
                f'io_backend={self.io_backend}, '
                f'num_threads={self.num_threads})')


@TRANSFORMS.register_module()
class DecodeFrames(DecordDecode):
    """Decode the sampled frames, or say which file could not be decoded.

    The host's ``DecordDecode`` with errors that name the file.

    Required Keys:

    - filename (str)
    - video_reader (decord.VideoReader)
    - frame_inds (np.ndarray): Shape (clips * t, ), integers

    Added Keys:

    - imgs (list[np.ndarray]): Frames, RGB, each (h, w, 3), uint8, clip after
      clip
    - original_shape (tuple[int]): (h, w)
    - img_shape (tuple[int]): (h, w)

    Modified Keys:

    - video_reader: None, the file is closed

    Args:
        mode (str): 'accurate', or 'efficient' for the nearest key frames.
            Defaults to 'accurate'.
    """

    def transform(self, results: dict) -> dict:
        """Decode the frames of a sample.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with the added keys.

        Raises:
            ValueError: If a frame cannot be decoded.
        """
        try:
            return super().transform(results)
        except _DECODE_ERRORS as error:
            wanted = results['frame_inds']
            raise ValueError(
                f'video {video_path(results["filename"])} is damaged: of its '
                f'{results["total_frames"]} frames some between '
                f'{wanted.min()} and {wanted.max()} cannot be decoded. '
                f'{_REMEDY}') from error


def open_whole_video(path: str) -> decord.VideoReader:
    """Open a video, and decode the first and the last frame.

    The last frame of a cut-off file cannot be decoded.

    Args:
        path (str): The video.

    Returns:
        decord.VideoReader: The open video.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the video cannot be read; the message says why.
    """
    sample = OpenVideo()(dict(filename=path))
    reader = sample['video_reader']
    DecodeFrames()(dict(sample, frame_inds=np.array([0, len(reader) - 1])))
    return reader
