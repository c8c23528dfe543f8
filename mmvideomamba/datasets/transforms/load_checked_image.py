"""The host's loading of images, with the file named in errors."""
from typing import Optional

import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio

from mmvideomamba.registry import TRANSFORMS
from ..video.errors import MediaError, MissingMediaError
from .image_file import (DECODE_ERRORS, check_whole_image, image_error,
                         read_image_file)


@TRANSFORMS.register_module()
class LoadCheckedImage(LoadImageFromFile):
    """The host's ``LoadImageFromFile``, with damaged files refused by name.

    ``CheckedImageNet`` and ``CheckedImageFolder`` put the step in the place
    of the host's, whose name stays in the config: the host's tools compare
    the name.

    Required Keys:

    - img_path (str)

    Modified Keys:

    - img, img_shape, ori_shape

    Args:
        **kwargs: Arguments of ``LoadImageFromFile``.
    """

    def transform(self, results: dict) -> Optional[dict]:
        """Load the image of a sample.

        Args:
            results (dict): The sample.

        Returns:
            dict | None: The sample with the image; None for a bad image with
            ``ignore_empty``.

        Raises:
            MediaError: If the image does not exist or is damaged.
        """
        path = results['img_path']
        try:
            content = self._read(path)
            check_whole_image(path, content)
            image = mmcv.imfrombytes(
                content, flag=self.color_type, backend=self.imdecode_backend)
            if image is None:
                raise image_error(
                    path, f'is damaged or not an image ({len(content)} bytes)')
        except MediaError:
            if self.ignore_empty:
                return None
            raise
        except FileNotFoundError as error:
            if self.ignore_empty:
                return None
            raise MissingMediaError(path, kind='image') from error
        except DECODE_ERRORS as error:
            if self.ignore_empty:
                return None
            raise image_error(
                path, f'is damaged or not an image: {error}') from error
        image = image.astype(np.float32) if self.to_float32 else image
        results.update(
            img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
        return results

    def _read(self, path: str) -> bytes:
        """Read a file with the host's arguments."""
        args = self.file_client_args
        if args is not None:
            return fileio.FileClient.infer_client(args, path).get(path)
        # On a pipe, fileio would wait for ever.
        if self.backend_args is None and isinstance(
                fileio.get_file_backend(path, enable_singleton=True),
                fileio.LocalBackend):
            return read_image_file(path)
        return fileio.get(path, backend_args=self.backend_args)
