"""Small videos of many kinds; every frame shows a number.

Each kind is a row of ``KINDS``. The truth: ffmpeg's frames in the order of
presentation, ``ffmpeg -i FILE -fps_mode passthrough``.
"""
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np
from numbered_frames import (SIZE, damage, decode, draw, read_number,
                             run_ffmpeg, truncate)

__all__ = [
    'KINDS', 'Kind', 'Video', 'VideoKinds', 'damage', 'decode', 'draw',
    'read_number', 'run_ffmpeg', 'truncate'
]

FRAMES = 60

H264 = '-c:v libx264 -preset veryfast -crf 16 -pix_fmt yuv420p -threads 1 '
HEVC = '-c:v libx265 -preset ultrafast -crf 16 '
X265 = 'log-level=none:pools=none:frame-threads=1:keyint=16'
MPEG4 = '-c:v mpeg4 -q:v 3 -g 12 -pix_fmt yuv420p '
MPEG2 = '-c:v mpeg2video -q:v 3 -g 12 -bf 2 -pix_fmt yuv420p '
VP8 = '-c:v libvpx -deadline realtime -cpu-used 8 -b:v 500k -threads 1 '
VP9 = ('-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -crf 20 -b:v 0 '
       '-threads 1 ')
AV1 = ('-c:v libaom-av1 -usage good -cpu-used 8 -crf 20 -b:v 0 -g 16 '
       '-pix_fmt yuv420p -threads 1 -lag-in-frames 12 ')
TONE = '-f lavfi -t 2.4 -i sine '
# Every third frame in one part of the video, pauses of seconds in another.
UNEVEN = "-vf select='lt(n,20)+not(mod(n,3))',setpts='PTS+gt(N,25)*3/TB' "


class Kind(NamedTuple):
    """The recipe of a kind of file, and the truths about the file.

    Args:
        options (str): Options of ffmpeg for the output.
        inputs (str): Inputs of ffmpeg: ``{raw}`` are the drawn frames,
            ``{h264.mp4}`` is the file of another kind.
        size (tuple[int]): Width and height as drawn.
        frames (int): How many are drawn.
        colour (str): '8-bit 4:2:0' (all readers give the same pixels) or
            the reason for a tolerance: '10-bit', 'full range', 'BT.709',
            '4:4:4', 'gray', 'alpha', 'palette', 'interlaced', 'odd size'.
        complete (bool): If all drawn frames are in the file. An edit list or
            a variable rate may leave some out.
    """
    options: str
    inputs: str = '{raw}'
    size: Tuple[int, int] = SIZE
    frames: int = FRAMES
    colour: str = '8-bit 4:2:0'
    complete: bool = True


def copied(source: str,
           before: str = '',
           after: str = '-c copy',
           **features: Any) -> Kind:
    """Describe a file with the packets of another kind."""
    return Kind(after, f'{before} -i {{{source}}}', **features)


KINDS: Dict[str, Kind] = {
    # H.264 in every container.
    'h264.mp4':
    Kind(H264 + '-g 16 -bf 2'),
    'h264.mkv':
    copied('h264.mp4'),
    'h264.mov':
    copied('h264.mp4'),
    'h264.avi':
    Kind(H264 + '-g 16 -bf 2'),
    # Empty packets fill the gaps in time.
    'h264_padded.avi':
    copied('h264.mp4'),
    'h264.ts':
    copied('h264.mp4'),
    'h264.flv':
    copied('h264.mp4'),
    'raw.h264':
    copied('h264.mp4'),
    'h264_ip.avi':
    Kind(H264 + '-g 16 -bf 0'),
    'one_key_frame.mp4':
    Kind(H264 + '-g 999 -bf 3'),
    # Prepared for fast reading: B frames are never references.
    'prepared.mp4':
    Kind(H264 + '-g 12 -bf 3 -tune fastdecode -x264-params '
         'open-gop=0:b-adapt=0:scenecut=0:b-pyramid=none'),
    'no_b_frames.mp4':
    Kind(H264 + '-g 12 -bf 0 -x264-params open-gop=0:scenecut=0'),
    'open_gop.mp4':
    Kind(H264 + '-g 16 -bf 3 -x264-params open-gop=1:b-adapt=0:scenecut=0'),
    'open_gop.ts':
    copied('open_gop.mp4'),
    'intra_refresh.mp4':
    Kind(H264 + '-g 16 -x264-params intra-refresh=1'),
    'intra_refresh.ts':
    copied('intra_refresh.mp4'),
    'pyramid.mp4':
    Kind(H264 + '-g 24 -bf 8 -x264-params b-pyramid=normal:b-adapt=0'),
    'mbaff.ts':
    Kind(H264 + '-g 16 -bf 2 -flags +ildct+ilme', colour='interlaced'),
    'mbaff.mp4':
    copied('mbaff.ts', colour='interlaced'),
    'fragmented.mp4':
    copied('h264.mp4', after='-c copy -movflags frag_keyframe+empty_moov'),
    'dash.mp4':
    copied(
        'h264.mp4', after='-c copy -movflags dash+delay_moov+frag_keyframe'),
    'fast_start.mp4':
    copied('h264.mp4', after='-c copy -movflags +faststart'),
    'negative_start.mp4':
    copied('h264.mp4', after='-c copy -movflags negative_cts_offsets'),
    'late_start.mp4':
    copied('h264.mp4', after='-c copy -copyts -output_ts_offset 7'),
    'late_start.mkv':
    copied('late_start.mp4', '-copyts', '-c copy'),
    # The clock of MPEG-TS, 33 bits at 90 kHz, starts again in the middle.
    'clock_wrap.ts':
    copied('h264.mp4', after='-c copy -output_ts_offset 95441.2'),
    # Other codecs.
    'hevc.mp4':
    Kind(HEVC + f'-pix_fmt yuv420p -x265-params {X265}'),
    'hevc_10_bit.mkv':
    Kind(HEVC + f'-pix_fmt yuv420p10le -x265-params {X265}', colour='10-bit'),
    'hevc.ts':
    copied('hevc.mp4'),
    'mpeg4.avi':
    Kind(MPEG4 + '-bf 0'),
    'mpeg4_b_frames.avi':
    Kind(MPEG4 + '-bf 2'),
    'mpeg4_b_frames.mp4':
    copied('mpeg4_b_frames.avi', '-fflags +genpts'),
    'mpeg4_b_frames.mkv':
    copied('mpeg4_b_frames.mp4'),
    'packed_xvid.avi':
    Kind('-c:v libxvid -q:v 3 -g 12 -bf 2 -pix_fmt yuv420p', complete=False),
    'mpeg1.mpg':
    Kind('-c:v mpeg1video -q:v 3 -g 12 -bf 2 -pix_fmt yuv420p'),
    'mpeg2.mpg':
    Kind(MPEG2),
    'mpeg2.ts':
    Kind(MPEG2),
    'mpeg2.vob':
    Kind(MPEG2),
    'wmv1.asf':
    Kind('-c:v wmv1 -q:v 3 -g 12 -pix_fmt yuv420p'),
    'wmv2.wmv':
    Kind('-c:v wmv2 -q:v 3 -g 12 -pix_fmt yuv420p'),
    'mjpeg.avi':
    Kind('-c:v mjpeg -q:v 3 -pix_fmt yuvj420p', colour='full range'),
    'vp8.webm':
    Kind(VP8 + '-g 16 -auto-alt-ref 1 -lag-in-frames 12'),
    'vp9.webm':
    Kind(VP9 + '-g 16'),
    'vp9_alt_ref.webm':
    Kind(
        VP9.replace('realtime', 'good') +
        '-g 16 -auto-alt-ref 1 -lag-in-frames 12'),
    'live.webm':
    copied('vp9.webm', after='-c copy -live 1'),
    'av1.mp4':
    Kind(AV1),
    'av1.webm':
    copied('av1.mp4'),
    'h263.3gp':
    Kind('-c:v h263 -q:v 3 -g 12', size=(128, 96)),
    'theora.ogv':
    Kind('-c:v libtheora -q:v 9 -g 16 -pix_fmt yuv420p'),
    'palette.gif':
    Kind('', colour='palette'),
    # All packets are called key packets.
    'rpza.mov':
    Kind('-c:v rpza', colour='4:4:4'),
    'prores.mov':
    Kind('-c:v prores -pix_fmt yuv422p10le', colour='10-bit'),
    # Time.
    'uneven.mp4':
    Kind(UNEVEN + H264 + '-g 16 -bf 2 -fps_mode passthrough', complete=False),
    'uneven.mkv':
    copied('uneven.mp4', complete=False),
    'edit_list_cut.mp4':
    copied('h264.mp4', '-ss 0.9', complete=False),
    'edit_list_delay.mp4':
    Kind('-map 0 -map 1:v -c:v copy -c:a aac',
         TONE + '-itsoffset 0.5 -i {h264.mp4}'),
    # Cut at a key frame: the pictures after the key frame refer to lost
    # pictures.
    'hevc_cut.mkv':
    copied('hevc.mp4', '-ss 1.4', complete=False),
    'hevc_cut.mp4':
    copied('hevc.mp4', '-ss 1.4', complete=False),
    'hevc_cut.ts':
    copied('hevc.mp4', '-ss 1.4', complete=False),
    'mpeg2_cut.ts':
    copied('mpeg2.ts', '-ss 1.4', complete=False),
    # Place and streams.
    'turned_90.mp4':
    copied('h264.mp4', '-display_rotation 90'),
    'turned_90.mkv':
    copied('h264.mp4', '-display_rotation 90'),
    'turned_180.mp4':
    copied('h264.mp4', '-display_rotation 180'),
    'turned_270.mp4':
    copied('h264.mp4', '-display_rotation 270'),
    'mirrored.mp4':
    copied('h264.mp4', '-display_hflip'),
    'mirrored_turned.mov':
    copied('h264.mp4', '-display_rotation 90 -display_hflip'),
    'second_stream.mkv':
    Kind('-map 0 -map 1:v -c:v copy -c:a aac', TONE + '-i {h264.mp4}'),
    'two_videos.mkv':
    Kind('-map 1:v -map 0:v -c copy -disposition:v:1 0',
         '-i {tiny.mp4} -i {h264.mp4}'),
    'cover.mp4':
    Kind('-map 0:v -map 1:v -c copy -disposition:v:1 attached_pic',
         '-i {h264.mp4} -i {cover.png}'),
    # Size.
    'even.mp4':
    Kind(H264 + '-g 16', size=(130, 66)),
    'odd.mp4':
    Kind(
        H264.replace('yuv420p', 'yuv444p') + '-g 16',
        size=(67, 51),
        colour='4:4:4'),
    'odd.webm':
    Kind(VP9 + '-g 16 -pix_fmt yuv420p', size=(67, 51), colour='odd size'),
    'odd.mpg':
    Kind(MPEG2, size=(99, 51), colour='odd size'),
    'cropped.mp4':
    copied('h264.mp4', after='-c copy -bsf:v h264_metadata=crop_left=4'),
    'tiny.mp4':
    Kind(H264 + '-g 16', size=(16, 16)),
    'tiny.avi':
    Kind(MPEG4, size=(32, 18)),
    'one_frame.mp4':
    Kind(H264, frames=1),
    # Colour.
    'full_range.mp4':
    Kind(
        '-vf scale=out_range=full ' + H264.replace('yuv420p', 'yuvj420p') +
        '-g 16',
        colour='full range'),
    'bt709.mp4':
    Kind(
        '-vf scale=out_color_matrix=bt709 ' + H264 +
        '-g 16 -colorspace bt709 -color_primaries bt709 -color_trc bt709',
        colour='BT.709'),
    'h264_10_bit.mp4':
    Kind(H264.replace('yuv420p', 'yuv420p10le') + '-g 16', colour='10-bit'),
    'gray.mp4':
    Kind(H264.replace('yuv420p', 'gray') + '-g 16', colour='gray'),
    'alpha.webm':
    Kind(
        '-vf format=yuva420p ' + VP9 + '-g 16 -auto-alt-ref 0',
        colour='alpha'),
    'alpha.mov':
    Kind('-c:v prores_ks -pix_fmt yuva444p10le -qscale:v 4', colour='10-bit'),
}
# Ingredients of other files.
PARTS = {'cover.png': Kind('-frames:v 1', frames=1, size=(64, 64))}


class Video(NamedTuple):
    """A file and the truth about the frames.

    Args:
        path (Path): The file.
        kind (Kind): Row of ``KINDS``.
        frames (np.ndarray): Shape (n, h, w, 3), uint8, as ffmpeg gives them.
        numbers (list[int]): Read from the frames.
    """
    path: Path
    kind: Kind
    frames: np.ndarray
    numbers: List[int]


class VideoKinds:
    """The files of ``KINDS``, encoded on first use.

    Args:
        folder (Path): Folder of the files, shared by several processes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.get = lru_cache(None)(self._get)

    def path(self, name: str) -> Path:
        """Return the path of a kind; encode a missing file.

        Args:
            name (str): Key of ``KINDS``.

        Returns:
            Path: The file.
        """
        path = self.folder / name
        if path.exists():
            return path
        kind = {**KINDS, **PARTS}[name]
        content, inputs = None, []
        for word in kind.inputs.split():
            if word == '{raw}':
                width, height = kind.size
                word = ('-f rawvideo -pix_fmt rgb24 -r 25 '
                        f'-s {width}x{height} -i -')
                content = b''.join(
                    draw(i, kind.size).tobytes() for i in range(kind.frames))
                inputs += word.split()
            elif word.startswith('{'):
                inputs.append(str(self.path(word[1:-1])))
            else:
                inputs.append(word)
        # Another process sees a whole file or none.
        part = self.folder / f'{os.getpid()}_{name}'
        options = kind.options.split()
        done = run_ffmpeg(*inputs, *options, part, content=content)
        if done.returncode:
            raise RuntimeError(f'{name}: {done.stderr.decode()}')
        os.replace(part, path)
        return path

    def _get(self, name: str) -> Video:
        path = self.path(name)
        frames, complaint = decode(path)
        numbers = [read_number(f) for f in frames]
        assert not complaint, f'{name}: {complaint}'
        assert len(set(numbers)) == len(numbers) > 0, f'{name}: {numbers}'
        kind = KINDS[name]
        assert not kind.complete or len(numbers) == kind.frames, name
        return Video(path, kind, frames, numbers)
