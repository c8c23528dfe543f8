"""Decoding of videos stored as folders of images."""
from typing import Any, Optional

from mmaction.datasets.transforms import RawFrameDecode
from mmengine.fileio import FileClient

from mmvideomamba.registry import TRANSFORMS
from ..video import MediaError, MissingMediaError
from .decode import LOCAL_BACKENDS
from .image_file import (DECODE_ERRORS, check_whole_image, image_error,
                         read_image_file)

_REMEDY = ('Extract the frames of the video again, correct the number of '
           'frames, filename_tmpl or start_index, or leave the video out of '
           'the list.')
# OpenCV returns None for an undecodable image, and the host reads the size of
# None.
_DECODE_ERRORS = (*DECODE_ERRORS, AttributeError)


class _ImageReader:
    """Read images, refuse missing or damaged images, and keep the last path.

    Args:
        client (FileClient, optional): Reads the files. None reads from a
            local disk.
    """

    def __init__(self, client: Optional[FileClient]) -> None:
        self.client = client
        self.path = ''

    def get(self, path: str) -> bytes:
        """Read an image, called by the host."""
        self.path = path
        if self.client is None:
            content = read_image_file(path, _REMEDY)
        else:
            try:
                content = self.client.get(path)
            except FileNotFoundError as error:
                raise MissingMediaError(
                    path, remedy=_REMEDY, kind='image') from error
        check_whole_image(path, content)
        return content


@TRANSFORMS.register_module()
class DecodeRawFrames(RawFrameDecode):
    """Decode the sampled images of a folder, or name the bad image.

    The host's ``RawFrameDecode`` with errors for the policies for bad media.
    Of a broken image the host reports an operation on None, a cut off image
    is filled with grey, and images of several sizes pass as a video.

    Required Keys:

    - frame_dir (str): Folder of the images
    - filename_tmpl (str): Name of an image, for example 'img_{:05}.jpg'
    - modality (str): 'RGB', or 'Flow' for two images a frame
    - frame_inds (np.ndarray): Shape (clips * t, ), integers
    - offset (int, optional): Added to the numbers

    Added Keys:

    - imgs (list[np.ndarray]): Frames, RGB, each (h, w, 3), uint8, clip after
      clip
    - original_shape (tuple[int]): (h, w)
    - img_shape (tuple[int]): (h, w)

    Args:
        io_backend (str): Where the images are, see mmengine's
            ``FileClient``. Defaults to 'disk'.
        decoding_backend (str): Decoder of images, see ``mmcv.use_backend``.
            Defaults to 'cv2'.
        **kwargs: Further arguments of the ``FileClient``.
    """

    def __init__(self,
                 io_backend: str = 'disk',
                 decoding_backend: str = 'cv2',
                 **kwargs: Any) -> None:
        super().__init__(io_backend, decoding_backend, **kwargs)
        # The host reads each image by file_client.get: the one place where an
        # image can be checked before the decoding.
        self.file_client: Optional[_ImageReader] = None

    def transform(self, results: dict) -> dict:
        """Decode the frames of a sample.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with the added keys.

        Raises:
            MissingMediaError: If an image does not exist.
            MediaError: If an image cannot be decoded or has another size.
        """
        reader = self.file_client
        if reader is None:
            local = self.io_backend in LOCAL_BACKENDS
            reader = self.file_client = _ImageReader(
                None if local else FileClient(self.io_backend, **self.kwargs))
        try:
            results = super().transform(results)
        # A MediaError is a ValueError, and ValueError is a decode error.
        except MediaError:
            raise
        except _DECODE_ERRORS as error:
            raise image_error(reader.path,
                              'is damaged or not an image') from error
        sizes = {image.shape[:2] for image in results['imgs']}
        if len(sizes) > 1:
            raise MediaError(
                results['frame_dir'], 'holds images of several sizes: ' +
                ', '.join(f'{w} x {h}' for h, w in sorted(sizes)), _REMEDY,
                'folder')
        return results
