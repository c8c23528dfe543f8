"""Media of captions, from files or from the bytes of a shard."""
import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmvideomamba.registry import TRANSFORMS
from .decode import OpenVideo
from .image_file import check_whole_image, image_error, read_image_file


@TRANSFORMS.register_module()
class OpenClip(OpenVideo):
    """Open a video of a caption set; the same as ``OpenVideo``."""


@TRANSFORMS.register_module()
class ReadImage(BaseTransform):
    """Read an image as a clip of a single frame.

    Required Keys:

    - filename (str)
    - content (bytes, optional): Of the file

    Added Keys:

    - imgs (list[np.ndarray]): A single frame, RGB, (h, w, 3), uint8
    - original_shape, img_shape (tuple[int]): (h, w)
    - clip_len, num_clips, total_frames (int): 1
    """

    def transform(self, results: dict) -> dict:
        """Read the image of a sample.

        Args:
            results (dict): The sample.

        Returns:
            dict: The sample, with the added keys.

        Raises:
            MediaError: If the file does not exist, ends early, or is no
                image.
        """
        content = results.pop('content', None)
        name = results['filename']
        if content is None:
            content = read_image_file(
                name, 'Correct media_root and the caption file.')
        check_whole_image(name, content)
        try:
            image = cv2.imdecode(
                np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error as error:  # a size beyond OpenCV's limit, for example
            raise image_error(name, f'is damaged: {error}') from error
        if image is None:
            raise image_error(
                name, f'is damaged or not an image ({len(content)} bytes)')
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        results.update(
            imgs=[image],
            original_shape=image.shape[:2],
            img_shape=image.shape[:2],
            modality='RGB',
            clip_len=1,
            num_clips=1,
            total_frames=1)
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}()'
