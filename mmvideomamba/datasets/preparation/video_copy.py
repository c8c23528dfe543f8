"""A copy of a video for trainings: frame i stays frame i, keys are close."""
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable, Iterator, List, NamedTuple, Optional

import av
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

from mmvideomamba.atomic_file import draft_of, finish_file
from mmvideomamba.datasets.video import MediaError, open_video
from mmvideomamba.datasets.video.pyav_reader import PyAVReader
from .copied_audio import AudioError, CopiedAudio
from .copied_picture import PictureMaker
from .disk_errors import DiskError, DraftFile, disk_errors

ENCODER = 'libx264'
PRESETS = ('ultrafast', 'superfast', 'veryfast', 'faster', 'fast', 'medium',
           'slow', 'slower', 'veryslow')
STEP = 50  # frames between two signs of life
RATE_TOLERANCE = .01
COPY_REMEDY = 'Copy it again, or leave the video out of the list.'


class CopySettings(NamedTuple):
    """How copies are made; copies of other settings are not used again.

    Args:
        short_side (int): Length of the shorter side in pixels, 0 for the
            original's. Smaller videos keep the size. Defaults to 256.
        key_frames (int): Distance of key frames. Defaults to 12.
        crf (float): Constant rate factor of x264, from 0 (no loss) to 51.
            Defaults to 23.
        preset (str): Of x264, one of ``PRESETS``. Defaults to 'faster'.
        fast_decode (bool): Whether to decode faster, from larger files
            (``-tune fastdecode``). Defaults to True.
        drop_audio (bool): Whether to leave the audio out. Defaults to False.
    """
    short_side: int = 256
    key_frames: int = 12
    crf: float = 23.
    # Less time than medium, at about the same size of the copies.
    preset: str = 'faster'
    fast_decode: bool = True
    drop_audio: bool = False


class VideoCopy(NamedTuple):
    """Facts of a finished copy.

    Args:
        frames (int): Number of frames.
        size (int): Bytes of the copy.
        audio (str): 'none', 'kept' or 'dropped'; 'refused' where .mp4 cannot
            hold the stream.
        times (str): 'kept'; 'even' where the original tells no usable time
            stamps, and the copy has evenly spaced frames; 'rate' where
            the average rate is not the original's, as the latter contradicts
            the time stamps.
    """
    frames: int
    size: int
    audio: str
    times: str


class _TimesError(Exception):
    """The time stamps of a video do not rise."""


def check_encoder() -> None:
    """Look for the encoder.

    Raises:
        ImportError: If PyAV was built without x264.
    """
    try:
        av.codec.Codec(ENCODER, 'w')
    except ValueError as error:
        raise ImportError(
            f'PyAV {av.__version__} has no encoder {ENCODER}, which makes the '
            'copies. The wheels of PyPI bring it: pip install '
            '--force-reinstall --only-binary :all: av') from error


def copy_video(source: str,
               target: Path,
               settings: CopySettings,
               alive: Callable[[], None] = lambda: None) -> VideoCopy:
    """Make the copy of a video, check and publish the copy.

    Frame i of the copy is frame i of the original as the readers count,
    upright, H.264 with 4:2:0 colours in .mp4, without B frames, a key frame
    every ``key_frames`` frames that no later frame refers beyond. Frame 0 is
    shown at 0 s, the others as long after frame 0 as in the
    original.

    Args:
        source (str): The original.
        target (Path): The copy, in a folder that is there.
        settings (CopySettings): How to copy.
        alive (Callable): Called from time to time.

    Returns:
        VideoCopy: Facts of the copy.

    Raises:
        MediaError: If the original cannot be used, or frames of the copy are
            missing or wrong; there is no copy then.
        DiskError: If the copy cannot be written.
    """
    draft = draft_of(target)
    even, audio = False, not settings.drop_audio
    try:
        # Bad times, or audio refused by .mp4, show in the middle of a copy:
        # the next attempt goes without.
        while True:
            try:
                maker = _Maker(source, settings, even, audio, alive)
                maker.write(draft)
                break
            except _TimesError:
                even = True
            except AudioError:
                audio = False
        maker.check(draft)
        size = draft.stat().st_size
        with disk_errors(target):
            finish_file(target)
    finally:
        draft.unlink(missing_ok=True)
    kind = maker.audio
    # Dropped in a second attempt: the container refused the audio.
    if kind == 'dropped' and not settings.drop_audio:
        kind = 'refused'
    return VideoCopy(len(maker.times), size, kind, maker.told_times)


class _Maker:
    """An attempt at a copy.

    Args:
        source (str): As in ``copy_video``.
        settings (CopySettings): As in ``copy_video``.
        even (bool): Whether to space the frames evenly.
        audio (bool): Whether to copy the audio.
        alive (Callable): As in ``copy_video``.

    Attributes:
        times (list[Fraction]): When each frame is shown, in seconds.
        told_times (str): As ``times`` of ``VideoCopy``.
        audio (str): As in ``VideoCopy``.
    """

    def __init__(self, source: str, settings: CopySettings, even: bool,
                 audio: bool, alive: Callable[[], None]) -> None:
        self.source, self.settings, self.alive = source, settings, alive
        self.even, self.keep_audio = even, audio
        self.times: List[Fraction] = []
        self.told_times = 'even' if even else 'kept'
        self.audio = 'none'
        self._rate = Fraction(25)  # frames a second, of the original
        self._start = Fraction(0)  # of frame 0 of the original, in seconds
        self._pictures = PictureMaker(source, settings.short_side)

    def write(self, draft: Path) -> None:
        """Encode all frames into a file."""
        file = DraftFile(draft)
        try:
            with _opened(self.source) as video:
                # The limit brings a rate like 30000/1001 back from the float.
                self._rate = Fraction(video.avg_fps).limit_denominator(10000)
                frames = self._frames(video)
                with CopiedAudio(self.source) as audio:
                    if audio.streams:
                        self.audio = 'kept' if self.keep_audio else 'dropped'
                    self._mux(frames, video.pixel_aspect, file,
                              audio if self.audio == 'kept' else None)
        finally:
            file.close()

    def _frames(self, video: PyAVReader) -> Iterator[Any]:
        """Yield the frames of the copy, not yet encoded."""
        first: Optional[int] = None
        for number, frame in enumerate(video.walk()):
            unit = 1 / self._rate if self.even else frame.time_base
            pts = number if self.even else frame.pts
            if pts is None or not unit:
                raise _TimesError
            if first is None:
                first, self._start = pts, pts * unit
            time = (pts - first) * unit
            if self.times and time <= self.times[-1]:
                raise _TimesError
            self.times.append(time)
            made = self._pictures.make(frame, number)
            made.pts, made.time_base = pts - first, unit
            # Else the encoder takes over the kinds of the original's frames.
            made.pict_type = 0
            yield made
            if number % STEP == 0:
                self.alive()

    def _mux(self, frames: Iterator[Any], aspect: Optional[Fraction],
             file: DraftFile, audio: Optional[CopiedAudio]) -> None:
        """Encode frames, and write them between the packets of the audio."""
        # The first picture tells the encoder size and colours.
        first = next(frames)
        container = av.open(file, 'w', 'mp4')
        try:
            with self._encoding():
                stream = container.add_stream(ENCODER, self._rate)
                self._set_up(stream.codec_context, first, aspect)
            if audio is not None:
                audio.begin(container, self._start)
            self._encode(first, frames, stream, container, audio)
            with self._encoding():
                container.close()
        except BaseException:
            _abandon(container)
            raise

    def _encode(self, first: Any, frames: Iterator[Any], stream: Any,
                container: Any, audio: Optional[CopiedAudio]) -> None:
        """Pass the frames through the encoder into the container."""
        held: Optional[Any] = None  # the last packet needs a duration
        number = 0
        following: Optional[Any] = first
        while True:
            with self._encoding():
                packets = stream.encode(following)
            for packet in packets:
                if held is not None:
                    self._put(held, number, container, audio)
                    number += 1
                held = packet
            if following is None:
                break
            following = next(frames, None)
        if held is not None:
            held.duration = self._last_duration(held.time_base)
            self._put(held, number, container, audio)
        if audio is not None:
            audio.put_until(None)

    def _put(self, packet: Any, number: int, container: Any,
             audio: Optional[CopiedAudio]) -> None:
        """Write a packet, after the audio that comes earlier."""
        if audio is not None:
            audio.put_until(self.times[number])
        with self._encoding():
            container.mux(packet)

    def _last_duration(self, unit: Fraction) -> int:
        """Return how long the last frame is shown, in units."""
        # So frames / duration is the rate of the original.
        left = len(self.times) / self._rate - self.times[-1]
        return max(1, round(left / unit))

    @contextmanager
    def _encoding(self) -> Iterator[None]:
        """Name the video where the encoder or the container fails."""
        try:
            yield
        except DiskError:
            raise
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(self.source, f'cannot be encoded: {error}',
                             COPY_REMEDY) from error

    def _set_up(self, context: Any, first: Any,
                aspect: Optional[Fraction]) -> None:
        """Set the encoder up."""
        keys = self.settings.key_frames
        context.width, context.height = first.width, first.height
        context.pix_fmt = 'yuv420p'
        context.time_base = first.time_base
        # With a single thread x264 writes the same bytes again; several videos
        # are copied side by side.
        context.thread_count = 1
        # Without B frames, packets stand in the order of the frames.
        context.gop_size, context.max_b_frames = keys, 0
        context.colorspace = first.colorspace
        context.color_range = ColorRange.MPEG
        context.color_primaries = first.color_primaries
        context.color_trc = first.color_trc
        if aspect:
            # On the side, width and height of a pixel change places.
            turned = self._pictures.turned
            context.sample_aspect_ratio = 1 / aspect if turned else aspect
        options = {
            'preset':
            self.settings.preset,
            'crf':
            f'{self.settings.crf:g}',
            'flags':
            '+cgop',
            # Key frames at even distances only, as _compare demands: no key
            # frame at a cut.
            'x264-params':
            f'keyint={keys}:min-keyint={keys}:scenecut=0:open-gop=0:'
            'bframes=0:threads=1:lookahead-threads=1'
        }
        if self.settings.fast_decode:
            # Without CABAC and deblocking, frames decode about twice as fast,
            # at a tenth more bytes: docs/prepared_videos.md.
            options['tune'] = 'fastdecode'
        context.options = options

    def check(self, draft: Path) -> None:
        """Read a copy again.

        Args:
            draft (Path): The file.

        Raises:
            MediaError: If the file is not the intended copy.
        """
        try:
            with _opened(str(draft)) as video:
                self._compare(video)
        except MediaError as error:
            if error.path != str(draft):
                raise
            self._refuse(error.fault)

    def _compare(self, video: PyAVReader) -> None:
        """Compare the frames of a copy with the intended ones."""
        if len(video) != len(self.times):
            self._refuse(f'has {len(video)} frames instead of '
                         f'{len(self.times)}')
        if abs(video.avg_fps / float(self._rate) - 1) > RATE_TOLERANCE:
            self.told_times = 'rate'
        for number, frame in enumerate(video.walk()):
            where = f'at frame {number}'
            if number % STEP == 0:
                self.alive()
            time = frame.pts * frame.time_base
            # The times are rounded to units of the copy.
            if abs(time - self.times[number]) > frame.time_base:
                self._refuse(f'has the time {float(time):.4f} s instead of '
                             f'{float(self.times[number]):.4f} s {where}')
            if (frame.width, frame.height) != self._pictures.size:
                self._refuse(f'has another size {where}')
            key = number % self.settings.key_frames == 0
            if frame.key_frame != key:
                self._refuse(f'{"lacks" if key else "has"} a key frame '
                             f'{where}')
            if frame.pict_type == PictureType.B:
                self._refuse(f'has a B frame {where}')

    def _refuse(self, fault: str) -> None:
        raise MediaError(
            self.source, f'was not copied rightly: the copy {fault}, and was '
            'not kept', COPY_REMEDY)


def _opened(path: str) -> PyAVReader:
    """Open a video for ``walk``."""
    video = open_video(path, 'pyav')
    assert isinstance(video, PyAVReader)
    return video


def _abandon(container: Any) -> None:
    """Close a container whose file is of no use."""
    try:
        container.close()
    except (av.FFmpegError, OSError, ValueError):
        pass
