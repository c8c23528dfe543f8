"""Transform to destroy the order of the frames, as a control."""
import numpy as np
from mmcv.transforms import BaseTransform

from mmvideomamba.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ShuffleFrames(BaseTransform):
    """Put the frames of each clip into a random order.

    A control, not an augmentation: a model with the same accuracy on shuffled
    frames does not look at time. Each clip of a sample gets a separate order,
    drawn from numpy's global generator as in the host's transforms. Put the
    step after the decoding and before ``FormatShape``.

    Required Keys:

    - imgs (list[np.ndarray]): Frames, each (h, w, c), clip after clip
    - clip_len (int): Frames of a clip

    Modified Keys:

    - imgs
    """

    def transform(self, results: dict) -> dict:
        """Shuffle the frames of each clip.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with ``imgs`` reordered.

        Raises:
            ValueError: If ``imgs`` does not hold whole clips.
        """
        frames, clip_len = results['imgs'], results['clip_len']
        if len(frames) % clip_len:
            raise ValueError(f'{len(frames)} frames are not a whole number of '
                             f'clips of clip_len={clip_len} frames')
        results['imgs'] = [
            frames[start + i] for start in range(0, len(frames), clip_len)
            for i in np.random.permutation(clip_len)
        ]
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}()'
