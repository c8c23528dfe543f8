"""Decoding of videos that are folders of images."""
from typing import Any, Optional

import cv2
from mmaction.datasets.transforms import RawFrameDecode
from mmengine.fileio import FileClient

from mmvideomamba.registry import TRANSFORMS
from ..video import MediaError, MissingMediaError

_REMEDY = ('Extract the frames of the video again, correct the number of '
           'frames, filename_tmpl or start_index, or leave the video out of '
           'the list.')
# Raised by the decoders of images; Pillow has SyntaxError for some files.
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, AttributeError, cv2.error)


class _NotingClient:
    """Remember the last image, for the error of a decoder.

    Args:
        client (FileClient): Reads the files.
    """

    def __init__(self, client: FileClient) -> None:
        self.client = client
        self.path = ''  # '' while an image is being read

    def get(self, path: str) -> bytes:
        """Read an image."""
        self.path = ''
        try:
            content = self.client.get(path)
        except FileNotFoundError as error:
            raise MissingMediaError(
                path, remedy=_REMEDY, kind='image') from error
        self.path = path
        return content


@TRANSFORMS.register_module()
class DecodeRawFrames(RawFrameDecode):
    """Decode the sampled images of a folder, or name the bad image.

    The host's ``RawFrameDecode`` with errors for the policies for bad media.
    Of a broken image the host reports an operation on None, a cut off image
    is filled with grey, and images of several sizes pass as a video.

    Required Keys:

    - frame_dir (str): Folder of the images
    - filename_tmpl (str): Name of an image, such as 'img_{:05}.jpg'
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
            The host's 'cv2' does not notice a cut off image. Defaults to
            'pillow'.
        **kwargs: Further arguments of the ``FileClient``.
    """

    def __init__(self,
                 io_backend: str = 'disk',
                 decoding_backend: str = 'pillow',
                 **kwargs: Any) -> None:
        super().__init__(io_backend, decoding_backend, **kwargs)
        self.file_client: Optional[_NotingClient] = None

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
        client = self.file_client
        if client is None:
            client = self.file_client = _NotingClient(
                FileClient(self.io_backend, **self.kwargs))
        try:
            results = super().transform(results)
        except MediaError:
            raise
        except _DECODE_ERRORS as error:
            if not client.path:  # the file cannot be read at all
                raise
            raise MediaError(client.path, 'is damaged, or no image', _REMEDY,
                             'image') from error
        sizes = {image.shape[:2] for image in results['imgs']}
        if len(sizes) > 1:
            raise MediaError(
                results['frame_dir'], 'holds images of several sizes: ' +
                ', '.join(f'{w} x {h}' for h, w in sorted(sizes)), _REMEDY,
                'folder')
        return results
