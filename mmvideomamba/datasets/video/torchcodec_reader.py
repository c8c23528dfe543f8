"""Reader with torchcodec and the FFmpeg of the system."""
import os
from typing import Any, Dict, Sequence

from torchcodec.decoders import VideoDecoder

from .indexed_reader import Fetched, IndexedReader

MISSING = 'Could not load libtorchcodec'


def check_libraries() -> None:
    """Check the FFmpeg libraries, loaded on first use only.

    Raises:
        ImportError: If the libraries cannot be loaded; the message names the
            remedy.
    """
    try:
        VideoDecoder(b'no video')
    except (RuntimeError, ValueError) as error:
        # Any other error says that the bytes are not a video: the libraries
        # were loaded.
        if MISSING in str(error):
            raise ImportError(
                'torchcodec cannot load the shared libraries of FFmpeg (on '
                'Debian: apt-get install ffmpeg), or is made for another '
                'version of PyTorch') from error


check_libraries()


class TorchCodecReader(IndexedReader):
    """Reader with torchcodec; see ``IndexedReader``.

    The time of each frame is compared with PyAV's table.
    """

    name = 'torchcodec'
    bundle = ''
    lost_in = {'mpegts'}
    faults = (RuntimeError, IndexError, ValueError)

    def _open(self) -> None:
        source: Any = self.source
        if isinstance(source, str):
            # A name like 1:30.mp4 looks like a URL to FFmpeg.
            source = os.path.abspath(source)
        self._decoder: Any = VideoDecoder(
            source,
            dimension_order='NHWC',
            num_ffmpeg_threads=self.num_threads)
        if len(self._decoder) != len(self):
            raise RuntimeError(f'it finds {len(self._decoder)} frames '
                               f'instead of {len(self)}')

    def _fetch(self, indices: Sequence[int]) -> Dict[int, Fetched]:
        batch = self._decoder.get_frames_at(indices=list(indices))
        return {
            i: (frame, time)
            for i, frame, time in zip(indices, batch.data.numpy(),
                                      batch.pts_seconds.tolist())
        }

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._decoder = None
        super().close()
