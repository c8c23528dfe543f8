"""Opening of a file with PyAV."""
import io
import os
from typing import Any, List, Tuple

import av
from av.codec.context import Flags

from . import frame_table
from .errors import MediaError
from .library_log import watch
from .pyav_stream import best_stream, formats_of, reason_of
from .reader import Source

# No address is followed, and % in the name of an image is not a pattern.
OPEN_OPTIONS = {'protocol_whitelist': 'file', 'pattern_type': 'none'}
# Text files, some of which name other files, and are no video themselves.
TEXTS = {'tty', 'concat', 'hls', 'dash', 'imf', 'sdp', 'webm_dash_manifest'}
# A decoder reports damage instead of hiding it behind made-up pictures.
DECODER_OPTIONS = {'err_detect': 'crccheck+explode'}
# H.264's tells all damage in the log, and would stop at harmless faults.
H264_OPTIONS = {'err_detect': 'crccheck'}
# The library decodes pictures of a file to learn about the streams; with the
# options below a single packet (a microsecond) is read and nothing decoded.
QUICK_OPTIONS = {'analyzeduration': '1', 'skip_frame': 'all'}


def is_mp4(source: Source) -> bool:
    """Tell whether a file begins as an .mp4 or .mov file does.

    Args:
        source (str | bytes): Path of a local file, or the content of a file.

    Returns:
        bool: Whether the first box is of type ``ftyp``.
    """
    if isinstance(source, str):
        try:
            with open(source, 'rb') as file:
                source = file.read(8)
        except OSError:
            return False  # to open the file tells why
    return source[4:8] == b'ftyp'


def open_stream(source: Source,
                path: str,
                quick: bool = False) -> Tuple[Any, Any]:
    """Open a file, and choose and prepare the stream to decode.

    Args:
        source (str | bytes): Path of a local file, or the content of a file.
        path (str): Name of the file in messages.
        quick (bool): Believe the header of the file, and decode no picture
            to learn more; for a file of ``tells_all``. Defaults to False.

    Returns:
        tuple[av.container.InputContainer, av.video.stream.VideoStream]: The
        open file and the stream.

    Raises:
        MediaError: If the file is damaged or no video.
    """
    target: Any
    if isinstance(source, bytes):
        target = io.BytesIO(source)
    else:
        # A name like 1:30.mp4 looks like a URL.
        target = 'file:' + os.path.abspath(source)
    options = {**OPEN_OPTIONS, **(QUICK_OPTIONS if quick else {})}
    complaints: List[str] = []
    try:
        # Probing starts decoders where they may complain of a good file.
        with watch() as complaints:
            container: Any = av.open(target, options=options)
    except (av.FFmpegError, EOFError, ValueError) as error:
        raise MediaError(
            path, 'is not a video file, or its header is damaged or cut off '
            f'({reason_of(error)})') from error
    try:
        stream = _checked_stream(container, path, complaints)
    except MediaError:
        container.close()
        raise
    _prepare(stream.codec_context)
    return container, stream


def tells_all(container: Any, stream: Any) -> bool:
    """Tell whether the header of a file, quickly opened, is enough.

    Args:
        container (av.container.InputContainer): The open file.
        stream (av.video.stream.VideoStream): The chosen stream.

    Returns:
        bool: Whether to look at the pictures would change neither the choice
        of the stream nor the rate nor the way the table is read: a short
        .mp4 file with a single video stream in H.264, and without fragments.
    """
    indexed = len(stream.index_entries)
    return ('mov' in formats_of(container)
            and len(container.streams.video) == 1
            and stream.codec_context.name == 'h264'
            and stream.average_rate is not None
            and 0 < indexed < frame_table.LONG and stream.frames == indexed)


def _checked_stream(container: Any, path: str, complaints: List[str]) -> Any:
    """Return the stream to decode of a file without complaints."""
    demuxer = container.format.name
    for complaint in complaints:
        if complaint.startswith(f'{demuxer}: '):
            raise MediaError(path, f'is damaged ({complaint})')
    if TEXTS & formats_of(container):
        raise MediaError(path, 'is a text file, not a video')
    return best_stream(container, path)


def _prepare(context: Any) -> None:
    """Set the options of a decoder."""
    context.options = dict(H264_OPTIONS if context.name ==
                           'h264' else DECODER_OPTIONS)
    # Threads of the decoder would hide the complaints, see watch().
    context.thread_count, context.thread_type = 1, 'NONE'
    # Else a decoder leaves a part of what the file crops at the left.
    context.flags |= Flags.unaligned
