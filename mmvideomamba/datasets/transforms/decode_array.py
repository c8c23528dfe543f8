"""Picking of the sampled frames of an array."""
from mmcv.transforms import BaseTransform

from mmvideomamba.registry import TRANSFORMS


@TRANSFORMS.register_module()
class DecodeArray(BaseTransform):
    """Pick the sampled frames of a video in memory.

    Stands where ``DecodeFrames`` stands for a file. The host's
    ``ArrayDecode`` fails for a single frame.

    Required Keys:

    - array (np.ndarray): Shape (f, h, w, 3), uint8, RGB
    - frame_inds (np.ndarray): Shape (clips * t, ), integers

    Added Keys:

    - imgs (list[np.ndarray]): Frames, each (h, w, 3), clip after clip
    - original_shape (tuple[int]): (h, w)
    - img_shape (tuple[int]): (h, w)

    Modified Keys:

    - frame_inds: Flat
    """

    def transform(self, results: dict) -> dict:
        """Pick the frames of a sample.

        Args:
            results (dict): The sample, with the required keys.

        Returns:
            dict: The sample, with the added keys.
        """
        results['frame_inds'] = results['frame_inds'].reshape(-1)
        frames = results['array']
        results['imgs'] = [frames[i] for i in results['frame_inds']]
        results['original_shape'] = results['img_shape'] = frames.shape[1:3]
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}()'
